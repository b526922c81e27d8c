//! Attention over a page of floats, and softmax in pieces.

use alloc::vec;
use alloc::vec::Vec;

use super::{Random, agree, assert_close};
use crate::{
    FloatPage, HeadRows, Isa, Softened, axpy_f16, dot_f16, f16_to_f32, f32_to_f16, q8_0_bytes, softmax,
    store_q8_0,
};

const TOKENS: usize = 64;

/// Keys or values in the cache's two forms, and as the halves that the first holds.
struct Cached {
    halves: Vec<u16>,
    blocks: Vec<u8>,
    /// What the blocks stand for.
    numbers: Vec<f32>,
}

fn cached(random: &mut Random, tokens: usize, dim: usize) -> Cached {
    let numbers = random.floats(tokens * dim);
    let mut blocks = vec![0; tokens * q8_0_bytes(dim)];
    for (x, out) in numbers.chunks(dim).zip(blocks.chunks_mut(q8_0_bytes(dim))) {
        store_q8_0(x, out);
    }
    let number = |token: usize, at: usize| {
        let block = &blocks[token * q8_0_bytes(dim)..][at / 32 * 34..][..34];
        f16_to_f32(u16::from_le_bytes([block[0], block[1]])) * f32::from(block[2 + at % 32].cast_signed())
    };
    let stood_for = (0..tokens).flat_map(|token| (0..dim).map(move |at| (token, at)));
    let stood_for = stood_for.map(|(token, at)| number(token, at)).collect();
    Cached { halves: numbers.iter().map(|x| f32_to_f16(*x)).collect(), blocks, numbers: stood_for }
}

/// A shape whose rows have something before and between them.
fn shapes() -> impl Iterator<Item = HeadRows> {
    [1, 8, 15, 16, 17, 64, 80].into_iter().flat_map(|dim| {
        [(1, 1), (1, 7), (3, 1), (3, 4), (4, 5)].map(|(heads, rows)| HeadRows {
            rows,
            stride: heads * dim + 5,
            heads,
            dim,
        })
    })
}

#[test]
fn scores_and_sums_of_many_are_those_of_one_by_one() {
    for (number, shape) in shapes().enumerate() {
        for tokens in [0..64, 0..1, 3..37, 63..64, 16..32, 5..5] {
            let random = &mut Random(number as u64);
            let [keys, values] = [0, 1].map(|_| cached(random, tokens.end, shape.dim));
            let queries = random.floats(shape.rows * shape.stride);
            let weights = random.floats(shape.count() * TOKENS);
            let before = random.floats(shape.rows * shape.stride);
            for isa in Isa::supported() {
                let mut page = FloatPage::new(TOKENS, shape.dim);
                page.set_keys_f16(isa, &keys.halves);
                page.set_values_f16(isa, &values.halves);
                let (mut scores, mut mixed) = (vec![f32::NAN; weights.len()], before.clone());
                page.scores(isa, &queries, shape, tokens.clone(), &mut scores);
                page.mix(isa, &weights, shape, tokens.clone(), &mut mixed);
                let mut expected = before.clone();
                for vector in 0..shape.count() {
                    let place = shape.start(vector)..shape.start(vector) + shape.dim;
                    for token in tokens.clone() {
                        let of = |cached: &Cached| cached.halves[token * shape.dim..][..shape.dim].to_vec();
                        let at = vector * TOKENS + token;
                        let score = dot_f16(Isa::PORTABLE, &queries[place.clone()], &of(&keys));
                        assert_close("score", 1e-5, &scores[at..=at], &[score]);
                        axpy_f16(Isa::PORTABLE, weights[at], &of(&values), &mut expected[place.clone()]);
                    }
                }
                assert_close(&alloc::format!("{shape:?} {tokens:?} by {isa}"), 1e-5, &mixed, &expected);
            }
        }
    }
}

#[test]
fn blocks_of_integers_are_taken_for_what_they_stand_for() {
    for shape in shapes() {
        let random = &mut Random(shape.dim as u64);
        let cached = cached(random, 40, shape.dim);
        let halves: Vec<u16> = cached.numbers.iter().map(|x| f32_to_f16(*x)).collect();
        let queries = random.floats(shape.rows * shape.stride);
        for isa in Isa::supported() {
            let scores = |set: &dyn Fn(&mut FloatPage)| {
                let mut page = FloatPage::new(TOKENS, shape.dim);
                set(&mut page);
                let (mut scores, mut mixed) = (vec![0.0; shape.count() * TOKENS], queries.clone());
                page.scores(isa, &queries, shape, 0..40, &mut scores);
                page.mix(isa, &scores, shape, 0..40, &mut mixed);
                [scores, mixed].concat()
            };
            let found = scores(&|page| {
                page.set_keys_q8_0(isa, &cached.blocks);
                page.set_values_q8_0(isa, &cached.blocks);
            });
            let expected = scores(&|page| {
                page.set_keys_f16(isa, &halves);
                page.set_values_f16(isa, &halves);
            });
            // Halves of what the blocks stand for are rounded.
            assert_close("blocks", 2e-2, &found, &expected);
        }
    }
}

#[test]
fn a_querys_bits_do_not_depend_on_the_queries_beside() {
    let shape = HeadRows { rows: 9, stride: 192, heads: 3, dim: 64 };
    let random = &mut Random(1);
    let (keys, values) = (cached(random, 64, 64), cached(random, 64, 64));
    let (queries, weights) = (random.floats(9 * 192), random.floats(27 * TOKENS));
    for isa in Isa::supported() {
        let mut page = FloatPage::new(TOKENS, 64);
        page.set_keys_f16(isa, &keys.halves);
        page.set_values_f16(isa, &values.halves);
        let run = |rows: core::ops::Range<usize>| {
            let shape = HeadRows { rows: rows.len(), ..shape };
            let (queries, weights) = (&queries[rows.start * 192..], &weights[rows.start * 3 * TOKENS..]);
            let mut out = (vec![0.0; shape.count() * TOKENS], vec![0.0; rows.len() * 192]);
            page.scores(isa, queries, shape, 0..TOKENS, &mut out.0);
            page.mix(isa, &weights[..shape.count() * TOKENS], shape, 0..TOKENS, &mut out.1);
            out
        };
        let all = run(0..9);
        for rows in [0..1, 1..3, 4..9] {
            let part = run(rows.clone());
            assert_eq!(part.0, all.0[rows.start * 3 * TOKENS..rows.end * 3 * TOKENS], "{isa}");
            assert_eq!(part.1, all.1[rows.start * 192..rows.end * 192], "{isa}");
        }
    }
}

#[test]
fn a_softmax_in_pieces_is_that_of_the_whole() {
    for cuts in [&[0, 100][..], &[0, 1, 2, 100], &[0, 64, 64, 100], &[0, 99, 100]] {
        let scores: Vec<f32> = Random(cuts.len() as u64).floats(100).iter().map(|x| x * 20.0).collect();
        let mut expected = scores.clone();
        softmax(Isa::PORTABLE, &mut expected);
        agree("softened", 1e-6, |isa| {
            // Each score is mixed into an output of its own.
            let (mut softened, mut mixed) = (Softened::NONE, vec![0.0; 100]);
            for cut in cuts.windows(2) {
                let mut piece = scores[cut[0]..cut[1]].to_vec();
                softened.soften(isa, &mut piece, &mut mixed);
                mixed[cut[0]..cut[1]].copy_from_slice(&piece);
            }
            mixed.iter_mut().for_each(|weight| *weight /= softened.sum());
            assert_close("softmax", 1e-5, &mixed, &expected);
            mixed
        });
    }
}

#[test]
#[should_panic(expected = "1025 elements by 16")]
fn keys_that_are_no_vectors_are_refused() {
    FloatPage::new(TOKENS, 16).set_keys_f16(Isa::PORTABLE, &[0; 1025]);
}

#[test]
#[should_panic(expected = "65 elements by 1")]
fn more_values_than_a_page_has_are_refused() {
    FloatPage::new(TOKENS, 16).set_values_q8_0(Isa::PORTABLE, &[0; 65 * 34]);
}
