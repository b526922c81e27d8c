//! Many inputs, as words: rows unpacked once into a panel of words, then a register-blocked product.
//!
//! A panel holds [`ROWS`] rows of two stretches. Words lie in pairs, a pair of sixteen rows side by side, so that one
//! register holds pairs of several rows and a pair of an input is broadcast: sums need no joining of lanes. This is for
//! formats with a scale for each unit: one scaling is for eight rows, and unpacking pays off with many inputs only.

use alloc::boxed::Box;
use alloc::vec;
use core::marker::PhantomData;
use core::ops::Range;

use super::Chunk;
use super::panel::{ROWS, like_share};
use crate::lanes::write;
use crate::simd::{Line, Op, Registers, Simd, Unit};
use crate::words::{
    ForWords, Numbers, PAIRS, STRETCH, Stretch, UNIT, WordFormat, WordLanes, Words, for_unit_scales,
};

/// Inputs taken at once by the widest kernel.
const INPUTS: usize = 6;
/// Groups of sixteen rows.
const GROUPS: usize = ROWS / 16;
/// Stretches of a panel: those of sixteen rows stay in the first-level cache.
const DEPTH: usize = 2;

/// A stretch of sixteen rows.
#[derive(Clone, Copy)]
struct Sixteen {
    /// Pairs of words of each unit, as the bits of floats.
    words: [[Line; PAIRS]; STRETCH],
    /// Of each unit the scales of the rows, then their offsets.
    numbers: [Line; 2 * STRETCH],
}

/// Memory of one cpu for panels of words.
pub(super) struct Scratch {
    /// Sixteen unpacked rows of a stretch: each unit, then the numbers.
    rows: Box<[[Line; 16]; STRETCH + 1]>,
    panel: Box<[[Sixteen; DEPTH]]>,
}

impl Scratch {
    pub(super) fn new() -> Self {
        let sixteen = Sixteen { words: [[Line::ZERO; PAIRS]; STRETCH], numbers: [Line::ZERO; 16] };
        Self {
            rows: Box::new([[Line::ZERO; 16]; STRETCH + 1]),
            panel: vec![[sixteen; DEPTH]; GROUPS].into_boxed_slice(),
        }
    }
}

/// Computes a tile.
pub(super) fn compute<S: WordLanes>(s: S, chunk: Chunk<'_>, words: &Words, scratch: &mut Scratch) {
    for_unit_scales(chunk.weights.quant(), Tile { s, chunk, words, scratch });
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
        let stretches = words.input(0).stretches.len();
        for start in (0..stretches).step_by(DEPTH) {
            let stretches = start..stretches.min(start + DEPTH);
            s.enter(Fill::<F, B, K> {
                chunk: &chunk,
                stretches: stretches.clone(),
                scratch,
                format: PhantomData,
            });
            Multiply { chunk: &mut chunk, words, stretches, panel: &scratch.panel }.all(s);
        }
    }
}

/// Unpacks some stretches of a tile's rows into the panel.
struct Fill<'c, 't, F, const B: usize, const K: usize> {
    chunk: &'c Chunk<'t>,
    stretches: Range<usize>,
    scratch: &'c mut Scratch,
    format: PhantomData<F>,
}

impl<F: WordFormat<B, K>, const B: usize, const K: usize> Op for Fill<'_, '_, F, B, K> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (Self { chunk, stretches, scratch: Scratch { rows, panel }, .. }, s) = (self, s.words());
        let all = chunk.tile.rows();
        for (group, start) in panel.iter_mut().zip(all.clone().step_by(16)) {
            for (sixteen, stretch) in group.iter_mut().zip(stretches.clone()) {
                for r in 0..16 {
                    // Rows beyond the last repeat it; their products are not written.
                    let row = chunk.weights.row((start + r).min(all.end - 1));
                    unpack::<F, B, K, _>(s, row, stretch, rows, r);
                }
                for (unit, words) in sixteen.words.iter_mut().enumerate() {
                    s.transpose(&rows[unit], words, 1);
                }
                s.transpose(&rows[STRETCH], &mut sixteen.numbers, 1);
            }
        }
    }
}

/// Writes stretch `stretch` of a row, and its numbers, to row `r` of `rows`.
#[inline(always)]
fn unpack<F: WordFormat<B, K>, const B: usize, const K: usize, S: WordLanes>(
    s: S,
    row: &[u8],
    stretch: usize,
    rows: &mut [[Line; 16]; STRETCH + 1],
    r: usize,
) {
    let (stretches, rest) = row.as_chunks::<B>().0.as_chunks::<K>();
    let mut numbers = Numbers::ZERO;
    if let Some(blocks) = stretches.get(stretch) {
        F::numbers(s, blocks, &mut numbers);
        macro_rules! units {
            ($($unit:literal)*) => {$(
                s.store(s.word_bits(F::words(s, blocks, $unit)), &mut rows[$unit][r].0);
            )*};
        }
        units!(0 1 2 3 4 5 6 7);
    } else {
        // Units beyond the last have old words, and no scale.
        for (unit, block) in rest.iter().enumerate() {
            let (pair, words) = F::single(s, block);
            s.store(s.word_bits(words), &mut rows[unit][r].0);
            [numbers.scales[unit], numbers.offsets[0][unit]] = pair;
        }
    }
    let (scales, offsets) = rows[STRETCH][r].0.split_at_mut(STRETCH);
    scales.copy_from_slice(&numbers.scales);
    offsets.copy_from_slice(&numbers.offsets[0]);
}

/// The panel times the inputs of the tile.
struct Multiply<'c, 't> {
    chunk: &'c mut Chunk<'t>,
    words: &'c Words,
    stretches: Range<usize>,
    panel: &'c [[Sixteen; DEPTH]],
}

impl Multiply<'_, '_> {
    /// All inputs, as equal in number as can be; each block of them is in the first-level cache while all groups of rows
    /// pass.
    fn all<S: WordLanes>(mut self, s: S) {
        let most = if S::REGISTERS == Registers::None { 1 } else { INPUTS };
        let mut inputs = self.chunk.tile.inputs();
        while let left @ 1.. = inputs.len() {
            let taken = like_share(left, most);
            for group in 0..self.chunk.tile.rows().len().div_ceil(16) {
                self.block(s, group, inputs.start, taken);
            }
            inputs.start += taken;
        }
    }

    fn block<S: WordLanes>(&mut self, s: S, group: usize, input: usize, inputs: usize) {
        match inputs {
            1 => s.enter(Block::<1> { multiply: self, group, input }),
            2 => s.enter(Block::<2> { multiply: self, group, input }),
            3 => s.enter(Block::<3> { multiply: self, group, input }),
            4 => s.enter(Block::<4> { multiply: self, group, input }),
            5 => s.enter(Block::<5> { multiply: self, group, input }),
            _ => s.enter(Block::<INPUTS> { multiply: self, group, input }),
        }
    }
}

/// Sixteen rows from group `group` on times `N` inputs from `input` on.
struct Block<'m, 'c, 't, const N: usize> {
    multiply: &'m mut Multiply<'c, 't>,
    group: usize,
    input: usize,
}

impl<const N: usize> Op for Block<'_, '_, '_, N> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (Self { multiply: Multiply { chunk, words, stretches, panel }, group, input }, s) =
            (self, s.words());
        // In memory: the sums of a unit's integers take up the registers.
        let mut sums = [[0.0; 16]; N];
        for (sixteen, stretch) in panel[group].iter().zip(stretches.clone()) {
            let mut inputs = [&words.input(input).stretches[stretch]; N];
            for (n, slot) in inputs.iter_mut().enumerate() {
                *slot = &words.input(input + n).stretches[stretch];
            }
            let mut parts = [[0.0; 16]; N];
            let units = chunk.weights.cols() / UNIT - stretch * STRETCH;
            for unit in 0..units.min(STRETCH) {
                add_unit::<N, _>(s, sixteen, &inputs, unit, &mut parts);
            }
            for n in 0..N {
                close(s, sixteen, inputs[n], &parts[n], &mut sums[n]);
            }
        }
        let rows = chunk.tile.rows();
        let start = rows.start + group * 16;
        for (n, sums) in sums.iter().enumerate() {
            let out = chunk.tile.part(input + n, start..rows.end.min(start + 16));
            write(s, s.load(sums), out, stretches.start > 0);
        }
    }
}

/// Words two by two, as they are broadcast.
#[inline(always)]
fn pairs(words: &[i16; UNIT]) -> &[[i16; 2]; PAIRS] {
    match words.as_chunks().0.as_array() {
        Some(pairs) => pairs,
        None => unreachable!("a unit is whole pairs"),
    }
}

/// Adds the products of a unit.
#[inline(always)]
fn add_unit<const N: usize, S: WordLanes>(
    s: S,
    sixteen: &Sixteen,
    inputs: &[&Stretch; N],
    unit: usize,
    parts: &mut [Unit; N],
) {
    let mut integers = [s.no_pairs(); N];
    let mut x = [&[[0; 2]; PAIRS]; N];
    for (x, input) in x.iter_mut().zip(inputs) {
        *x = pairs(&input.words[unit]);
    }
    for (pair, rows) in sixteen.words[unit].iter().enumerate() {
        let rows = s.load_pairs(&rows.0);
        for n in 0..N {
            integers[n] = s.kept_pairs(s.add_pairs(integers[n], rows, s.splat_pair(&x[n][pair])));
        }
    }
    let scales = s.load(&sixteen.numbers[unit].0);
    for n in 0..N {
        s.store(s.fma(s.float(integers[n]), scales, s.load(&parts[n])), &mut parts[n]);
    }
}

/// Adds what a stretch has, by the scale of the input, and its offsets.
#[inline(always)]
fn close<S: WordLanes>(s: S, sixteen: &Sixteen, input: &Stretch, part: &Unit, sums: &mut Unit) {
    let mut total = s.fma(s.load(part), s.splat(input.scale), s.load(sums));
    for (unit, sum) in input.sums.iter().enumerate() {
        total = s.fma(s.load(&sixteen.numbers[STRETCH + unit].0), s.splat(*sum), total);
    }
    s.store(total, sums);
}
