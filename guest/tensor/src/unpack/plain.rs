//! Formats without scales; a block here is sixteen elements.

use super::{Format, Scales, Sink};
use crate::simd::Simd;

pub(super) struct F32;
pub(super) struct F16;
pub(super) struct Bf16;

impl Format<64> for F32 {
    const UNITS: usize = 1;
    const GROUP: usize = 16;

    #[inline(always)]
    fn scales<S: Simd>(_: S, _: &[[u8; 64]]) -> Scales {
        Scales::ZERO
    }

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 64], _: &Scales, _: usize, sink: &mut K) {
        let mut unit = [0.0; 16];
        for (out, &bytes) in unit.iter_mut().zip(block.as_chunks().0) {
            *out = f32::from_le_bytes(bytes);
        }
        sink.take(s, 0, s.load(&unit));
    }
}

impl Format<32> for F16 {
    const UNITS: usize = 1;
    const GROUP: usize = 16;

    #[inline(always)]
    fn scales<S: Simd>(_: S, _: &[[u8; 32]]) -> Scales {
        Scales::ZERO
    }

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 32], _: &Scales, _: usize, sink: &mut K) {
        sink.take(s, 0, s.halves(block));
    }
}

impl Format<32> for Bf16 {
    const UNITS: usize = 1;
    const GROUP: usize = 16;

    #[inline(always)]
    fn scales<S: Simd>(_: S, _: &[[u8; 32]]) -> Scales {
        Scales::ZERO
    }

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 32], _: &Scales, _: usize, sink: &mut K) {
        sink.take(s, 0, s.upper_halves(block));
    }
}
