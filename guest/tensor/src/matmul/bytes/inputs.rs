//! Inputs as bytes for tile registers.
//!
//! A word is two bytes, `256 · upper + lower`, so an input has two columns of each tile. What rows give by a scale of their own
//! must not be summed up with others: each part of 64 columns that has one scale has columns of its own, with zeros where the
//! other parts are.

use alloc::vec::Vec;

use super::has_quarters;
use crate::Quant;
use crate::matmul::planes::bytes_of;
use crate::simd::{Line, Op, Simd};
use crate::words::{Stretch, Words, has_words};
use crate::x86::InputBytes;

/// Inputs that share vectors of sums.
const VECTOR: usize = 16;

/// A stretch of the inputs that share tiles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portion {
    pub(super) bytes: InputBytes,
    /// What a sum of products counts in each lane.
    pub(super) factors: Line,
}

/// Inputs for rows whose scales hold for a part of 64 columns, of which there are `PARTS`: two or four.
#[derive(Debug, Default)]
pub(super) struct Inputs<const PARTS: usize> {
    stretches: usize,
    portions: Vec<Portion>,
    /// Of each sixteen inputs, of each stretch and each part of it, the sums of activations.
    sums: Vec<[Line; super::PARTS]>,
}

impl<const PARTS: usize> Inputs<PARTS> {
    /// Inputs that share tiles.
    pub(super) const SHARED: usize = 8 / PARTS;
    /// Lanes of an input.
    pub(super) const LANES: usize = 2 * PARTS;

    /// Keeps `inputs` of `words` instead of what was kept. Allocates where there were never as many.
    #[inline(always)]
    fn set(&mut self, words: &Words, inputs: usize) {
        self.stretches = words.input(0).stretches.len();
        let zero = Portion { bytes: InputBytes::ZERO, factors: Line::ZERO };
        // What stays of others is in lanes that nobody reads, or written over: places of zeros are always the same.
        let portions = inputs.div_ceil(Self::SHARED) * self.stretches;
        self.portions.resize(portions.max(self.portions.len()), zero);
        let sums = inputs.div_ceil(VECTOR) * self.stretches;
        self.sums.resize(sums.max(self.sums.len()), [Line::ZERO; super::PARTS]);
        for input in 0..inputs {
            let (group, lane) = (input / Self::SHARED * self.stretches, input % Self::SHARED);
            let vector = input / VECTOR * self.stretches;
            let from = words.input(input);
            for (at, stretch) in from.stretches.iter().enumerate() {
                fill::<PARTS>(stretch, &mut self.portions[group + at], lane);
                let sums: &[f32] = if PARTS == 2 { &stretch.sums } else { from.halves[at].as_flattened() };
                for (to, sum) in self.sums[vector + at].iter_mut().zip(sums) {
                    to.0[input % VECTOR] = *sum;
                }
            }
        }
    }

    /// Stretches of an input.
    pub(super) fn stretches(&self) -> usize {
        self.stretches
    }

    /// All stretches of the `group`th inputs that share tiles.
    pub(super) fn group(&self, group: usize) -> &[Portion] {
        &self.portions[group * self.stretches..][..self.stretches]
    }

    /// Sums of the `vector`th sixteen inputs, of all stretches.
    pub(super) fn sums(&self, vector: usize) -> &[[Line; super::PARTS]] {
        &self.sums[vector * self.stretches..][..self.stretches]
    }
}

/// Writes the bytes of a stretch of input `lane`.
#[inline(always)]
fn fill<const PARTS: usize>(stretch: &Stretch, to: &mut Portion, lane: usize) {
    let first = lane * 2 * PARTS;
    for part in 0..PARTS {
        to.factors.0[first + 2 * part] = 256.0 * stretch.scale;
        to.factors.0[first + 2 * part + 1] = stretch.scale;
    }
    for (unit, words) in stretch.words.iter().enumerate() {
        let (upper, lower) = bytes_of(words);
        let (upper, lower) = (fours(upper), fours(lower));
        for four in 0..8 {
            let line = unit % 2 * 8 + four;
            let column = first + line * PARTS / 16 * 2;
            to.bytes.0[unit / 2][line][column] = upper[four];
            to.bytes.0[unit / 2][line][column + 1] = lower[four];
        }
    }
}

/// Four columns in a number: two of the pairs in which [`bytes_of`] has them.
#[inline(always)]
fn fours(halves: [[u16; 8]; 2]) -> [u32; 8] {
    let mut out = [0; 8];
    for (out, [low, high]) in out.iter_mut().zip(halves.as_flattened().as_chunks().0) {
        *out = u32::from(*low) | u32::from(*high) << 16;
    }
    out
}

/// Inputs as products take them: for rows with a scale for each half of 64 columns, or for each quarter.
#[derive(Debug, Default)]
pub(crate) struct Bytes {
    pub(super) halves: Inputs<2>,
    pub(super) quarters: Inputs<4>,
}

/// Keeps so many inputs as those products take them whose weights these are.
pub(crate) struct Fill<'b, 'w> {
    bytes: &'b mut Bytes,
    words: &'w Words,
    inputs: usize,
    halves: bool,
    quarters: bool,
}

impl<'b, 'w> Fill<'b, 'w> {
    pub(crate) fn of(
        bytes: &'b mut Bytes,
        (words, inputs): (&'w Words, usize),
        kinds: impl Iterator<Item = Quant> + Clone,
    ) -> Self {
        let mut kinds = kinds.filter(|kind| has_words(*kind));
        let quarters = kinds.clone().any(has_quarters);
        let halves = kinds.any(|kind| !has_quarters(kind));
        Self { bytes, words, inputs, halves, quarters }
    }
}

impl Op for Fill<'_, '_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        if self.halves {
            self.bytes.halves.set(self.words, self.inputs);
        }
        if self.quarters {
            self.bytes.quarters.set(self.words, self.inputs);
        }
    }
}
