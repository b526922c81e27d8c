//! Formats whose nibbles stand for unevenly spaced values.

use super::{Multipliers, Numbers, STRETCH, WordFormat, WordLanes, cut, small};
use crate::codebook::{FOUR_BIT_FLOATS, IQ4_VALUES, half_of_power};
use crate::scales::of_iq4_xs;

pub(super) struct Iq4Nl;
pub(super) struct Iq4Xs;
pub(super) struct Mxfp4;

/// What the sixteen bytes of nibbles at `at` stand for.
#[inline(always)]
fn values_at<S: WordLanes>(s: S, values: &[i8; 16], block: &[u8], at: usize) -> S::W {
    s.signed_words(s.lookup_bytes(s.nibble_bytes(cut(block, at)), values))
}

impl WordFormat<18, STRETCH> for Iq4Nl {
    const RUN: usize = 1;
    const MULTIPLIERS: Multipliers = Multipliers::None;
    const OFFSETS: usize = 0;

    #[inline(always)]
    fn numbers<S: WordLanes>(s: S, blocks: &[[u8; 18]; STRETCH], to: &mut Numbers) {
        s.scales(small::scales(blocks), to);
    }

    #[inline(always)]
    fn words<S: WordLanes>(s: S, blocks: &[[u8; 18]; STRETCH], unit: usize) -> S::W {
        values_at(s, &IQ4_VALUES, &blocks[unit], 2)
    }

    #[inline(always)]
    fn single<S: WordLanes>(s: S, block: &[u8; 18]) -> ([f32; 2], S::W) {
        let scale = s.half(u16::from_le_bytes(*cut(block, 0)));
        ([scale, 0.0], values_at(s, &IQ4_VALUES, block, 2))
    }
}

/// Weights of 2^108 and more overflow sums of their products with words, which then are infinite.
impl WordFormat<17, STRETCH> for Mxfp4 {
    const RUN: usize = 1;
    const MULTIPLIERS: Multipliers = Multipliers::None;
    const OFFSETS: usize = 0;

    #[inline(always)]
    fn numbers<S: WordLanes>(_: S, blocks: &[[u8; 17]; STRETCH], to: &mut Numbers) {
        for (scale, block) in to.scales.iter_mut().zip(blocks) {
            *scale = half_of_power(block[0]);
        }
    }

    #[inline(always)]
    fn words<S: WordLanes>(s: S, blocks: &[[u8; 17]; STRETCH], unit: usize) -> S::W {
        values_at(s, &FOUR_BIT_FLOATS, &blocks[unit], 1)
    }

    #[inline(always)]
    fn single<S: WordLanes>(s: S, block: &[u8; 17]) -> ([f32; 2], S::W) {
        ([half_of_power(block[0]), 0.0], values_at(s, &FOUR_BIT_FLOATS, block, 1))
    }
}

impl WordFormat<136, 1> for Iq4Xs {
    /// Words are at most 127 · 32.
    const RUN: usize = STRETCH / 2;
    const MULTIPLIERS: Multipliers = Multipliers::OfUnits;
    const OFFSETS: usize = 0;

    #[inline(always)]
    fn numbers<S: WordLanes>(s: S, [block]: &[[u8; 136]; 1], to: &mut Numbers) {
        let scale = s.half(u16::from_le_bytes(*cut(block, 0)));
        (to.scales[0], to.scales[STRETCH / 2]) = (scale, scale);
        for (multiplier, byte) in to.multipliers.iter_mut().zip(of_iq4_xs(cut(block, 2))) {
            *multiplier = i32::from(byte) - 32;
        }
    }

    #[inline(always)]
    fn words<S: WordLanes>(s: S, [block]: &[[u8; 136]; 1], unit: usize) -> S::W {
        values_at(s, &IQ4_VALUES, block, 8 + unit * 16)
    }
}
