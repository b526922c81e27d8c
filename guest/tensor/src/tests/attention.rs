//! Attention over halves.

use alloc::vec;
use alloc::vec::Vec;

use super::{LENGTHS, Random, agree, assert_close};
use crate::{Isa, axpy_f16, dot_f16, f16_to_f32, f32_to_f16, mix_f16, scores_f16, store_f16};

fn halves(random: &mut Random, len: usize) -> Vec<u16> {
    random.floats(len).into_iter().map(f32_to_f16).collect()
}

#[test]
fn stored_halves_are_the_nearest() {
    for len in LENGTHS {
        let x = Random(len as u64).floats(len);
        for isa in Isa::supported() {
            let mut out = vec![0; len];
            store_f16(isa, &x, &mut out);
            assert!(x.iter().zip(&out).all(|(x, half)| f32_to_f16(*x) == *half), "{len} by {isa}");
        }
    }
}

#[test]
fn every_half_is_widened_alike() {
    let all: Vec<u16> = (0..=u16::MAX).filter(|bits| f16_to_f32(*bits).is_finite()).collect();
    for isa in Isa::supported() {
        let mut out = vec![0.0; all.len()];
        axpy_f16(isa, 1.0, &all, &mut out);
        assert!(all.iter().zip(&out).all(|(half, x)| f16_to_f32(*half) == *x), "{isa}");
    }
}

#[test]
fn one_vector_agrees() {
    for len in LENGTHS {
        let mut random = Random(len as u64);
        let (x, other) = (random.floats(len), halves(&mut random, len));
        agree("dot_f16", 1e-5, |isa| vec![dot_f16(isa, &x, &other)]);
        agree("axpy_f16", 1e-6, |isa| {
            let mut out = x.clone();
            axpy_f16(isa, -0.7, &other, &mut out);
            out
        });
    }
}

#[test]
fn many_vectors_are_as_one_by_one() {
    for (dim, stride) in [(1, 1), (15, 40), (16, 16), (17, 20), (64, 192), (65, 65), (80, 81), (128, 128)] {
        for queries in 1..=6 {
            for positions in [1, 2, 5] {
                check_many(dim, stride, queries, positions);
            }
        }
    }
}

fn check_many(dim: usize, stride: usize, queries: usize, positions: usize) {
    let mut random = Random((dim * 100 + queries * 10 + positions) as u64);
    let cache = halves(&mut random, (positions - 1) * stride + dim);
    let (vectors, weights) = (random.floats(queries * dim), random.floats(queries * positions));
    let (mut scores, mut mixed) = (vec![0.0; queries * positions], vectors.clone());
    for query in 0..queries {
        for position in 0..positions {
            let (at, cached) = (query * positions + position, &cache[position * stride..][..dim]);
            scores[at] = dot_f16(Isa::PORTABLE, &vectors[query * dim..][..dim], cached);
            axpy_f16(Isa::PORTABLE, weights[at], cached, &mut mixed[query * dim..][..dim]);
        }
    }
    for isa in Isa::supported() {
        let mut out = vec![f32::NAN; queries * positions];
        scores_f16(isa, &vectors, dim, &cache, stride, &mut out);
        assert_close(&alloc::format!("scores of {queries} by {isa}"), 1e-5, &out, &scores);
        let mut out = vectors.clone();
        mix_f16(isa, &weights, dim, &cache, stride, &mut out);
        assert_close(&alloc::format!("mix of {queries} by {isa}"), 1e-5, &out, &mixed);
    }
}

#[test]
fn an_empty_cache_changes_nothing() {
    for isa in Isa::supported() {
        let mut out = [1.0, 2.0];
        scores_f16(isa, &[1.0, 2.0], 2, &[], 2, &mut []);
        mix_f16(isa, &[], 2, &[], 2, &mut out);
        assert_eq!(out, [1.0, 2.0]);
    }
}

#[test]
#[should_panic(expected = "3 positions by 4 in 9 elements")]
fn a_short_cache_is_refused() {
    scores_f16(Isa::PORTABLE, &[0.0; 2], 2, &[0; 9], 4, &mut [0.0; 3]);
}
