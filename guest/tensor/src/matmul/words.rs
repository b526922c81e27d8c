//! Few inputs, as words: unpack, multiply and sum in registers. Rows have at least one stretch.
//!
//! Scales of several stretches are made before their products, so that no product waits for its scale.

use alloc::boxed::Box;
use core::marker::PhantomData;

use super::Chunk;
use super::word_sums::Sums;
use crate::simd::{LINE_BYTES, Op, Registers, Simd};
use crate::words::{
    ForWords, Input, Numbers, STRETCH, Stretch, UNIT, WordFormat, WordLanes, Words, for_words,
};

/// Most inputs computed side by side.
pub(super) const INPUTS: usize = 4;
/// Rows computed side by side for one input.
const PAIR: usize = 2;
/// Stretches after which lanes are summed up.
pub(super) const DEPTH: usize = 8;

/// Stretches whose scales are made at once where weights come into first-level cache just before their use.
const AT_ONCE: usize = 2;

/// How far ahead of its use a cache line is asked for: rows follow each other, so it will be of use.
const AHEAD_BYTES: usize = 4096;
/// The same into second-level cache where registers are sixteen floats wide. With one distance for both caches (2048) memory
/// gives 0.9 as much to `Q6_K`, and 0.97 to other formats.
const FAR_BYTES: usize = 3072;
/// From there into first-level cache.
const NEAR_BYTES: usize = 1024;

/// Memory of one cpu for the numbers of rows that are computed side by side.
pub(super) struct Scratch(Box<[[Numbers; DEPTH]; PAIR]>);

impl Scratch {
    pub(super) fn new() -> Self {
        Self(Box::new([[Numbers::ZERO; DEPTH]; PAIR]))
    }
}

/// Computes a tile.
pub(super) fn compute<S: WordLanes>(s: S, chunk: Chunk<'_>, words: &Words, scratch: &mut Scratch) {
    for_words(chunk.weights.quant(), Tile { s, chunk, words, scratch });
}

struct Tile<'t, S> {
    s: S,
    chunk: Chunk<'t>,
    words: &'t Words,
    scratch: &'t mut Scratch,
}

impl<S: WordLanes> ForWords for Tile<'_, S> {
    fn run<F: WordFormat<B, K>, const B: usize, const K: usize>(mut self) {
        let mut inputs = self.chunk.tile.inputs();
        while let left @ 1.. = inputs.len() {
            inputs.start += match (S::REGISTERS, left) {
                (Registers::None, _) => self.some::<F, B, K, 1>(inputs.start),
                (_, INPUTS..) => self.some::<F, B, K, INPUTS>(inputs.start),
                (_, 2..) => self.some::<F, B, K, 2>(inputs.start),
                _ => self.some::<F, B, K, 1>(inputs.start),
            };
        }
    }
}

impl<S: WordLanes> Tile<'_, S> {
    /// `N` inputs from `input` on; gives `N`.
    fn some<F: WordFormat<B, K>, const B: usize, const K: usize, const N: usize>(
        &mut self,
        input: usize,
    ) -> usize {
        let Self { s, chunk, words, scratch } = self;
        s.enter(Rows::<F, B, K, N> { chunk, words, scratch, input, format: PhantomData });
        N
    }
}

/// All rows of a tile times `N` inputs from `input` on.
struct Rows<'c, 't, F, const B: usize, const K: usize, const N: usize> {
    chunk: &'c mut Chunk<'t>,
    words: &'t Words,
    scratch: &'c mut Scratch,
    input: usize,
    format: PhantomData<F>,
}

impl<F: WordFormat<B, K>, const B: usize, const K: usize, const N: usize> Op for Rows<'_, '_, F, B, K, N> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (Self { chunk, words, scratch: Scratch(numbers), input, .. }, s) = (self, s.words());
        let inputs: [_; N] = core::array::from_fn(|n| words.input(input + n));
        let in_pairs = in_pairs::<F, B, K>(inputs[0].stretches.len());
        let rows = chunk.tile.rows();
        let mut row = rows.start;
        while row < rows.end {
            let weights = |row| chunk.weights.row(row);
            row += if N == 1 && in_pairs && row + PAIR <= rows.end {
                let pair = [weights(row), weights(row + 1)];
                let totals = dot::<F, B, K, PAIR, N, _>(s, &pair, &inputs, numbers);
                write(chunk, row, input, &totals)
            } else {
                let numbers = core::array::from_mut(&mut numbers[0]);
                let totals = dot::<F, B, K, 1, N, _>(s, &[weights(row)], &inputs, numbers);
                write(chunk, row, input, &totals)
            };
        }
    }
}

/// Whether rows of `stretches` are computed in pairs, which share the words of the input and wait less for each other's
/// sums. Memory gives less of two rows in turn: pays off where rows are short and arithmetic is slower than memory, which it
/// is not of formats with eight bits. Where units share scales, sums are no wait.
const fn in_pairs<F: WordFormat<B, K>, const B: usize, const K: usize>(stretches: usize) -> bool {
    F::RUN == 1 && B * K < STRETCH * UNIT && stretches < DEPTH
}

/// Writes products; gives `R`.
#[inline(always)]
fn write<const R: usize, const N: usize>(
    chunk: &mut Chunk<'_>,
    row: usize,
    input: usize,
    totals: &[[f32; R]; N],
) -> usize {
    for (n, totals) in totals.iter().enumerate() {
        chunk.tile.part(input + n, row..row + R).copy_from_slice(totals);
    }
    R
}

/// The products of `R` rows with `N` inputs.
#[inline(always)]
fn dot<F: WordFormat<B, K>, const B: usize, const K: usize, const R: usize, const N: usize, S: WordLanes>(
    s: S,
    rows: &[&[u8]; R],
    inputs: &[Input<'_>; N],
    numbers: &mut [[Numbers; DEPTH]; R],
) -> [[f32; R]; N] {
    let rows = rows.map(|row| row.as_chunks::<B>().0.as_chunks::<K>());
    let mut totals = [[0.0; R]; N];
    let all = inputs[0].stretches.len();
    for start in (0..all).step_by(DEPTH) {
        let whole = start..rows[0].0.len().min(start + DEPTH);
        let mut sums = [[Sums::new(s); R]; N];
        let at_once = if S::REGISTERS == Registers::Many { AT_ONCE } else { DEPTH };
        for at in whole.clone() {
            if (at - start).is_multiple_of(at_once) {
                for r in 0..R {
                    let next = at..whole.end.min(at + at_once);
                    for (blocks, numbers) in rows[r].0[next].iter().zip(&mut numbers[r][at - start..]) {
                        F::numbers(s, blocks, numbers);
                    }
                }
            }
            // Kept in memory: filling a register from there is cheaper than taking lanes of another apart.
            let numbers = core::hint::black_box(&*numbers);
            let x = stretch_of(inputs, at);
            let blocks: [_; R] = core::array::from_fn(|r| &rows[r].0[at]);
            let own: [_; R] = core::array::from_fn(|r| &numbers[r][at % DEPTH]);
            // Here, spread over the products: asked for at once, lines would wait for each other.
            for blocks in blocks {
                prefetch(s, blocks);
            }
            add_stretch::<F, B, K, R, N, S>(s, blocks, x, own, &mut sums);
            for n in 0..if F::OFFSETS > 1 { N } else { 0 } {
                for r in 0..R {
                    sums[n][r].add_halves(s, &own[r].offsets, &inputs[n].halves[at]);
                }
            }
        }
        if whole.end < all.min(start + DEPTH) {
            for (r, (_, rest)) in rows.iter().enumerate() {
                add_rest::<F, B, K, R, N, S>(s, rest, stretch_of(inputs, whole.end), &mut sums, r);
            }
        }
        for n in 0..N {
            for r in 0..R {
                totals[n][r] += sums[n][r].total(s);
            }
        }
    }
    totals
}

/// Stretch `at` of each input.
#[inline(always)]
fn stretch_of<'x, const N: usize>(inputs: &[Input<'x>; N], at: usize) -> [&'x Stretch; N] {
    let mut out = [&inputs[0].stretches[at]; N];
    for n in 1..N {
        out[n] = &inputs[n].stretches[at];
    }
    out
}

/// Asks for what lies ahead of a stretch.
#[inline(always)]
pub(super) fn prefetch<const B: usize, const K: usize, S: Simd>(s: S, blocks: &[[u8; B]; K]) {
    for line in (0..B * K).step_by(LINE_BYTES) {
        if S::REGISTERS == Registers::Many {
            s.prefetch_far(&blocks[0], FAR_BYTES + line);
            s.prefetch(&blocks[0], NEAR_BYTES + line);
        } else {
            s.prefetch(&blocks[0], AHEAD_BYTES + line);
        }
    }
}

/// Adds the products of a stretch.
#[inline(always)]
fn add_stretch<
    F: WordFormat<B, K>,
    const B: usize,
    const K: usize,
    const R: usize,
    const N: usize,
    S: WordLanes,
>(
    s: S,
    blocks: [&[[u8; B]; K]; R],
    inputs: [&Stretch; N],
    numbers: [&Numbers; R],
    sums: &mut [[Sums<S>; R]; N],
) {
    let mut integers = [[s.no_integers(); R]; N];
    let mut parts = [[s.no_sums(); R]; N];
    // Written out: a loop of this size is not unrolled, and then nothing of `unit` is known.
    macro_rules! units {
        ($($unit:literal)*) => {$(
            for r in 0..R {
                let words = F::words(s, blocks[r], $unit);
                // One input: products are fewer than words.
                let words = if N > 1 { F::multiplied(s, words, numbers[r], $unit) } else { words };
                for n in 0..N {
                    let x = &inputs[n].words[$unit];
                    integers[n][r] = if N > 1 {
                        s.add_products(integers[n][r], words, x)
                    } else {
                        F::add_products(s, integers[n][r], words, x, numbers[r], $unit)
                    };
                    if ($unit + 1) % F::RUN == 0 {
                        parts[n][r] =
                            s.add_integers(parts[n][r], integers[n][r], numbers[r].scales[$unit + 1 - F::RUN]);
                        integers[n][r] = s.no_integers();
                    }
                }
            }
        )*};
    }
    units!(0 1 2 3 4 5 6 7);
    for n in 0..N {
        for r in 0..R {
            sums[n][r].add(s, parts[n][r], inputs[n]);
            if F::OFFSETS == 1 {
                sums[n][r].add_offsets(s, &numbers[r].offsets[0], &inputs[n].sums);
            }
        }
    }
}

/// Adds the products of the blocks of a stretch of row `r` that is not whole; each block is a unit.
#[inline(always)]
fn add_rest<
    F: WordFormat<B, K>,
    const B: usize,
    const K: usize,
    const R: usize,
    const N: usize,
    S: WordLanes,
>(
    s: S,
    blocks: &[[u8; B]],
    inputs: [&Stretch; N],
    sums: &mut [[Sums<S>; R]; N],
    r: usize,
) {
    let (mut parts, mut offsets) = ([s.no_sums(); N], [0.0; STRETCH]);
    for (unit, block) in blocks.iter().enumerate() {
        let ([scale, offset], words) = F::single(s, block);
        offsets[unit] = offset;
        for n in 0..N {
            let integers = s.add_products(s.no_integers(), words, &inputs[n].words[unit]);
            parts[n] = s.add_integers(parts[n], integers, scale);
        }
    }
    for n in 0..N {
        sums[n][r].add(s, parts[n], inputs[n]);
        if F::OFFSETS == 1 {
            sums[n][r].add_offsets(s, &offsets, &inputs[n].sums);
        }
    }
}
