//! Formats of 256 elements a block, in groups with small integer scales of their own.

use super::{Format, Scales, Sink, cut};
use crate::scales::{bytes_of, of_q3_k};
use crate::simd::Simd;

pub(super) struct Q2K;
pub(super) struct Q3K;
pub(super) struct Q4K;
pub(super) struct Q5K;
pub(super) struct Q6K;

/// Where the eight offsets of [`six_bits`] begin: sixteen numbers are multiplied by each half.
const OFFSETS: usize = 24;

#[inline(always)]
pub(super) fn half_at<S: Simd>(s: S, block: &[u8], at: usize) -> f32 {
    s.half(u16::from_le_bytes(*cut(block, at)))
}

/// Scales and minima of the eight groups: both are six bits, the last four groups' in two places.
///
/// Scales are put first, offsets at [`OFFSETS`].
///
/// Source: `get_scale_min_k4` of `ggml-quants.c`, four groups at a time.
#[inline(always)]
fn six_bits<S: Simd>(s: S, block: &[u8]) -> Scales {
    let scales = u32::from_le_bytes(*cut(block, 4));
    let minima = u32::from_le_bytes(*cut(block, 8));
    let both = u32::from_le_bytes(*cut(block, 12));
    let words = [
        scales & 0x3F3F_3F3F,
        both & 0x0F0F_0F0F | (scales >> 6 & 0x0303_0303) << 4,
        minima & 0x3F3F_3F3F,
        both >> 4 & 0x0F0F_0F0F | (minima >> 6 & 0x0303_0303) << 4,
    ];
    let integers = s.float(s.bytes(&bytes_of(words)));
    let mut out = Scales::ZERO;
    s.store(s.mul(integers, s.splat(half_at(s, block, 0))), &mut out.0[0]);
    s.store(s.mul(integers, s.splat(-half_at(s, block, 2))), &mut out.0[1]);
    out
}

/// The four bit pairs of each byte, the lowest first.
#[inline(always)]
fn bit_pairs<S: Simd>(s: S, bytes: S::I) -> [S::I; 4] {
    [s.and(bytes, 3), s.and(s.down::<2>(bytes), 3), s.and(s.down::<4>(bytes), 3), s.down::<6>(bytes)]
}

/// Units `first`, `first + 2` and so on, each with a scale and an offset of its own.
#[inline(always)]
fn quarters<S: Simd, K: Sink<S>>(s: S, values: [S::I; 4], scales: &Scales, first: usize, sink: &mut K) {
    for (quarter, value) in values.into_iter().enumerate() {
        let unit = first + quarter * 2;
        let (scale, offset) = (scales.splat(s, unit), scales.splat(s, 16 + unit));
        sink.take(s, unit, s.fma(s.float(value), scale, offset));
    }
}

impl Format<84> for Q2K {
    const UNITS: usize = 16;
    const GROUP: usize = 1;

    #[inline(always)]
    fn scales<S: Simd>(s: S, blocks: &[[u8; 84]]) -> Scales {
        let block = &blocks[0];
        let both = s.bytes(cut(block, 0));
        let (scales, minima) = (s.float(s.and(both, 15)), s.float(s.down::<4>(both)));
        let mut out = Scales::ZERO;
        s.store(s.mul(scales, s.splat(half_at(s, block, 80))), &mut out.0[0]);
        s.store(s.mul(minima, s.splat(-half_at(s, block, 82))), &mut out.0[1]);
        out
    }

    /// Each half of 128 elements has 32 bytes.
    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 84], scales: &Scales, _: usize, sink: &mut K) {
        for half in 0..2 {
            for odd in 0..2 {
                let bytes = s.bytes(cut(block, 16 + half * 32 + odd * 16));
                quarters(s, bit_pairs(s, bytes), scales, half * 8 + odd, sink);
            }
        }
    }
}

impl Format<110> for Q3K {
    const UNITS: usize = 16;
    const GROUP: usize = 1;

    #[inline(always)]
    fn scales<S: Simd>(s: S, blocks: &[[u8; 110]]) -> Scales {
        let block = &blocks[0];
        let scales = s.sub(s.float(s.bytes(&of_q3_k(cut(block, 96)))), s.splat(32.0));
        let scale = s.mul(scales, s.splat(half_at(s, block, 108)));
        let mut out = Scales::ZERO;
        s.store(scale, &mut out.0[0]);
        s.store(s.mul(scale, s.splat(-4.0)), &mut out.0[1]);
        out
    }

    /// Each half of 128 elements has 32 bytes of bit pairs; both share 32 bytes of third bits.
    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 110], scales: &Scales, _: usize, sink: &mut K) {
        for odd in 0..2 {
            let upper = s.bytes(cut(block, odd * 16));
            for (half, upper) in [upper, s.down::<4>(upper)].into_iter().enumerate() {
                let [a, b, c, d] = bit_pairs(s, s.bytes(cut(block, 32 + half * 32 + odd * 16)));
                let values = [
                    s.or(a, s.and(s.up::<2>(upper), 4)),
                    s.or(b, s.and(s.up::<1>(upper), 4)),
                    s.or(c, s.and(upper, 4)),
                    s.or(d, s.and(s.down::<1>(upper), 4)),
                ];
                quarters(s, values, scales, half * 8 + odd, sink);
            }
        }
    }
}

impl Format<144> for Q4K {
    const UNITS: usize = 16;
    const GROUP: usize = 1;

    #[inline(always)]
    fn scales<S: Simd>(s: S, blocks: &[[u8; 144]]) -> Scales {
        six_bits(s, &blocks[0])
    }

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 144], scales: &Scales, _: usize, sink: &mut K) {
        for pair in 0..4 {
            let (scale, offset) = group_scales(s, scales, pair * 2);
            let first = s.table(scale, offset);
            let (scale, offset) = group_scales(s, scales, pair * 2 + 1);
            let second = s.table(scale, offset);
            for odd in 0..2 {
                let bytes = s.bytes(cut(block, 16 + pair * 32 + odd * 16));
                sink.take(s, pair * 4 + odd, s.low(first, bytes));
                sink.take(s, pair * 4 + 2 + odd, s.high(second, bytes));
            }
        }
    }
}

/// Scale and offset of a group of [`six_bits`].
#[inline(always)]
fn group_scales<S: Simd>(s: S, scales: &Scales, group: usize) -> (S::V, S::V) {
    (scales.splat(s, group), scales.splat(s, OFFSETS + group))
}

/// Groups `2 · N` and `2 · N + 1` of a `Q5_K` block; `LOW` is `2 · N`, `HIGH` the next.
#[inline(always)]
fn two_groups<const LOW: u32, const HIGH: u32, S: Simd, K: Sink<S>>(
    s: S,
    block: &[u8; 176],
    scales: &Scales,
    sink: &mut K,
) {
    let group = LOW as usize;
    let (scale, offset) = group_scales(s, scales, group);
    let (next_scale, next_offset) = group_scales(s, scales, group + 1);
    for odd in 0..2 {
        let bytes = s.bytes(cut(block, 48 + group * 16 + odd * 16));
        let fifths = s.bytes(cut(block, 16 + odd * 16));
        let low = s.or(s.and(bytes, 15), s.up::<4>(s.and(s.down::<LOW>(fifths), 1)));
        sink.take(s, group * 2 + odd, s.fma(s.float(low), scale, offset));
        let high = s.or(s.down::<4>(bytes), s.up::<4>(s.and(s.down::<HIGH>(fifths), 1)));
        sink.take(s, group * 2 + 2 + odd, s.fma(s.float(high), next_scale, next_offset));
    }
}

impl Format<176> for Q5K {
    const UNITS: usize = 16;
    const GROUP: usize = 1;

    #[inline(always)]
    fn scales<S: Simd>(s: S, blocks: &[[u8; 176]]) -> Scales {
        six_bits(s, &blocks[0])
    }

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 176], scales: &Scales, _: usize, sink: &mut K) {
        two_groups::<0, 1, S, K>(s, block, scales, sink);
        two_groups::<2, 3, S, K>(s, block, scales, sink);
        two_groups::<4, 5, S, K>(s, block, scales, sink);
        two_groups::<6, 7, S, K>(s, block, scales, sink);
    }
}

impl Format<210> for Q6K {
    const UNITS: usize = 16;
    const GROUP: usize = 1;

    #[inline(always)]
    fn scales<S: Simd>(s: S, blocks: &[[u8; 210]]) -> Scales {
        let block = &blocks[0];
        let scale = s.mul(s.signed_bytes(cut(block, 192)), s.splat(half_at(s, block, 208)));
        let mut out = Scales::ZERO;
        s.store(scale, &mut out.0[0]);
        s.store(s.mul(scale, s.splat(-32.0)), &mut out.0[1]);
        out
    }

    /// Each half of 128 elements has 64 bytes of nibbles and 32 bytes of bit pairs.
    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 210], scales: &Scales, _: usize, sink: &mut K) {
        for half in 0..2 {
            for odd in 0..2 {
                let first = s.bytes(cut(block, half * 64 + odd * 16));
                let second = s.bytes(cut(block, half * 64 + 32 + odd * 16));
                let upper = s.bytes(cut(block, 128 + half * 32 + odd * 16));
                let values = [
                    s.or(s.and(first, 15), s.and(s.up::<4>(upper), 0x30)),
                    s.or(s.and(second, 15), s.and(s.up::<2>(upper), 0x30)),
                    s.or(s.down::<4>(first), s.and(upper, 0x30)),
                    s.or(s.down::<4>(second), s.and(s.down::<2>(upper), 0x30)),
                ];
                quarters(s, values, scales, half * 8 + odd, sink);
            }
        }
    }
}
