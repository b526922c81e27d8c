//! Few inputs, as planes of bytes: weights that are nibbles are multiplied as they lie, with the upper and the lower bytes of
//! words.
//!
//! A register of bytes holds twice the weights of one of words, and a product of bytes sums up four of them in a lane, so that
//! what a scale costs is shared by more. Sums of words and nibbles are the same integers as [`super::words`] has.
//!
//! A product of a row and an input is computed in one order of operations, however many are computed beside it.

mod inputs;

pub(crate) use self::inputs::{Fill, GROUP, Group, Planes};
use super::Chunk;
use super::words::prefetch;
use crate::Quant;
use crate::simd::{Op, Simd};
use crate::x86::Avx512;

/// Most inputs computed side by side.
const INPUTS: usize = 4;
/// Rows computed side by side for one input: they share what is read of it, and steps in which lanes are summed up.
const ROWS: usize = 4;
/// Groups from which on rows are computed one after the other: memory gives less of several at a distance.
const FAR: usize = 16;

/// Whether weights of the format are nibbles with a scale for each 32.
pub(super) const fn has_planes(quant: Quant) -> bool {
    matches!(quant, Quant::Q4_0 | Quant::Q4_1)
}

/// Computes a tile.
pub(super) fn compute(s: Avx512, chunk: Chunk<'_>, planes: &Planes) {
    let quant = chunk.weights.quant();
    let tile = Tile { s, chunk, planes };
    match quant {
        Quant::Q4_0 => tile.all::<18>(),
        Quant::Q4_1 => tile.all::<20>(),
        _ => unreachable!("{quant} is not nibbles"),
    }
}

struct Tile<'t> {
    s: Avx512,
    chunk: Chunk<'t>,
    planes: &'t Planes,
}

impl Tile<'_> {
    /// Blocks are of `B` bytes.
    fn all<const B: usize>(mut self) {
        let mut inputs = self.chunk.tile.inputs();
        while let left @ 1.. = inputs.len() {
            inputs.start += match left {
                INPUTS.. => self.some::<B, INPUTS>(inputs.start),
                2.. => self.some::<B, 2>(inputs.start),
                _ => self.some::<B, 1>(inputs.start),
            };
        }
    }

    /// `N` inputs from `input` on; gives `N`.
    fn some<const B: usize, const N: usize>(&mut self, input: usize) -> usize {
        let Self { s, chunk, planes } = self;
        s.enter(Rows::<B, N> { s: *s, chunk, planes, input });
        N
    }
}

/// All rows of a tile times `N` inputs from `input` on.
struct Rows<'c, 't, const B: usize, const N: usize> {
    s: Avx512,
    chunk: &'c mut Chunk<'t>,
    planes: &'t Planes,
    input: usize,
}

impl<const B: usize, const N: usize> Op for Rows<'_, '_, B, N> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { s, chunk, planes, input } = self;
        let inputs: [_; N] = core::array::from_fn(|n| planes.input(input + n));
        let rows = chunk.tile.rows();
        let mut row = rows.start;
        while row < rows.end {
            row += if N == 1 && inputs[0].len() < FAR && row + ROWS <= rows.end {
                some_rows::<B, ROWS, N>(s, chunk, &inputs, row, input)
            } else {
                some_rows::<B, 1, N>(s, chunk, &inputs, row, input)
            };
        }
    }
}

/// Writes the products of `R` rows; gives `R`.
#[inline(always)]
fn some_rows<const B: usize, const R: usize, const N: usize>(
    s: Avx512,
    chunk: &mut Chunk<'_>,
    inputs: &[&[Group]; N],
    row: usize,
    input: usize,
) -> usize {
    let rows: [_; R] = core::array::from_fn(|r| chunk.weights.row(row + r).as_chunks().0);
    let sums = dot::<B, R, N>(s, &rows, inputs);
    let mut four = [s.splat(0.0); 4];
    for (to, sums) in four.iter_mut().zip(sums.as_flattened()) {
        *to = *sums;
    }
    let totals = s.sums(four);
    for n in 0..N {
        chunk.tile.part(input + n, row..row + R).copy_from_slice(&totals[n * R..][..R]);
    }
    R
}

/// What `R` rows and `N` inputs have, in lanes.
#[inline(always)]
fn dot<const B: usize, const R: usize, const N: usize>(
    s: Avx512,
    rows: &[&[[u8; B]]; R],
    inputs: &[&[Group]; N],
) -> [[<Avx512 as Simd>::V; R]; N] {
    let mut sums = [[s.splat(0.0); R]; N];
    let parts = rows.map(|row| row.as_chunks::<GROUP>());
    let whole = parts[0].0.len();
    for at in 0..whole {
        let x = inputs.each_ref().map(|input| &input[at]);
        for r in 0..R {
            prefetch(s, &parts[r].0[at]);
            let blocks = s.four_blocks(&parts[r].0[at]);
            for n in 0..N {
                sums[n][r] = s.add_blocks::<B>(sums[n][r], &blocks, x[n]);
            }
        }
    }
    if !parts[0].1.is_empty() {
        for r in 0..R {
            let blocks = s.some_blocks(parts[r].1);
            for n in 0..N {
                sums[n][r] = s.add_blocks::<B>(sums[n][r], &blocks, &inputs[n][whole]);
            }
        }
    }
    sums
}
