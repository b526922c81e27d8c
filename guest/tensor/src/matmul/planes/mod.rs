//! Few inputs, as planes of bytes: weights of few bits are multiplied as bytes, with the upper and the lower bytes of words.
//!
//! A register of bytes holds twice the weights of one of words, and a product of bytes sums up four of them in a lane, so that
//! what a scale costs is shared by more. Sums of words and weights are the same integers as [`super::words`] has.
//!
//! A product of a row and an input is computed in one order of operations, however many are computed beside it.

mod inputs;
mod nibbles;
mod wholes;

use core::marker::PhantomData;

pub(super) use self::inputs::bytes_of;
pub(crate) use self::inputs::{Fill, GROUP, Group, Planes, Whole};
use self::nibbles::Nibbles;
use self::wholes::Wholes;
pub(super) use self::wholes::{FiveBits, FourBits, SixBits, WholeFormat};
use super::Chunk;
use crate::Quant;
use crate::simd::{Op, Simd};
use crate::x86::Avx512;

/// Most inputs computed side by side.
const INPUTS: usize = 4;
/// Rows computed side by side for one input: they share what is read of it, and steps in which lanes are summed up.
const ROWS: usize = 4;

/// Lanes that a row and an input have.
type Lanes = <Avx512 as Simd>::V;

/// How rows of a format are multiplied.
trait Format {
    /// What inputs are made of.
    type Part;

    /// Input `number`.
    fn input(planes: &Planes, number: usize) -> &[Self::Part];
    /// Whether so few parts are in a row that several rows are computed side by side: memory gives less of several at a
    /// distance.
    fn is_short(parts: usize) -> bool;
    /// What `R` rows and `N` inputs have.
    fn dot<const R: usize, const N: usize>(
        s: Avx512,
        rows: &[&[u8]; R],
        inputs: &[&[Self::Part]; N],
    ) -> [[Lanes; R]; N];
}

/// Whether weights of the format are nibbles with a scale for each 32.
const fn has_nibbles(quant: Quant) -> bool {
    matches!(quant, Quant::Q4_0 | Quant::Q4_1)
}

/// Whether weights of the format are few bits in blocks of 256.
const fn has_wholes(quant: Quant) -> bool {
    matches!(quant, Quant::Q4_K | Quant::Q5_K | Quant::Q6_K)
}

/// Whether the format is multiplied here.
pub(super) const fn has_planes(quant: Quant) -> bool {
    has_nibbles(quant) || has_wholes(quant)
}

/// Computes a tile.
pub(super) fn compute(s: Avx512, chunk: Chunk<'_>, planes: &Planes) {
    let quant = chunk.weights.quant();
    let tile = Tile { s, chunk, planes };
    match quant {
        Quant::Q4_0 => tile.all::<Nibbles<18>>(),
        Quant::Q4_1 => tile.all::<Nibbles<20>>(),
        Quant::Q4_K => tile.all::<Wholes<FourBits, 144>>(),
        Quant::Q5_K => tile.all::<Wholes<FiveBits, 176>>(),
        Quant::Q6_K => tile.all::<Wholes<SixBits, 210>>(),
        _ => unreachable!("{quant} is not multiplied as bytes"),
    }
}

struct Tile<'t> {
    s: Avx512,
    chunk: Chunk<'t>,
    planes: &'t Planes,
}

impl Tile<'_> {
    fn all<F: Format>(mut self) {
        let mut inputs = self.chunk.tile.inputs();
        while let left @ 1.. = inputs.len() {
            inputs.start += match left {
                INPUTS.. => self.some::<F, INPUTS>(inputs.start),
                2.. => self.some::<F, 2>(inputs.start),
                _ => self.some::<F, 1>(inputs.start),
            };
        }
    }

    /// `N` inputs from `input` on; gives `N`.
    fn some<F: Format, const N: usize>(&mut self, input: usize) -> usize {
        let Self { s, chunk, planes } = self;
        s.enter(Rows::<F, N> { s: *s, chunk, planes, input, format: PhantomData });
        N
    }
}

/// All rows of a tile times `N` inputs from `input` on.
struct Rows<'c, 't, F, const N: usize> {
    s: Avx512,
    chunk: &'c mut Chunk<'t>,
    planes: &'t Planes,
    input: usize,
    format: PhantomData<F>,
}

impl<F: Format, const N: usize> Op for Rows<'_, '_, F, N> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, _: S) {
        let inputs: [_; N] = core::array::from_fn(|n| F::input(self.planes, self.input + n));
        let rows = self.chunk.tile.rows();
        let mut row = rows.start;
        while row < rows.end {
            row += if N == 1 && F::is_short(inputs[0].len()) && row + ROWS <= rows.end {
                self.some::<ROWS>(&inputs, row)
            } else {
                self.some::<1>(&inputs, row)
            };
        }
    }
}

impl<F: Format, const N: usize> Rows<'_, '_, F, N> {
    /// Writes the products of `R` rows; gives `R`. Four at most, of rows and inputs.
    #[inline(always)]
    fn some<const R: usize>(&mut self, inputs: &[&[F::Part]; N], row: usize) -> usize {
        let Self { s, chunk, input, .. } = self;
        let rows: [_; R] = core::array::from_fn(|r| chunk.weights.row(row + r));
        let lanes = F::dot::<R, N>(*s, &rows, inputs);
        let mut four = [s.splat(0.0); 4];
        for (to, lanes) in four.iter_mut().zip(lanes.as_flattened()) {
            *to = *lanes;
        }
        let totals = s.sums(four);
        for n in 0..N {
            chunk.tile.part(*input + n, row..row + R).copy_from_slice(&totals[n * R..][..R]);
        }
        R
    }
}
