//! Blocks of 256 that begin or end with small integers for scales.

use super::{Format, Lanes, Planes, Whole};
use crate::matmul::words::prefetch;
use crate::simd::{Simd as _, Unit};
use crate::x86::{Avx512, WholeBlock};

/// A format whose blocks of `B` bytes are read at once.
pub(in crate::matmul) trait WholeFormat<const B: usize> {
    /// Lane after lane of each 64 columns, which of the block's numbers is their scale.
    const SCALES: &'static [[u32; 16]; 4];
    /// What weights are more than they stand for; 0 where numbers are scales and minima in turn, not scales alone.
    const MIDDLE: i8;

    /// Reads a block.
    fn read(s: Avx512, block: &[u8; B]) -> WholeBlock;
    /// The sums that its numbers are for.
    fn sums(x: &Whole) -> &Unit;
}

/// `Q4_K`.
pub(in crate::matmul) struct FourBits;
/// `Q5_K`.
pub(in crate::matmul) struct FiveBits;
/// `Q6_K`.
pub(in crate::matmul) struct SixBits;

/// Of numbers for each sixteen columns, or scales and minima in turn for each 32.
const fn scales(each: u32) -> [[u32; 16]; 4] {
    let (mut out, mut at) = ([[0; 16]; 4], 0);
    while at < 64 {
        out[at as usize / 16][at as usize % 16] = at / 4 / each * each;
        at += 1;
    }
    out
}

const OF_HALVES: [[u32; 16]; 4] = scales(1);
const OF_UNITS: [[u32; 16]; 4] = scales(2);

impl WholeFormat<144> for FourBits {
    const SCALES: &'static [[u32; 16]; 4] = &OF_UNITS;
    const MIDDLE: i8 = 0;

    #[inline(always)]
    fn read(s: Avx512, block: &[u8; 144]) -> WholeBlock {
        s.four_bits_block(block)
    }

    #[inline(always)]
    fn sums(x: &Whole) -> &Unit {
        &x.units
    }
}

impl WholeFormat<176> for FiveBits {
    const SCALES: &'static [[u32; 16]; 4] = &OF_UNITS;
    const MIDDLE: i8 = 0;

    #[inline(always)]
    fn read(s: Avx512, block: &[u8; 176]) -> WholeBlock {
        s.five_bits_block(block)
    }

    #[inline(always)]
    fn sums(x: &Whole) -> &Unit {
        &x.units
    }
}

impl WholeFormat<210> for SixBits {
    const SCALES: &'static [[u32; 16]; 4] = &OF_HALVES;
    const MIDDLE: i8 = 32;

    #[inline(always)]
    fn read(s: Avx512, block: &[u8; 210]) -> WholeBlock {
        s.six_bits_block(block)
    }

    #[inline(always)]
    fn sums(x: &Whole) -> &Unit {
        &x.halves
    }
}

/// Blocks of format `F`.
pub(super) struct Wholes<F, const B: usize>(core::marker::PhantomData<F>);

impl<F: WholeFormat<B>, const B: usize> Format for Wholes<F, B> {
    type Part = Whole;

    fn input(planes: &Planes, number: usize) -> &[Whole] {
        planes.wholes(number)
    }

    fn is_short(_: usize) -> bool {
        false
    }

    #[inline(always)]
    fn dot<const R: usize, const N: usize>(
        s: Avx512,
        rows: &[&[u8]; R],
        inputs: &[&[Whole]; N],
    ) -> [[Lanes; R]; N] {
        let (mut sums, mut offsets) = ([[s.splat(0.0); R]; N], [[s.splat(0.0); R]; N]);
        let rows = rows.map(|row| row.as_chunks::<B>().0);
        for at in 0..rows[0].len() {
            let x = inputs.each_ref().map(|input| &input[at]);
            for r in 0..R {
                prefetch(s, core::array::from_ref(&rows[r][at]));
                let block = F::read(s, &rows[r][at]);
                for n in 0..N {
                    sums[n][r] = s.add_whole(sums[n][r], &block, F::SCALES, x[n]);
                    offsets[n][r] = s.fma(block.numbers, s.load(F::sums(x[n])), offsets[n][r]);
                }
            }
        }
        let each = if F::MIDDLE == 0 { 1.0 } else { f32::from(F::MIDDLE) };
        for (sums, offsets) in sums.as_flattened_mut().iter_mut().zip(offsets.as_flattened()) {
            *sums = s.fma(*offsets, s.splat(-each), *sums);
        }
        sums
    }
}
