//! Formats of 256 elements a block, in groups with small integer scales of their own.

use super::{Pairs, STRETCH, WordFormat, cut};
use crate::simd::{Simd, Unit};

pub(super) struct Q4K;
pub(super) struct Q5K;
pub(super) struct Q6K;

#[inline(always)]
fn half_at<S: Simd>(s: S, block: &[u8], at: usize) -> f32 {
    s.half(u16::from_le_bytes(*cut(block, at)))
}

/// Scales and minima of the eight groups, side by side: both are six bits, the last four groups' in two places.
///
/// Source: `get_scale_min_k4` of `ggml-quants.c`, four groups at a time.
#[inline(always)]
fn six_bits<S: Simd>(s: S, block: &[u8]) -> S::V {
    let scales = u32::from_le_bytes(*cut(block, 4));
    let minima = u32::from_le_bytes(*cut(block, 8));
    let both = u32::from_le_bytes(*cut(block, 12));
    let scales = [scales & 0x3F3F_3F3F, both & 0x0F0F_0F0F | (scales >> 6 & 0x0303_0303) << 4];
    let minima = [minima & 0x3F3F_3F3F, both >> 4 & 0x0F0F_0F0F | (minima >> 6 & 0x0303_0303) << 4];
    let (scales, minima) = (scales.map(u32::to_le_bytes), minima.map(u32::to_le_bytes));
    let mut bytes = [0; 2 * STRETCH];
    for (pair, (scale, minimum)) in
        bytes.as_chunks_mut::<2>().0.iter_mut().zip(scales.as_flattened().iter().zip(minima.as_flattened()))
    {
        *pair = [*scale, *minimum];
    }
    let (scale, minimum) = (half_at(s, block, 0), -half_at(s, block, 2));
    let mut factors: Unit = [scale; 16];
    for factor in factors.iter_mut().skip(1).step_by(2) {
        *factor = minimum;
    }
    s.mul(s.float(s.bytes(&bytes)), s.load(&factors))
}

/// Lower nibbles of even units, upper ones of odd units, 32 bytes for each two.
#[inline(always)]
fn nibbles<S: Simd>(s: S, packed: &[u8], unit: usize) -> S::W {
    let bytes = s.byte_words(cut(packed, unit / 2 * 32));
    if unit.is_multiple_of(2) { s.and_words(bytes, 15) } else { s.down_words::<4>(bytes) }
}

impl WordFormat<144, 1> for Q4K {
    const PAIRS: Pairs = Pairs::ScaleAndOffset;

    #[inline(always)]
    fn pairs<S: Simd>(s: S, [block]: &[[u8; 144]; 1]) -> S::V {
        six_bits(s, block)
    }

    #[inline(always)]
    fn words<S: Simd>(s: S, [block]: &[[u8; 144]; 1], unit: usize) -> S::W {
        nibbles(s, &block[16..], unit)
    }
}

impl WordFormat<176, 1> for Q5K {
    const PAIRS: Pairs = Pairs::ScaleAndOffset;

    #[inline(always)]
    fn pairs<S: Simd>(s: S, [block]: &[[u8; 176]; 1]) -> S::V {
        six_bits(s, block)
    }

    /// The fifth bit of unit `u` is bit `u` of 32 bytes that all units share.
    #[inline(always)]
    fn words<S: Simd>(s: S, [block]: &[[u8; 176]; 1], unit: usize) -> S::W {
        let bits = s.byte_words(cut(block, 16));
        let fifths = match unit {
            0 => s.up_words::<4>(bits),
            1 => s.up_words::<3>(bits),
            2 => s.up_words::<2>(bits),
            3 => s.up_words::<1>(bits),
            4 => bits,
            5 => s.down_words::<1>(bits),
            6 => s.down_words::<2>(bits),
            _ => s.down_words::<3>(bits),
        };
        s.or_words(nibbles(s, &block[48..], unit), s.and_words(fifths, 16))
    }
}

impl WordFormat<210, 1> for Q6K {
    const PAIRS: Pairs = Pairs::TwoScales;

    #[inline(always)]
    fn pairs<S: Simd>(s: S, [block]: &[[u8; 210]; 1]) -> S::V {
        s.mul(s.signed_bytes(cut(block, 192)), s.splat(half_at(s, block, 208)))
    }

    /// Each half of 128 elements has 64 bytes of nibbles and 32 bytes of bit pairs.
    #[inline(always)]
    fn words<S: Simd>(s: S, [block]: &[[u8; 210]; 1], unit: usize) -> S::W {
        let (half, quarter) = (unit / 4, unit % 4);
        let bytes = s.byte_words(cut(block, half * 64 + quarter % 2 * 32));
        let low = if quarter < 2 { s.and_words(bytes, 15) } else { s.down_words::<4>(bytes) };
        let upper = s.byte_words(cut(block, 128 + half * 32));
        let upper = match quarter {
            0 => s.up_words::<4>(upper),
            1 => s.up_words::<2>(upper),
            2 => upper,
            _ => s.down_words::<2>(upper),
        };
        s.less_words(s.or_words(low, s.and_words(upper, 0x30)), 32)
    }
}
