//! Pieces of a layer on one vector.

use alloc::vec;
use alloc::vec::Vec;

use super::{LENGTHS, Random, agree, assert_close};
use crate::{
    Isa, add, argmax, exp, gelu_mul, rms_norm, rope_halves, rope_pairs, silu_mul, soft_cap, softmax,
};

#[test]
fn rms_norm_agrees() {
    for len in LENGTHS {
        let mut random = Random(len as u64);
        let (x, weight) = (random.floats(len), random.floats(len));
        agree("rms_norm", 1e-6, |isa| {
            let mut out = vec![f32::NAN; len];
            rms_norm(isa, &x, &weight, 1e-5, &mut out);
            out
        });
    }
}

#[test]
fn rms_norm_of_equal_elements_is_the_weight() {
    let mut out = [0.0; 3];
    rms_norm(Isa::PORTABLE, &[2.0; 3], &[1.0, -2.0, 0.5], 0.0, &mut out);
    assert_close("rms_norm", 1e-6, &out, &[1.0, -2.0, 0.5]);
}

#[test]
#[expect(clippy::cast_possible_truncation, reason = "the exact value is rounded once")]
fn exp_is_exact_to_a_few_units() {
    let x: Vec<f32> = (-8_690..8_870_i16).map(|i| f32::from(i) / 100.0).collect();
    for isa in Isa::supported() {
        let mut out = x.clone();
        exp(isa, &mut out);
        for (found, x) in out.iter().zip(&x) {
            let expected = f64::from(*x).exp() as f32;
            assert!((found / expected - 1.0).abs() < 3e-7, "exp {x} is {found}, not {expected}, by {isa}");
        }
    }
}

#[test]
fn exp_far_below_zero_is_zero_and_never_infinite() {
    for isa in Isa::supported() {
        let mut x = [f32::NEG_INFINITY, -88.0, 0.0, 1e30, f32::NAN];
        exp(isa, &mut x);
        assert_eq!(x[..3], [0.0, 0.0, 1.0], "{isa}");
        assert!(x[3].is_finite() && x[4].is_nan(), "{isa}");
    }
}

#[test]
fn softmax_agrees_and_sums_to_one() {
    for len in LENGTHS {
        let x: Vec<f32> = Random(len as u64).floats(len).iter().map(|x| x * 9.0).collect();
        agree("softmax", 1e-6, |isa| {
            let mut out = x.clone();
            softmax(isa, &mut out);
            assert!((out.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            out
        });
    }
}

#[test]
fn softmax_masks() {
    for isa in Isa::supported() {
        let mut x = [1.0, f32::NEG_INFINITY, 1.0];
        softmax(isa, &mut x);
        assert_eq!(x, [0.5, 0.0, 0.5]);
        softmax(isa, &mut []);
    }
}

#[test]
fn activations_and_add_agree() {
    for len in LENGTHS {
        let mut random = Random(len as u64);
        let gate: Vec<f32> = random.floats(len).iter().map(|x| x * 100.0).collect();
        let up = random.floats(len);
        agree("silu_mul", 1e-6, |isa| {
            let mut out = vec![f32::NAN; len];
            silu_mul(isa, &gate, &up, &mut out);
            out
        });
        agree("gelu_mul", 1e-6, |isa| {
            let mut out = vec![f32::NAN; len];
            gelu_mul(isa, &gate, &up, &mut out);
            out
        });
        agree("soft_cap", 1e-6, |isa| {
            let mut out = gate.clone();
            soft_cap(isa, 30.0, &mut out);
            out
        });
        agree("add", 0.0, |isa| {
            let mut out = gate.clone();
            add(isa, &up, &mut out);
            out
        });
    }
    let mut out = [0.0; 2];
    silu_mul(Isa::PORTABLE, &[0.0, 1.0], &[3.0, 2.0], &mut out);
    assert_close("silu_mul", 1e-6, &out, &[0.0, 1.462_117_2]);
    gelu_mul(Isa::PORTABLE, &[-1.0, 1.0], &[3.0, 2.0], &mut out);
    assert_close("gelu_mul", 1e-6, &out, &[-0.476_424_1, 1.682_383_9]);
    let mut capped = [-1e9, 0.0, 15.0, f32::INFINITY];
    soft_cap(Isa::PORTABLE, 30.0, &mut capped);
    assert_close("soft_cap", 1e-6, &capped, &[-30.0, 0.0, 13.863_514, 30.0]);
}

#[test]
fn ropes_agree_and_turn() {
    for pairs in [1, 7, 8, 9, 16, 17, 32] {
        let mut random = Random(pairs as u64);
        let (x, cos, sin) = (random.floats(3 * (2 * pairs + 1)), random.floats(pairs), random.floats(pairs));
        for rope in [rope_pairs, rope_halves] {
            agree("rope", 1e-6, |isa| {
                let mut out = x.clone();
                rope(isa, &mut out, 2 * pairs + 1, &cos, &sin);
                out
            });
        }
    }
    let (mut pairs, mut halves) = ([1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 4.0]);
    rope_pairs(Isa::PORTABLE, &mut pairs, 4, &[0.0, 1.0], &[1.0, 0.0]);
    rope_halves(Isa::PORTABLE, &mut halves, 4, &[0.0, 1.0], &[1.0, 0.0]);
    assert_eq!((pairs, halves), ([-2.0, 1.0, 3.0, 4.0], [-2.0, 3.0, 1.0, 4.0]));
}

#[test]
fn argmax_is_the_first_of_the_largest() {
    for isa in Isa::supported() {
        for len in LENGTHS {
            let mut x = vec![-1.0; len];
            x[len / 2] = 5.0;
            x[len - 1] = 5.0;
            assert_eq!(argmax(isa, &x), Some(len / 2), "{isa}");
        }
        assert_eq!(argmax(isa, &[]), None);
        assert_eq!(argmax(isa, &[f32::NAN, 1.0, f32::NAN]), Some(1), "{isa}");
    }
}
