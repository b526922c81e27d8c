//! Several inputs, as words whose units share scales: rows unpacked once into cache, then a register-blocked product.
//!
//! Every product is computed as [`super::words`] does, bit for bit.

use alloc::boxed::Box;
use alloc::vec;
use core::marker::PhantomData;
use core::ops::Range;

use super::Chunk;
use super::panel::ROWS;
use super::word_sums::Sums;
use super::words::{DEPTH, prefetch};
use crate::simd::{Op, Registers, Simd};
use crate::words::{
    ForWords, Input, Numbers, STRETCH, Stretch, UNIT, WordFormat, WordLanes, Words, for_shared_scales,
};

/// Most inputs and rows taken at once, as registers allow.
const INPUTS: usize = 4;
const PAIR: usize = 2;
/// Units of a shorter run.
const HALF: usize = STRETCH / 2;
/// Most inputs for which rows are unpacked pair by pair, so that weights keep coming from memory while products are
/// computed; more inputs take the room of the first-level cache while a pair waits for them.
const FEW: usize = 16;

/// A stretch of a row.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Unpacked {
    words: [[i16; UNIT]; STRETCH],
    scales: [f32; STRETCH],
    offsets: [f32; STRETCH],
}

/// Memory of one cpu for rows of words: `[ROWS][DEPTH]` stretches stay in the second-level cache.
pub(super) struct Scratch {
    rows: Box<[[Unpacked; DEPTH]]>,
    /// Offsets of halves of units. Apart, since few formats have them.
    halves: Box<[[[[f32; STRETCH]; 2]; DEPTH]]>,
}

impl Scratch {
    pub(super) fn new() -> Self {
        let Numbers { scales, offsets, .. } = Numbers::ZERO;
        let zero = Unpacked { words: [[0; UNIT]; STRETCH], scales, offsets: offsets[0] };
        Self {
            rows: vec![[zero; DEPTH]; ROWS].into_boxed_slice(),
            halves: vec![[offsets; DEPTH]; ROWS].into_boxed_slice(),
        }
    }
}

/// Computes a tile.
pub(super) fn compute<S: WordLanes>(s: S, chunk: Chunk<'_>, words: &Words, scratch: &mut Scratch) {
    for_shared_scales(chunk.weights.quant(), Tile { s, chunk, words, scratch });
}

struct Tile<'t, S> {
    s: S,
    chunk: Chunk<'t>,
    words: &'t Words,
    scratch: &'t mut Scratch,
}

impl<S: WordLanes> ForWords for Tile<'_, S> {
    fn run<F: WordFormat<B, K>, const B: usize, const K: usize>(self) {
        let Self { s, mut chunk, words, scratch } = self;
        let (all, stretches) = (chunk.tile.rows(), words.input(0).stretches.len());
        let taken = if chunk.tile.inputs().len() <= FEW { PAIR } else { ROWS };
        for row in all.clone().step_by(taken) {
            for start in (0..stretches).step_by(DEPTH) {
                let part = Part {
                    rows: row..all.end.min(row + taken),
                    stretches: start..stretches.min(start + DEPTH),
                };
                s.enter(Fill::<F, B, K> { chunk: &chunk, part: &part, scratch, format: PhantomData });
                let mut multiply = Multiply { chunk: &mut chunk, words, part, scratch };
                match (F::RUN, F::OFFSETS) {
                    (STRETCH, 2) => multiply.all::<S, STRETCH, 2>(s),
                    (STRETCH, 1) => multiply.all::<S, STRETCH, 1>(s),
                    (HALF, 0) => multiply.all::<S, HALF, 0>(s),
                    (run, offsets) => unreachable!("runs of {run} with {offsets} offsets"),
                }
            }
        }
    }
}

/// What is in the panel.
struct Part {
    rows: Range<usize>,
    stretches: Range<usize>,
}

/// Unpacks some stretches of some rows into the panel.
struct Fill<'c, 't, F, const B: usize, const K: usize> {
    chunk: &'c Chunk<'t>,
    part: &'c Part,
    scratch: &'c mut Scratch,
    format: PhantomData<F>,
}

impl<F: WordFormat<B, K>, const B: usize, const K: usize> Op for Fill<'_, '_, F, B, K> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (Self { chunk, part, scratch: Scratch { rows, halves }, .. }, s) = (self, s.words());
        for (row, (to, halves)) in part.rows.clone().zip(rows.iter_mut().zip(halves)) {
            let blocks = chunk.weights.row(row).as_chunks::<B>().0.as_chunks::<K>().0;
            for (at, (to, halves)) in part.stretches.clone().zip(to.iter_mut().zip(halves)) {
                prefetch(s, &blocks[at]);
                unpack::<F, B, K, _>(s, &blocks[at], to, halves);
            }
        }
    }
}

#[inline(always)]
fn unpack<F: WordFormat<B, K>, const B: usize, const K: usize, S: WordLanes>(
    s: S,
    blocks: &[[u8; B]; K],
    to: &mut Unpacked,
    halves: &mut [[f32; STRETCH]; 2],
) {
    let mut numbers = Numbers::ZERO;
    F::numbers(s, blocks, &mut numbers);
    macro_rules! units {
        ($($unit:literal)*) => {$(
            let words = F::words(s, blocks, $unit);
            s.store_words(F::multiplied(s, words, &numbers, $unit), &mut to.words[$unit]);
        )*};
    }
    units!(0 1 2 3 4 5 6 7);
    (to.scales, to.offsets) = (numbers.scales, numbers.offsets[0]);
    if F::OFFSETS > 1 {
        *halves = numbers.offsets;
    }
}

/// The panel times the inputs of the tile.
struct Multiply<'c, 't> {
    chunk: &'c mut Chunk<'t>,
    words: &'c Words,
    part: Part,
    scratch: &'c Scratch,
}

impl Multiply<'_, '_> {
    /// `RUN`, `OFFSETS`: of the format.
    fn all<S: WordLanes, const RUN: usize, const OFFSETS: usize>(&mut self, s: S) {
        let mut inputs = self.chunk.tile.inputs();
        while let left @ 1.. = inputs.len() {
            inputs.start += match (S::REGISTERS, left) {
                (Registers::None, _) => self.inputs::<S, 1, RUN, OFFSETS>(s, inputs.start),
                (_, INPUTS..) => self.inputs::<S, INPUTS, RUN, OFFSETS>(s, inputs.start),
                (_, 2..) => self.inputs::<S, 2, RUN, OFFSETS>(s, inputs.start),
                _ => self.inputs::<S, 1, RUN, OFFSETS>(s, inputs.start),
            };
        }
    }

    /// All rows times `N` inputs from `input` on; gives `N`.
    fn inputs<S: WordLanes, const N: usize, const RUN: usize, const OFFSETS: usize>(
        &mut self,
        s: S,
        input: usize,
    ) -> usize {
        s.enter(Block::<N, RUN, OFFSETS> { multiply: self, input });
        N
    }
}

/// All rows of a panel times `N` inputs from `input` on.
struct Block<'m, 'c, 't, const N: usize, const RUN: usize, const OFFSETS: usize> {
    multiply: &'m mut Multiply<'c, 't>,
    input: usize,
}

impl<const N: usize, const RUN: usize, const OFFSETS: usize> Op for Block<'_, '_, '_, N, RUN, OFFSETS> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (Self { multiply: Multiply { chunk, words, part, scratch }, input }, s) = (self, s.words());
        let Part { rows, stretches } = part;
        let inputs: [_; N] = core::array::from_fn(|n| words.input(input + n).part(stretches.clone()));
        let mut row = rows.start;
        while row < rows.end {
            let lines = &scratch.rows[row - rows.start..];
            let halves = &scratch.halves[row - rows.start..];
            let is_later = stretches.start > 0;
            row += if rows.end - row >= PAIR {
                let sums = products::<PAIR, N, RUN, OFFSETS, _>(
                    s,
                    [&lines[0], &lines[1]],
                    [&halves[0], &halves[1]],
                    &inputs,
                );
                write(chunk, row, input, &sums, is_later)
            } else {
                let sums = products::<1, N, RUN, OFFSETS, _>(s, [&lines[0]], [&halves[0]], &inputs);
                write(chunk, row, input, &sums, is_later)
            };
        }
    }
}

/// Writes products, or adds them to what earlier stretches gave; gives `R`.
#[inline(always)]
fn write<const R: usize, const N: usize>(
    chunk: &mut Chunk<'_>,
    row: usize,
    input: usize,
    sums: &[[f32; R]; N],
    is_later: bool,
) -> usize {
    for (n, sums) in sums.iter().enumerate() {
        for (out, sum) in chunk.tile.part(input + n, row..row + R).iter_mut().zip(sums) {
            *out = if is_later { *out } else { 0.0 } + sum;
        }
    }
    R
}

/// Products of some stretches of `R` rows and `N` inputs.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "places count in arrays of arrays")]
fn products<const R: usize, const N: usize, const RUN: usize, const OFFSETS: usize, S: WordLanes>(
    s: S,
    rows: [&[Unpacked; DEPTH]; R],
    halves: [&[[[f32; STRETCH]; 2]; DEPTH]; R],
    inputs: &[Input<'_>; N],
) -> [[f32; R]; N] {
    let depth = inputs[0].stretches.len().min(DEPTH);
    let mut sums = [[Sums::new(s); R]; N];
    for at in 0..depth {
        let lines = core::array::from_fn(|r| &rows[r][at]);
        let x = core::array::from_fn(|n| &inputs[n].stretches[at]);
        add_stretch::<R, N, RUN, S>(s, &lines, &x, &mut sums);
    }
    for at in 0..if OFFSETS > 0 { depth } else { 0 } {
        for n in 0..N {
            for r in 0..R {
                if OFFSETS > 1 {
                    sums[n][r].add_halves(s, &halves[r][at], &inputs[n].halves[at]);
                } else {
                    sums[n][r].add_offsets(s, &rows[r][at].offsets, &inputs[n].stretches[at].sums);
                }
            }
        }
    }
    let mut totals = [[0.0; R]; N];
    for n in 0..N {
        for r in 0..R {
            totals[n][r] = sums[n][r].total(s);
        }
    }
    totals
}

/// Adds what a stretch has without offsets.
#[inline(always)]
fn add_stretch<const R: usize, const N: usize, const RUN: usize, S: WordLanes>(
    s: S,
    rows: &[&Unpacked; R],
    inputs: &[&Stretch; N],
    sums: &mut [[Sums<S>; R]; N],
) {
    let mut integers = [[s.no_integers(); R]; N];
    let mut parts = [[s.no_sums(); R]; N];
    // Written out: places in a stretch are then part of the instructions.
    macro_rules! units {
        ($($unit:literal)*) => {$(
            let mut words = [s.load_words(&rows[0].words[$unit]); R];
            for r in 1..R {
                words[r] = s.load_words(&rows[r].words[$unit]);
            }
            for n in 0..N {
                for r in 0..R {
                    integers[n][r] = s.kept(s.add_products(integers[n][r], words[r], &inputs[n].words[$unit]));
                }
            }
            if ($unit + 1) % RUN == 0 {
                for n in 0..N {
                    for r in 0..R {
                        let scale = rows[r].scales[$unit + 1 - RUN];
                        parts[n][r] = s.add_integers(parts[n][r], integers[n][r], scale);
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
        }
    }
}
