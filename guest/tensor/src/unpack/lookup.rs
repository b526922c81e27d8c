//! Formats whose nibbles stand for unevenly spaced values.

use super::k::half_at;
use super::small::{GROUP, pairs};
use super::{Format, Scales, Sink, cut};
use crate::codebook::{FOUR_BIT_FLOATS, IQ4_VALUES, half_of_power};
use crate::scales::of_iq4_xs;
use crate::simd::Simd;

pub(super) struct Iq4Nl;
pub(super) struct Iq4Xs;
pub(super) struct Mxfp4;

/// Units `first` and `first + 1` out of 32 nibbles, the lower ones first.
#[inline(always)]
fn two_units<S: Simd, K: Sink<S>>(
    s: S,
    values: &[i8; 16],
    packed: &[u8; 16],
    scale: S::V,
    first: usize,
    sink: &mut K,
) {
    let [low, high] = s.lookup(values, packed);
    sink.take(s, first, s.mul(low, scale));
    sink.take(s, first + 1, s.mul(high, scale));
}

impl Format<18> for Iq4Nl {
    const UNITS: usize = 2;
    const GROUP: usize = GROUP;

    #[inline(always)]
    fn scales<S: Simd>(s: S, blocks: &[[u8; 18]]) -> Scales {
        pairs(s, blocks)
    }

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 18], scales: &Scales, place: usize, sink: &mut K) {
        two_units(s, &IQ4_VALUES, cut(block, 2), scales.splat(s, place * 2), 0, sink);
    }
}

impl Format<136> for Iq4Xs {
    const UNITS: usize = 16;
    const GROUP: usize = 1;

    #[inline(always)]
    fn scales<S: Simd>(s: S, blocks: &[[u8; 136]]) -> Scales {
        let block = &blocks[0];
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&of_iq4_xs(cut(block, 2)));
        let integers = s.sub(s.float(s.bytes(&bytes)), s.splat(32.0));
        let mut out = Scales::ZERO;
        s.store(s.mul(integers, s.splat(half_at(s, block, 0))), &mut out.0[0]);
        out
    }

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 136], scales: &Scales, _: usize, sink: &mut K) {
        for group in 0..8 {
            let packed = cut(block, 8 + group * 16);
            two_units(s, &IQ4_VALUES, packed, scales.splat(s, group), group * 2, sink);
        }
    }
}

impl Format<17> for Mxfp4 {
    const UNITS: usize = 2;
    const GROUP: usize = GROUP;

    #[inline(always)]
    fn scales<S: Simd>(_: S, blocks: &[[u8; 17]]) -> Scales {
        let mut out = Scales::ZERO;
        for (out, block) in out.0[0].iter_mut().zip(blocks) {
            *out = half_of_power(block[0]);
        }
        out
    }

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 17], scales: &Scales, place: usize, sink: &mut K) {
        two_units(s, &FOUR_BIT_FLOATS, cut(block, 1), scales.splat(s, place), 0, sink);
    }
}
