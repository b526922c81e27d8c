//! Attention over 8-bit integers.

use alloc::vec;
use alloc::vec::Vec;

use super::{LENGTHS, Random, agree};
use crate::{Isa, Quant, dequantize_row, mix_q8_0, q8_0_bytes, scores_q8_0, store_q8_0};

/// Vectors of random numbers as blocks, and the numbers that these stand for.
fn stored(random: &mut Random, dim: usize, positions: usize) -> (Vec<u8>, Vec<f64>) {
    let (mut cache, mut numbers) = (Vec::new(), Vec::new());
    for _ in 0..positions {
        let mut blocks = vec![0; q8_0_bytes(dim)];
        store_q8_0(&random.floats(dim), &mut blocks);
        let mut wide = vec![0.0; dim.next_multiple_of(32)];
        dequantize_row(Isa::PORTABLE, Quant::Q8_0, &blocks, &mut wide);
        assert!(wide[dim..].iter().all(|x| *x == 0.0));
        cache.extend(blocks);
        numbers.extend(wide[..dim].iter().map(|x| f64::from(*x)));
    }
    (cache, numbers)
}

#[test]
fn what_is_stored_is_as_near_as_255_numbers_allow() {
    for len in LENGTHS {
        let x = Random(len as u64).floats(len);
        let mut blocks = vec![0; q8_0_bytes(len)];
        store_q8_0(&x, &mut blocks);
        let mut wide = vec![0.0; len.next_multiple_of(32)];
        dequantize_row(Isa::PORTABLE, Quant::Q8_0, &blocks, &mut wide);
        for (x, wide) in x.chunks(32).zip(wide.chunks(32)) {
            let largest = x.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
            // Half a step, and the rounding of the scale to eleven bits.
            let bound = largest * (0.5 / 127.0 + 1.0 / 2048.0);
            assert!(x.iter().zip(wide).all(|(x, wide)| (x - wide).abs() <= bound), "{len}");
        }
    }
}

#[test]
fn zeros_tiny_and_huge_numbers_are_stored_as_numbers() {
    for x in [[0.0; 3], [1e-30; 3], [f32::MAX; 3], [f32::MIN, 0.0, 1.0]] {
        let mut blocks = vec![0xFF; q8_0_bytes(3)];
        store_q8_0(&x, &mut blocks);
        let mut wide = [0.0; 32];
        dequantize_row(Isa::PORTABLE, Quant::Q8_0, &blocks, &mut wide);
        assert!(wide.iter().all(|x| x.is_finite()), "{x:?}");
        assert!(x.iter().zip(&wide).all(|(x, wide)| x.abs() < 1.0 || x.signum() == wide.signum()), "{x:?}");
    }
}

#[test]
fn scores_and_sums_are_those_of_the_numbers_that_blocks_stand_for() {
    for dim in [1, 15, 16, 17, 31, 32, 33, 64, 65, 80, 128] {
        for queries in 1..=6 {
            for positions in [1, 2, 5, 64] {
                check(dim, queries, positions);
            }
        }
    }
}

fn check(dim: usize, queries: usize, positions: usize) {
    let mut random = Random((dim * 100 + queries * 10 + positions) as u64);
    let (cache, numbers) = stored(&mut random, dim, positions);
    let (vectors, weights) = (random.floats(queries * dim), random.floats(queries * positions));
    let mut scores = vec![0.0; queries * positions];
    let mut mixed: Vec<f64> = vectors.iter().map(|x| f64::from(*x)).collect();
    for query in 0..queries {
        for position in 0..positions {
            let (at, cached) = (query * positions + position, &numbers[position * dim..][..dim]);
            for (element, number) in cached.iter().enumerate() {
                scores[at] += f64::from(vectors[query * dim + element]) * number;
                mixed[query * dim + element] += f64::from(weights[at]) * number;
            }
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "compared with floats")]
    let exact = |x: &[f64]| x.iter().map(|x| *x as f32).collect::<Vec<_>>();
    for (name, exact) in [("scores_q8_0", exact(&scores)), ("mix_q8_0", exact(&mixed))] {
        let compute = |isa| {
            let mut out = if name == "scores_q8_0" { vec![f32::NAN; scores.len()] } else { vectors.clone() };
            match name {
                "scores_q8_0" => scores_q8_0(isa, &vectors, dim, &cache, &mut out),
                _ => mix_q8_0(isa, &weights, dim, &cache, &mut out),
            }
            out
        };
        super::assert_close(name, 1e-5, &compute(Isa::PORTABLE), &exact);
        agree(name, 1e-5, compute);
    }
}

#[test]
fn an_empty_cache_changes_nothing() {
    for isa in Isa::supported() {
        let mut out = [1.0, 2.0];
        scores_q8_0(isa, &[1.0, 2.0], 2, &[], &mut []);
        mix_q8_0(isa, &[], 2, &[], &mut out);
        assert_eq!(out, [1.0, 2.0]);
    }
}

#[test]
#[should_panic(expected = "3 positions in 2 blocks")]
fn a_short_cache_is_refused() {
    scores_q8_0(Isa::PORTABLE, &[0.0; 2], 2, &[0; 2 * 34 + 33], &mut [0.0; 3]);
}
