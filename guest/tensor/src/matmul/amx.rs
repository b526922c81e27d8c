//! Many inputs by tile registers: weights and inputs as pairs of BF16 halves, sums in f32.
//!
//! Some columns of a tile's rows are unpacked into second-level cache and multiplied with the same columns of all inputs,
//! thirty-two by thirty-two; sums wait in memory meanwhile. Columns of a row lie in pairs sixteen apart, and so do those of
//! inputs: that takes no shuffle.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::marker::PhantomData;
use core::ops::Range;

use super::Chunk;
use super::rows::unpack_row;
use super::tiles::Sizes;
use crate::lanes::{padded, write};
use crate::simd::{LINE_BYTES, Line, Op, Simd};
use crate::unpack::{ForFormat, Format, Sink, for_format};
use crate::x86::{Amx, Quad, Tiles};
use crate::{Team, for_each_chunk};

/// Rows, and inputs, of a product of tiles.
pub(super) const SIDE: usize = 32;
/// Most rows of a panel: inputs come from the third-level cache where they are long, once for all of them.
pub(super) const ROWS: usize = 128;
/// Most inputs taken at once.
pub(super) const INPUTS: usize = 128;
/// Columns of a quad.
const WIDTH: usize = 32;
/// Columns of a panel, whole blocks of every format: those of thirty-two rows stay in the first-level cache.
const DEPTH: usize = 256;
/// Rows that are asked for before they are unpacked.
const AHEAD: usize = 4;
/// Quads of thirty-two rows of a panel.
const QUADS: usize = DEPTH / WIDTH;

/// Inputs `[n, cols]` as halves: of each thirty-two inputs the quads of all columns. Zeros fill up the last.
#[derive(Debug, Default)]
pub(crate) struct Halves {
    /// Quads of thirty-two inputs.
    len: usize,
    quads: Vec<Quad>,
}

impl Halves {
    /// Keeps the halves of `x`, `[n, cols]` row-major, instead of what was kept. Allocates where there were never as many.
    pub(crate) fn set(&mut self, team: &Team<'_>, amx: Amx, x: &[f32], cols: usize) {
        self.len = cols.div_ceil(WIDTH);
        let quads = (x.len() / cols).div_ceil(SIDE) * self.len;
        self.quads.resize(quads.max(self.quads.len()), Quad::ZERO);
        let quads = &mut self.quads[..quads];
        for_each_chunk(
            team,
            quads,
            self.len,
            || (),
            |side, quads, ()| {
                let x = x.chunks(SIDE * cols).nth(side).unwrap_or_default();
                amx.avx512().enter(FillInputs { amx, x, cols, quads });
            },
        );
    }

    /// Some quads of thirty-two inputs, the `side`th.
    fn part(&self, side: usize, quads: Range<usize>) -> &[Quad] {
        &self.quads[side * self.len..][quads]
    }
}

/// Thirty-two inputs, or what is left of them, to quads.
struct FillInputs<'x, 'q> {
    amx: Amx,
    x: &'x [f32],
    cols: usize,
    quads: &'q mut [Quad],
}

impl Op for FillInputs<'_, '_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (number, quad) in self.quads.iter_mut().enumerate() {
            let [first, second, first_rest, second_rest] = &mut quad.0;
            for (side, [upper, lower]) in [[first, first_rest], [second, second_rest]].into_iter().enumerate()
            {
                let mut lines = [[Line::ZERO; 16]; 2];
                for (at, x) in self.x.chunks_exact(self.cols).skip(side * 16).take(16).enumerate() {
                    let columns = x.get(number * WIDTH..).unwrap_or_default();
                    let (even, odd) = columns.split_at(columns.len().min(16));
                    let odd = &odd[..odd.len().min(16)];
                    [lines[0][at], lines[1][at]] =
                        self.amx.split(&Line(padded(even, 0.0)), &Line(padded(odd, 0.0)));
                }
                s.transpose(&lines[0], upper, 1);
                s.transpose(&lines[1], lower, 1);
            }
        }
    }
}

/// Memory of one cpu for panels and sums.
pub(crate) struct Scratch {
    /// One row of a panel.
    row: Box<[Line; DEPTH / 16]>,
    /// Of each thirty-two rows.
    panel: Vec<[Quad; QUADS]>,
    /// Of each thirty-two rows those with each thirty-two inputs.
    sums: Vec<[Quad; INPUTS / SIDE]>,
}

impl Scratch {
    fn new() -> Self {
        Self {
            row: Box::new([Line::ZERO; DEPTH / 16]),
            panel: vec![[Quad::ZERO; QUADS]; ROWS / SIDE],
            sums: vec![[Quad::ZERO; INPUTS / SIDE]; ROWS / SIDE],
        }
    }
}

/// How large tiles are of `rows` and `inputs`.
pub(super) fn sizes(cpus: usize, inputs: usize, rows: usize) -> Sizes {
    let rows = rows.div_ceil(cpus * 4).next_multiple_of(SIDE).clamp(SIDE, ROWS);
    Sizes::Same { rows, inputs: inputs.next_multiple_of(SIDE).min(INPUTS) }
}

/// Computes a tile.
pub(super) fn compute(amx: Amx, mut chunk: Chunk<'_>, halves: &Halves, scratch: &mut Option<Scratch>) {
    let scratch = scratch.get_or_insert_with(Scratch::new);
    let tiles = amx.tiles();
    let cols = chunk.weights.cols();
    for start in (0..cols).step_by(DEPTH) {
        let columns = start..cols.min(start + DEPTH);
        let inputs = Slab::of(&chunk, &columns, halves);
        let sides = 0..chunk.tile.rows().len().div_ceil(SIDE);
        for side in sides.clone() {
            let columns = columns.clone();
            let fill = FillRows { amx, chunk: &chunk, side, columns, inputs: &inputs, scratch };
            for_format(chunk.weights.quant(), fill);
        }
        for side in sides {
            multiply(&tiles, &inputs, &scratch.panel[side], &mut scratch.sums[side], start == 0);
        }
    }
    drop(tiles);
    amx.avx512().enter(Write { chunk: &mut chunk, sums: &scratch.sums });
}

/// Unpacks some columns of a tile's rows into the panel.
struct FillRows<'c, 't> {
    amx: Amx,
    chunk: &'c Chunk<'t>,
    /// Which thirty-two rows.
    side: usize,
    columns: Range<usize>,
    /// What they will be multiplied with.
    inputs: &'c Slab<'c>,
    scratch: &'c mut Scratch,
}

impl ForFormat for FillRows<'_, '_> {
    fn run<F: Format<B>, const B: usize>(self) {
        self.amx.avx512().enter(FillRowsAs::<F, B> { fill: self, format: PhantomData });
    }
}

struct FillRowsAs<'c, 't, F, const B: usize> {
    fill: FillRows<'c, 't>,
    format: PhantomData<F>,
}

impl<F: Format<B>, const B: usize> Op for FillRowsAs<'_, '_, F, B> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let FillRows { amx, chunk, side, columns, inputs, scratch: Scratch { row, panel, .. } } = self.fill;
        let (all, elements) = (chunk.tile.rows(), F::UNITS * 16);
        if columns.len() < DEPTH {
            **row = [Line::ZERO; DEPTH / 16];
        }
        for r in 0..SIDE {
            if side == 0 {
                inputs.prefetch(s, r, SIDE);
            }
            // Rows beyond the last repeat it; their products are not written.
            let row_of = |r: usize| chunk.weights.row((all.start + side * SIDE + r).min(all.end - 1));
            for line in (0..DEPTH / elements * B + LINE_BYTES).step_by(LINE_BYTES) {
                s.prefetch(row_of(r + AHEAD), columns.start / elements * B + line);
            }
            unpack_row::<F, B, S>(s, row_of(r), &columns, &mut Units(&mut **row));
            for (quad, [even, odd]) in panel[side].iter_mut().zip(row.as_chunks().0) {
                let [upper, lower] = amx.split(even, odd);
                quad.0[r / 16][r % 16] = upper;
                quad.0[2 + r / 16][r % 16] = lower;
            }
        }
    }
}

/// Keeps units in turn.
struct Units<'r>(&'r mut [Line]);

impl<S: Simd> Sink<S> for Units<'_> {
    #[inline(always)]
    fn take(&mut self, s: S, unit: usize, value: S::V) {
        s.store(value, &mut self.0[unit].0);
    }
}

/// Some columns of the inputs of a tile: of each thirty-two, and no quads where there are fewer.
struct Slab<'h>([&'h [Quad]; INPUTS / SIDE]);

impl<'h> Slab<'h> {
    fn of(chunk: &Chunk<'_>, columns: &Range<usize>, halves: &'h Halves) -> Self {
        let (inputs, quads) = (chunk.tile.inputs(), columns.start / WIDTH..columns.end.div_ceil(WIDTH));
        let part =
            |at| (at * SIDE < inputs.len()).then(|| halves.part(inputs.start / SIDE + at, quads.clone()));
        Self(core::array::from_fn(|at| part(at).unwrap_or_default()))
    }

    /// Asks for the `part`th of so many `parts`.
    #[inline(always)]
    fn prefetch<S: Simd>(&self, s: S, part: usize, parts: usize) {
        for quads in &self.0 {
            let bytes = size_of_val(*quads);
            let each = (bytes / parts).next_multiple_of(LINE_BYTES);
            for at in (part * each..bytes.min((part + 1) * each)).step_by(LINE_BYTES) {
                s.prefetch(quads, at);
            }
        }
    }
}

/// The panel times the inputs of the tile.
fn multiply(tiles: &Tiles, inputs: &Slab<'_>, panel: &[Quad], sums: &mut [Quad], is_first: bool) {
    for (inputs, sums) in inputs.0.iter().zip(sums).filter(|(inputs, _)| !inputs.is_empty()) {
        tiles.multiply(&panel[..inputs.len()], inputs, sums, is_first);
    }
}

/// Writes the sums of a tile.
struct Write<'c, 't> {
    chunk: &'c mut Chunk<'t>,
    sums: &'c [[Quad; INPUTS / SIDE]],
}

impl Op for Write<'_, '_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (rows, inputs) = (self.chunk.tile.rows(), self.chunk.tile.inputs());
        for (at, first) in inputs.clone().step_by(16).enumerate() {
            for (side, start) in rows.clone().step_by(16).enumerate() {
                let mut columns = [Line::ZERO; 16];
                s.transpose(&self.sums[side / 2][at / 2].0[side % 2 * 2 + at % 2], &mut columns, 1);
                for (input, column) in (first..inputs.end).zip(&columns) {
                    let out = self.chunk.tile.part(input, start..rows.end.min(start + 16));
                    write(s, s.load(&column.0), out, false);
                }
            }
        }
    }
}
