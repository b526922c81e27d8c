//! Formats of 32 elements a block, with one scale and perhaps a minimum as halves.

use super::{Format, Scales, Sink, cut};
use crate::simd::{Simd, Unit};

pub(super) struct Q8_0;
pub(super) struct Q4_0;
pub(super) struct Q4_1;
pub(super) struct Q5_0;
pub(super) struct Q5_1;

/// Blocks whose scales fill a unit.
const GROUP: usize = 16;

/// The halves at `at` of up to sixteen blocks.
#[inline(always)]
fn halves<S: Simd, const B: usize>(s: S, blocks: &[[u8; B]], at: usize) -> S::V {
    let mut halves = [0; 32];
    for (half, block) in halves.as_chunks_mut().0.iter_mut().zip(blocks) {
        *half = *cut::<2>(block, at);
    }
    s.halves(&halves)
}

#[inline(always)]
fn unit<S: Simd>(s: S, value: S::V) -> Unit {
    let mut unit = [0.0; 16];
    s.store(value, &mut unit);
    unit
}

/// Values lie around `middle`.
#[inline(always)]
fn around<S: Simd, const B: usize>(s: S, blocks: &[[u8; B]], middle: f32) -> Scales {
    let scale = halves(s, blocks, 0);
    Scales { scale: unit(s, scale), offset: unit(s, s.mul(scale, s.splat(-middle))) }
}

/// Values begin at a minimum, stored after the scale.
#[inline(always)]
fn from_minimum<S: Simd, const B: usize>(s: S, blocks: &[[u8; B]]) -> Scales {
    Scales { scale: unit(s, halves(s, blocks, 0)), offset: unit(s, halves(s, blocks, 2)) }
}

impl Format<34> for Q8_0 {
    const UNITS: usize = 2;
    const GROUP: usize = GROUP;

    #[inline(always)]
    fn scales<S: Simd>(s: S, blocks: &[[u8; 34]]) -> Scales {
        Scales { scale: unit(s, halves(s, blocks, 0)), ..Scales::ZERO }
    }

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 34], scales: &Scales, place: usize, sink: &mut K) {
        let scale = s.splat(scales.scale[place]);
        sink.take(s, 0, s.mul(s.signed_bytes(cut(block, 2)), scale));
        sink.take(s, 1, s.mul(s.signed_bytes(cut(block, 18)), scale));
    }
}

/// 32 nibbles, the lower ones first.
#[inline(always)]
fn nibbles<S: Simd, K: Sink<S>>(s: S, packed: &[u8; 16], table: S::Table, sink: &mut K) {
    let bytes = s.bytes(packed);
    sink.take(s, 0, s.low(table, bytes));
    sink.take(s, 1, s.high(table, bytes));
}

impl Format<18> for Q4_0 {
    const UNITS: usize = 2;
    const GROUP: usize = GROUP;

    #[inline(always)]
    fn scales<S: Simd>(s: S, blocks: &[[u8; 18]]) -> Scales {
        around(s, blocks, 8.0)
    }

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 18], scales: &Scales, place: usize, sink: &mut K) {
        nibbles(s, cut(block, 2), scales.table(s, place), sink);
    }
}

impl Format<20> for Q4_1 {
    const UNITS: usize = 2;
    const GROUP: usize = GROUP;

    #[inline(always)]
    fn scales<S: Simd>(s: S, blocks: &[[u8; 20]]) -> Scales {
        from_minimum(s, blocks)
    }

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 20], scales: &Scales, place: usize, sink: &mut K) {
        nibbles(s, cut(block, 4), scales.table(s, place), sink);
    }
}

/// 32 nibbles joined with a fifth bit each.
#[inline(always)]
fn five_bits<S: Simd, K: Sink<S>>(
    s: S,
    upper: [u8; 4],
    packed: &[u8; 16],
    scales: &Scales,
    place: usize,
    sink: &mut K,
) {
    let bytes = s.bytes(packed);
    let low = s.or(s.and(bytes, 15), s.fifth_bits(u16::from_le_bytes([upper[0], upper[1]])));
    sink.take(s, 0, scales.apply(s, place, low));
    let high = s.or(s.down::<4>(bytes), s.fifth_bits(u16::from_le_bytes([upper[2], upper[3]])));
    sink.take(s, 1, scales.apply(s, place, high));
}

impl Format<22> for Q5_0 {
    const UNITS: usize = 2;
    const GROUP: usize = GROUP;

    #[inline(always)]
    fn scales<S: Simd>(s: S, blocks: &[[u8; 22]]) -> Scales {
        around(s, blocks, 16.0)
    }

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 22], scales: &Scales, place: usize, sink: &mut K) {
        five_bits(s, *cut(block, 2), cut(block, 6), scales, place, sink);
    }
}

impl Format<24> for Q5_1 {
    const UNITS: usize = 2;
    const GROUP: usize = GROUP;

    #[inline(always)]
    fn scales<S: Simd>(s: S, blocks: &[[u8; 24]]) -> Scales {
        from_minimum(s, blocks)
    }

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 24], scales: &Scales, place: usize, sink: &mut K) {
        five_bits(s, *cut(block, 4), cut(block, 8), scales, place, sink);
    }
}
