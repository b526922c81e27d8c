//! Blocks of weights into registers, one unit of sixteen floats at a time.
//!
//! Scales are read for a group of blocks at once and kept as floats in memory, from where a register is filled
//! with one of them by a plain load. Values may differ from [`crate::dequantize_row`] in the last bit: scale
//! and offset are applied by one fused step.

mod k;
mod lookup;
mod plain;
mod small;

use crate::Quant;
use crate::simd::{Simd, Unit};

/// Takes the units of a block, in any order.
pub(crate) trait Sink<S: Simd> {
    /// Takes unit `unit` of the block.
    fn take(&mut self, s: S, unit: usize, value: S::V);
}

/// Scales and offsets of a group of blocks, where its format puts them: `weight = scale · value + offset`.
#[derive(Clone, Copy)]
pub(crate) struct Scales([Unit; 2]);

impl Scales {
    /// Of nothing.
    pub(crate) const ZERO: Self = Self([[0.0; 16]; 2]);

    /// Number `at` in all lanes.
    #[inline(always)]
    fn splat<S: Simd>(&self, s: S, at: usize) -> S::V {
        s.splat(self.0.as_flattened()[at])
    }
}

/// A block of `BYTES` bytes.
pub(crate) trait Format<const BYTES: usize> {
    /// Units of sixteen floats in a block.
    const UNITS: usize;
    /// Blocks whose scales are read at once.
    const GROUP: usize;

    /// Scales of 1 to [`Self::GROUP`] blocks.
    fn scales<S: Simd>(s: S, blocks: &[[u8; BYTES]]) -> Scales;

    /// Gives the units of block number `place` of a group to `sink`.
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; BYTES], scales: &Scales, place: usize, sink: &mut K);
}

/// Most blocks of a short group.
const SHORT: usize = 8;

/// A group of blocks that holds number `start` and those after it, and that one's place in it. The last group
/// of a row overlaps the one before, so that its length is a fixed one where the row is long enough.
#[inline(always)]
pub(crate) fn group<F: Format<B>, const B: usize>(blocks: &[[u8; B]], start: usize) -> (&[[u8; B]], usize) {
    let left = blocks.len() - start;
    let len = if F::GROUP > SHORT && left <= SHORT { SHORT } else { F::GROUP };
    let first = start.min(blocks.len().saturating_sub(len));
    (&blocks[first..blocks.len().min(first + len)], start - first)
}

/// A computation that is compiled once for each format.
pub(crate) trait ForFormat {
    /// Computes with format `F`, whose blocks have `BYTES` bytes.
    fn run<F: Format<BYTES>, const BYTES: usize>(self);
}

/// Runs `task` compiled for `quant`.
#[inline(always)]
pub(crate) fn for_format<T: ForFormat>(quant: Quant, task: T) {
    match quant {
        Quant::F32 => task.run::<plain::F32, 64>(),
        Quant::F16 => task.run::<plain::F16, 32>(),
        Quant::BF16 => task.run::<plain::Bf16, 32>(),
        Quant::Q8_0 => task.run::<small::Q8_0, 34>(),
        Quant::Q4_0 => task.run::<small::Q4_0, 18>(),
        Quant::Q4_1 => task.run::<small::Q4_1, 20>(),
        Quant::Q5_0 => task.run::<small::Q5_0, 22>(),
        Quant::Q5_1 => task.run::<small::Q5_1, 24>(),
        Quant::Q2_K => task.run::<k::Q2K, 84>(),
        Quant::Q3_K => task.run::<k::Q3K, 110>(),
        Quant::Q4_K => task.run::<k::Q4K, 144>(),
        Quant::Q5_K => task.run::<k::Q5K, 176>(),
        Quant::Q6_K => task.run::<k::Q6K, 210>(),
        Quant::IQ4_NL => task.run::<lookup::Iq4Nl, 18>(),
        Quant::IQ4_XS => task.run::<lookup::Iq4Xs, 136>(),
        Quant::MXFP4 => task.run::<lookup::Mxfp4, 17>(),
    }
}

/// Runs `task` compiled for `quant`, which has no integer path.
///
/// # Panics
/// If it has one ([`crate::words::has_words`]).
#[inline(always)]
pub(crate) fn for_float_format<T: ForFormat>(quant: Quant, task: T) {
    match quant {
        Quant::F32 => task.run::<plain::F32, 64>(),
        Quant::F16 => task.run::<plain::F16, 32>(),
        Quant::BF16 => task.run::<plain::Bf16, 32>(),
        _ => unreachable!("{quant} has an integer path"),
    }
}

/// `part`, then zeros: the end of a row that is not whole units.
#[inline(always)]
pub(crate) fn padded<T: Copy + Default, const N: usize>(part: &[T]) -> [T; N] {
    let mut out = [T::default(); N];
    out[..part.len()].copy_from_slice(part);
    out
}

/// `N` bytes at `at`; the compiler removes the check where both are constant.
#[inline(always)]
fn cut<const N: usize>(block: &[u8], at: usize) -> &[u8; N] {
    match block[at..].first_chunk() {
        Some(cut) => cut,
        None => unreachable!("a block of fixed size holds the cut"),
    }
}
