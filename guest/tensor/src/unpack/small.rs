//! Formats of 32 elements a block, with one scale and perhaps a minimum as halves.

use super::{Format, Scales, Sink, cut, padded};
use crate::simd::Simd;

pub(super) struct Q8_0;
pub(super) struct Q4_0;
pub(super) struct Q4_1;
pub(super) struct Q5_0;
pub(super) struct Q5_1;

/// Blocks whose scales fill a unit.
pub(super) const GROUP: usize = 16;

/// Scale and minimum of each block side by side. Formats without a minimum have weights in its place, which
/// are not used.
#[inline(always)]
pub(super) fn pairs<S: Simd, const B: usize>(s: S, blocks: &[[u8; B]]) -> Scales {
    if let Some(blocks) = blocks.first_chunk::<GROUP>() {
        // Of fixed length, so that the words go from register to register.
        return floats(s, blocks.each_ref().map(first_word));
    }
    if let Some([a, b, c, d, e, f, g, h]) = blocks.as_array() {
        let word = first_word::<B>;
        let words = [word(a), word(b), word(c), word(d), word(e), word(f), word(g), word(h)];
        return floats(s, padded(&words));
    }
    let mut words = [0; GROUP];
    for (word, block) in words.iter_mut().zip(blocks) {
        *word = first_word(block);
    }
    floats(s, words)
}

#[inline(always)]
fn first_word<const B: usize>(block: &[u8; B]) -> u32 {
    u32::from_le_bytes(*cut(block, 0))
}

#[inline(always)]
fn floats<S: Simd>(s: S, words: [u32; GROUP]) -> Scales {
    let [first, second] = s.half_pairs(words);
    let mut out = Scales::ZERO;
    s.store(first, &mut out.0[0]);
    s.store(second, &mut out.0[1]);
    out
}

/// Scale and offset of values that lie around `middle`.
#[inline(always)]
fn around<S: Simd>(s: S, scales: &Scales, place: usize, middle: f32) -> (S::V, S::V) {
    let scale = scales.splat(s, place * 2);
    (scale, s.mul(scale, s.splat(-middle)))
}

/// Scale and offset of values that begin at a minimum.
#[inline(always)]
fn from_minimum<S: Simd>(s: S, scales: &Scales, place: usize) -> (S::V, S::V) {
    (scales.splat(s, place * 2), scales.splat(s, place * 2 + 1))
}

impl Format<34> for Q8_0 {
    const UNITS: usize = 2;
    const GROUP: usize = GROUP;

    #[inline(always)]
    fn scales<S: Simd>(s: S, blocks: &[[u8; 34]]) -> Scales {
        pairs(s, blocks)
    }

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 34], scales: &Scales, place: usize, sink: &mut K) {
        let scale = scales.splat(s, place * 2);
        sink.take(s, 0, s.mul(s.signed_bytes(cut(block, 2)), scale));
        sink.take(s, 1, s.mul(s.signed_bytes(cut(block, 18)), scale));
    }
}

/// 32 nibbles, the lower ones first.
#[inline(always)]
fn nibbles<S: Simd, K: Sink<S>>(s: S, packed: &[u8; 16], (scale, offset): (S::V, S::V), sink: &mut K) {
    let (table, bytes) = (s.table(scale, offset), s.bytes(packed));
    sink.take(s, 0, s.low(table, bytes));
    sink.take(s, 1, s.high(table, bytes));
}

impl Format<18> for Q4_0 {
    const UNITS: usize = 2;
    const GROUP: usize = GROUP;

    #[inline(always)]
    fn scales<S: Simd>(s: S, blocks: &[[u8; 18]]) -> Scales {
        pairs(s, blocks)
    }

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 18], scales: &Scales, place: usize, sink: &mut K) {
        nibbles(s, cut(block, 2), around(s, scales, place, 8.0), sink);
    }
}

impl Format<20> for Q4_1 {
    const UNITS: usize = 2;
    const GROUP: usize = GROUP;

    #[inline(always)]
    fn scales<S: Simd>(s: S, blocks: &[[u8; 20]]) -> Scales {
        pairs(s, blocks)
    }

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 20], scales: &Scales, place: usize, sink: &mut K) {
        nibbles(s, cut(block, 4), from_minimum(s, scales, place), sink);
    }
}

/// 32 nibbles joined with a fifth bit each.
#[inline(always)]
fn five_bits<S: Simd, K: Sink<S>>(
    s: S,
    upper: [u8; 4],
    packed: &[u8; 16],
    (scale, offset): (S::V, S::V),
    sink: &mut K,
) {
    let bytes = s.bytes(packed);
    let low = s.or(s.and(bytes, 15), s.fifth_bits(u16::from_le_bytes([upper[0], upper[1]])));
    sink.take(s, 0, s.fma(s.float(low), scale, offset));
    let high = s.or(s.down::<4>(bytes), s.fifth_bits(u16::from_le_bytes([upper[2], upper[3]])));
    sink.take(s, 1, s.fma(s.float(high), scale, offset));
}

impl Format<22> for Q5_0 {
    const UNITS: usize = 2;
    const GROUP: usize = GROUP;

    #[inline(always)]
    fn scales<S: Simd>(s: S, blocks: &[[u8; 22]]) -> Scales {
        pairs(s, blocks)
    }

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 22], scales: &Scales, place: usize, sink: &mut K) {
        five_bits(s, *cut(block, 2), cut(block, 6), around(s, scales, place, 16.0), sink);
    }
}

impl Format<24> for Q5_1 {
    const UNITS: usize = 2;
    const GROUP: usize = GROUP;

    #[inline(always)]
    fn scales<S: Simd>(s: S, blocks: &[[u8; 24]]) -> Scales {
        pairs(s, blocks)
    }

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 24], scales: &Scales, place: usize, sink: &mut K) {
        five_bits(s, *cut(block, 4), cut(block, 8), from_minimum(s, scales, place), sink);
    }
}
