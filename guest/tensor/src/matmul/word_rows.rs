//! Several inputs, as words whose units share scales: rows unpacked once into cache, then a register-blocked product.
//!
//! Every product is computed as [`super::words`] does, bit for bit.

use alloc::boxed::Box;
use alloc::vec;
use core::marker::PhantomData;
use core::ops::Range;

use super::Chunk;
use super::panel::ROWS;
use super::words::{DEPTH, Sums, prefetch};
use crate::simd::{Op, Registers, Simd};
use crate::words::{
    ForWords, Numbers, STRETCH, Stretch, UNIT, WordFormat, WordLanes, Words, for_shared_scales,
};

/// Most inputs and rows taken at once, as registers allow.
const INPUTS: usize = 4;
const PAIR: usize = 2;
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
pub(super) struct Scratch(Box<[[Unpacked; DEPTH]]>);

impl Scratch {
    pub(super) fn new() -> Self {
        let zero = Unpacked { words: [[0; UNIT]; STRETCH], scales: [0.0; STRETCH], offsets: [0.0; STRETCH] };
        Self(vec![[zero; DEPTH]; ROWS].into_boxed_slice())
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
        // A format of another kind needs a line of its own below.
        const { assert!(F::RUN == if F::HAS_OFFSETS { STRETCH } else { STRETCH / 2 }) };
        let Self { s, mut chunk, words, scratch: Scratch(panel) } = self;
        let (all, stretches) = (chunk.tile.rows(), words.input(0).len());
        let taken = if chunk.tile.inputs().len() <= FEW { PAIR } else { ROWS };
        for row in all.clone().step_by(taken) {
            for start in (0..stretches).step_by(DEPTH) {
                let part = Part {
                    rows: row..all.end.min(row + taken),
                    stretches: start..stretches.min(start + DEPTH),
                };
                s.enter(Fill::<F, B, K> { chunk: &chunk, part: &part, panel, format: PhantomData });
                let mut multiply = Multiply { chunk: &mut chunk, words, part, panel };
                if F::HAS_OFFSETS {
                    multiply.all::<S, STRETCH, true>(s);
                } else {
                    multiply.all::<S, { STRETCH / 2 }, false>(s);
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
    panel: &'c mut [[Unpacked; DEPTH]],
    format: PhantomData<F>,
}

impl<F: WordFormat<B, K>, const B: usize, const K: usize> Op for Fill<'_, '_, F, B, K> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (Self { chunk, part, panel, .. }, s) = (self, s.words());
        for (row, to) in part.rows.clone().zip(panel) {
            let blocks = chunk.weights.row(row).as_chunks::<B>().0.as_chunks::<K>().0;
            for (at, to) in part.stretches.clone().zip(to) {
                prefetch(s, &blocks[at]);
                unpack::<F, B, K, _>(s, &blocks[at], to);
            }
        }
    }
}

#[inline(always)]
fn unpack<F: WordFormat<B, K>, const B: usize, const K: usize, S: WordLanes>(
    s: S,
    blocks: &[[u8; B]; K],
    to: &mut Unpacked,
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
    (to.scales, to.offsets) = (numbers.scales, numbers.offsets);
}

/// The panel times the inputs of the tile.
struct Multiply<'c, 't> {
    chunk: &'c mut Chunk<'t>,
    words: &'c Words,
    part: Part,
    panel: &'c [[Unpacked; DEPTH]],
}

impl Multiply<'_, '_> {
    /// `RUN`, `OFFSETS`: of the format.
    fn all<S: WordLanes, const RUN: usize, const OFFSETS: bool>(&mut self, s: S) {
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
    fn inputs<S: WordLanes, const N: usize, const RUN: usize, const OFFSETS: bool>(
        &mut self,
        s: S,
        input: usize,
    ) -> usize {
        s.enter(Block::<N, RUN, OFFSETS> { multiply: self, input });
        N
    }
}

/// All rows of a panel times `N` inputs from `input` on.
struct Block<'m, 'c, 't, const N: usize, const RUN: usize, const OFFSETS: bool> {
    multiply: &'m mut Multiply<'c, 't>,
    input: usize,
}

impl<const N: usize, const RUN: usize, const OFFSETS: bool> Op for Block<'_, '_, '_, N, RUN, OFFSETS> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (Self { multiply: Multiply { chunk, words, part, panel }, input }, s) = (self, s.words());
        let Part { rows, stretches } = part;
        let inputs: [_; N] = core::array::from_fn(|n| &words.input(input + n)[stretches.clone()]);
        let mut row = rows.start;
        while row < rows.end {
            let lines = &panel[row - rows.start..];
            let is_later = stretches.start > 0;
            row += if rows.end - row >= PAIR {
                let sums = products::<PAIR, N, RUN, OFFSETS, _>(s, [&lines[0], &lines[1]], &inputs);
                write(chunk, row, input, &sums, is_later)
            } else {
                let sums = products::<1, N, RUN, OFFSETS, _>(s, [&lines[0]], &inputs);
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
fn products<const R: usize, const N: usize, const RUN: usize, const OFFSETS: bool, S: WordLanes>(
    s: S,
    rows: [&[Unpacked; DEPTH]; R],
    inputs: &[&[Stretch]; N],
) -> [[f32; R]; N] {
    let depth = inputs[0].len().min(DEPTH);
    let mut sums = [[Sums::new(s); R]; N];
    for at in 0..depth {
        let lines = core::array::from_fn(|r| &rows[r][at]);
        let x = core::array::from_fn(|n| &inputs[n][at]);
        add_stretch::<R, N, RUN, S>(s, &lines, &x, &mut sums);
    }
    for at in 0..if OFFSETS { depth } else { 0 } {
        for n in 0..N {
            for r in 0..R {
                sums[n][r].add_offsets(s, &rows[r][at].offsets, &inputs[n][at]);
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
