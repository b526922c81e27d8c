//! Many inputs, as floats: rows unpacked once into a panel, then a register-blocked product.
//!
//! A panel holds [`ROWS`] rows of at most [`DEPTH`] columns, column by column, so that one register holds
//! sixteen rows of one column and inputs are broadcast. Sums therefore need no joining of lanes.

use alloc::boxed::Box;
use alloc::vec;
use core::marker::PhantomData;
use core::ops::Range;

use super::rows::unpack_row;
use super::{Chunk, word_panel, word_rows, words};
use crate::lanes::write;
use crate::simd::{Line, Op, Registers, Simd};
use crate::unpack::{ForFormat, Format, Sink, for_float_format, for_format};

/// Rows of a panel.
pub(super) const ROWS: usize = WIDTH * 16;
/// Inputs taken at once by the widest kernel.
pub(super) const INPUTS: usize = 8;
/// Units of sixteen rows.
const WIDTH: usize = 3;
/// Most columns of a panel: whole blocks of every format; a panel of 144 KiB stays in the second-level cache.
const DEPTH: usize = 768;
/// Columns unpacked before they are transposed: whole blocks of every format, and sixteen rows of them stay in the
/// first-level cache.
const STEP: usize = 256;
/// Units of a step.
const UNITS: usize = STEP / 16;

/// Memory of one cpu for panels.
pub(crate) struct Scratch {
    /// Some columns of sixteen rows.
    rows: Box<[[Line; 16]; UNITS]>,
    /// `[DEPTH][WIDTH]`.
    panel: Box<[[Line; WIDTH]]>,
    pub(super) numbers: words::Scratch,
    pub(super) words: word_panel::Scratch,
    pub(super) word_rows: word_rows::Scratch,
    /// Made when first used: few machines have tiles.
    #[cfg(target_arch = "x86_64")]
    pub(super) amx: Option<super::amx::Scratch>,
    #[cfg(target_arch = "x86_64")]
    pub(super) bytes: Option<Box<super::bytes::Scratch>>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self {
            rows: Box::new([[Line::ZERO; 16]; UNITS]),
            panel: vec![[Line::ZERO; WIDTH]; DEPTH].into_boxed_slice(),
            numbers: words::Scratch::new(),
            words: word_panel::Scratch::new(),
            word_rows: word_rows::Scratch::new(),
            #[cfg(target_arch = "x86_64")]
            amx: None,
            #[cfg(target_arch = "x86_64")]
            bytes: None,
        }
    }
}

/// Computes a tile.
pub(super) fn compute<S: Simd>(s: S, mut chunk: Chunk<'_>, scratch: &mut Scratch) {
    let cols = chunk.weights.cols();
    for start in (0..cols).step_by(DEPTH) {
        let columns = start..cols.min(start + DEPTH);
        let fill = Fill { s, chunk: &chunk, columns: columns.clone(), scratch };
        match S::REGISTERS {
            Registers::Many => for_format(chunk.weights.quant(), fill),
            // Other formats have panels of words.
            Registers::Few | Registers::None => for_float_format(chunk.weights.quant(), fill),
        }
        Multiply { chunk: &mut chunk, columns, panel: &scratch.panel }.all(s);
    }
}

/// Unpacks some columns of a tile's rows into the panel.
struct Fill<'c, 't, S> {
    s: S,
    chunk: &'c Chunk<'t>,
    columns: Range<usize>,
    scratch: &'c mut Scratch,
}

impl<S: Simd> ForFormat for Fill<'_, '_, S> {
    fn run<F: Format<B>, const B: usize>(self) {
        let Self { s, chunk, columns, scratch } = self;
        s.enter(FillAs::<F, B> { chunk, columns, scratch, format: PhantomData });
    }
}

struct FillAs<'c, 't, F, const B: usize> {
    chunk: &'c Chunk<'t>,
    columns: Range<usize>,
    scratch: &'c mut Scratch,
    format: PhantomData<F>,
}

impl<F: Format<B>, const B: usize> Op for FillAs<'_, '_, F, B> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { chunk, columns, scratch: Scratch { rows, panel, .. }, .. } = self;
        let all = chunk.tile.rows();
        let panel = panel.as_flattened_mut();
        for (group, start) in all.clone().step_by(16).enumerate() {
            for first in columns.clone().step_by(STEP) {
                let step = first..columns.end.min(first + STEP);
                for r in 0..16 {
                    // Rows beyond the last repeat it; their products are not written.
                    let bytes = chunk.weights.row((start + r).min(all.end - 1));
                    let mut spread = Spread { rows: rows.as_mut_slice(), row: r };
                    unpack_row::<F, B, S>(s, bytes, &step, &mut spread);
                }
                let first = first - columns.start;
                for (unit, rows) in rows[..step.len().div_ceil(16)].iter().enumerate() {
                    s.transpose(rows, &mut panel[(first + unit * 16) * WIDTH + group..], WIDTH);
                }
            }
        }
    }
}

/// Writes the units of one row where the transposition reads them.
struct Spread<'r> {
    rows: &'r mut [[Line; 16]],
    row: usize,
}

impl<S: Simd> Sink<S> for Spread<'_> {
    #[inline(always)]
    fn take(&mut self, s: S, unit: usize, value: S::V) {
        s.store(value, &mut self.rows[unit][self.row].0);
    }
}

/// The panel times the inputs of the tile.
struct Multiply<'c, 't> {
    chunk: &'c mut Chunk<'t>,
    columns: Range<usize>,
    panel: &'c [[Line; WIDTH]],
}

impl Multiply<'_, '_> {
    /// Full panels by the widest kernel the registers hold, others in units of sixteen rows.
    fn all<S: Simd>(mut self, s: S) {
        let is_full = self.chunk.tile.rows().len() == ROWS;
        let groups = self.chunk.tile.rows().len().div_ceil(16);
        match S::REGISTERS {
            Registers::Many if is_full => self.inputs::<S, WIDTH, INPUTS>(s, 0..1),
            Registers::Many => self.inputs::<S, 1, INPUTS>(s, 0..groups),
            Registers::Few => self.inputs::<S, 1, 6>(s, 0..groups),
            Registers::None => self.inputs::<S, 1, 2>(s, 0..groups),
        }
    }

    /// All inputs, at most `N` at a time and as equal in number as can be: with few, products wait for each other.
    fn inputs<S: Simd, const W: usize, const N: usize>(&mut self, s: S, groups: Range<usize>) {
        let mut inputs = self.chunk.tile.inputs();
        while let left @ 1.. = inputs.len() {
            let taken = like_share(left, N);
            for group in groups.clone() {
                self.block::<S, W>(s, group, inputs.start, taken);
            }
            inputs.start += taken;
        }
    }

    fn block<S: Simd, const W: usize>(&mut self, s: S, group: usize, input: usize, inputs: usize) {
        match inputs {
            1 => s.enter(Block::<W, 1> { multiply: self, group, input }),
            2 => s.enter(Block::<W, 2> { multiply: self, group, input }),
            3 => s.enter(Block::<W, 3> { multiply: self, group, input }),
            4 => s.enter(Block::<W, 4> { multiply: self, group, input }),
            5 => s.enter(Block::<W, 5> { multiply: self, group, input }),
            6 => s.enter(Block::<W, 6> { multiply: self, group, input }),
            7 => s.enter(Block::<W, 7> { multiply: self, group, input }),
            _ => s.enter(Block::<W, INPUTS> { multiply: self, group, input }),
        }
    }
}

/// `W` units of rows from unit `group` on, times `N` inputs from `input` on.
struct Block<'m, 'c, 't, const W: usize, const N: usize> {
    multiply: &'m mut Multiply<'c, 't>,
    group: usize,
    input: usize,
}

impl<const W: usize, const N: usize> Op for Block<'_, '_, '_, W, N> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { multiply: Multiply { chunk, columns, panel }, group, input } = self;
        let depth = columns.len();
        let mut inputs = [[].as_slice(); N];
        for (n, slot) in inputs.iter_mut().enumerate() {
            *slot = &chunk.input(input + n)[columns.clone()][..depth];
        }
        let mut sums = [[s.splat(0.0); W]; N];
        for (column, lanes) in panel[..depth].iter().enumerate() {
            let mut rows = [s.splat(0.0); W];
            for (w, rows) in rows.iter_mut().enumerate() {
                *rows = s.load(&lanes[group + w].0);
            }
            for n in 0..N {
                let x = s.splat(inputs[n][column]);
                for w in 0..W {
                    sums[n][w] = s.fma(x, rows[w], sums[n][w]);
                }
            }
        }
        for (n, sums) in sums.iter().enumerate() {
            for (w, sum) in sums.iter().enumerate() {
                let rows = chunk.tile.rows();
                let start = rows.start + (group + w) * 16;
                let out = chunk.tile.part(input + n, start..rows.end.min(start + 16));
                write(s, *sum, out, columns.start > 0);
            }
        }
    }
}

/// The first of as few shares of `left` as hold at most `most` each, when all are as equal as can be.
pub(super) fn like_share(left: usize, most: usize) -> usize {
    left.div_ceil(left.div_ceil(most))
}

#[cfg(test)]
mod tests {
    use super::like_share;

    #[test]
    fn shares_differ_by_one_at_most() {
        for (all, expected) in [(1, &[1][..]), (6, &[6]), (9, &[5, 4]), (13, &[5, 4, 4]), (17, &[6, 6, 5])] {
            let (mut left, mut found) = (all, alloc::vec::Vec::new());
            while left > 0 {
                found.push(like_share(left, 6));
                left -= found[found.len() - 1];
            }
            assert_eq!(found, expected, "{all}");
        }
    }
}
