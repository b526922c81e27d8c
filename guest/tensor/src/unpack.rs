//! Blocks of weights into registers, one unit of sixteen floats at a time.
//!
//! Values may differ from [`crate::dequantize_row`] in the last bit: scale and offset are applied by one
//! fused step.

use crate::Quant;
use crate::dequantize::scale_and_minimum;
use crate::simd::Simd;

/// Takes the units of a block, in any order.
pub(crate) trait Sink<S: Simd> {
    /// Takes unit `unit` of the block.
    fn take(&mut self, s: S, unit: usize, value: S::V);
}

/// A block of `BYTES` bytes.
pub(crate) trait Format<const BYTES: usize> {
    /// Units of sixteen floats in a block.
    const UNITS: usize;
    /// Gives the units of `block` to `sink`.
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; BYTES], sink: &mut K);
}

/// `N` bytes at `at`; the compiler removes the check where both are constant.
#[inline(always)]
fn cut<const N: usize>(block: &[u8], at: usize) -> &[u8; N] {
    match block[at..].first_chunk() {
        Some(cut) => cut,
        None => unreachable!("a block of fixed size holds the cut"),
    }
}

#[inline(always)]
fn half_at<S: Simd>(s: S, block: &[u8], at: usize) -> f32 {
    s.half(u16::from_le_bytes(*cut(block, at)))
}

struct F32;
struct F16;
struct Bf16;
struct Q8_0;
struct Q4_0;
struct Q4_1;
struct Q5_0;
struct Q5_1;
struct Q4K;
struct Q5K;
struct Q6K;

impl Format<64> for F32 {
    const UNITS: usize = 1;

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 64], sink: &mut K) {
        let mut unit = [0.0; 16];
        for (out, &bytes) in unit.iter_mut().zip(block.as_chunks().0) {
            *out = f32::from_le_bytes(bytes);
        }
        sink.take(s, 0, s.load(&unit));
    }
}

impl Format<32> for F16 {
    const UNITS: usize = 1;

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 32], sink: &mut K) {
        let mut unit = [0; 16];
        for (out, &bytes) in unit.iter_mut().zip(block.as_chunks().0) {
            *out = u16::from_le_bytes(bytes);
        }
        sink.take(s, 0, s.widen(&unit));
    }
}

impl Format<32> for Bf16 {
    const UNITS: usize = 1;

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 32], sink: &mut K) {
        sink.take(s, 0, s.upper_halves(block));
    }
}

impl Format<34> for Q8_0 {
    const UNITS: usize = 2;

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 34], sink: &mut K) {
        let scale = s.splat(half_at(s, block, 0));
        sink.take(s, 0, s.mul(s.signed_bytes(cut(block, 2)), scale));
        sink.take(s, 1, s.mul(s.signed_bytes(cut(block, 18)), scale));
    }
}

impl Format<18> for Q4_0 {
    const UNITS: usize = 2;

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 18], sink: &mut K) {
        let scale = half_at(s, block, 0);
        let table = s.table(scale, scale * -8.0);
        let bytes = s.bytes(cut(block, 2));
        sink.take(s, 0, s.low(table, bytes));
        sink.take(s, 1, s.high(table, bytes));
    }
}

impl Format<20> for Q4_1 {
    const UNITS: usize = 2;

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 20], sink: &mut K) {
        let table = s.table(half_at(s, block, 0), half_at(s, block, 2));
        let bytes = s.bytes(cut(block, 4));
        sink.take(s, 0, s.low(table, bytes));
        sink.take(s, 1, s.high(table, bytes));
    }
}

/// 32 five-bit values as `scale · value + offset`.
#[inline(always)]
fn five_bits<S: Simd, K: Sink<S>>(
    s: S,
    upper: [u8; 4],
    nibbles: &[u8; 16],
    scale: f32,
    offset: f32,
    sink: &mut K,
) {
    let (scale, offset) = (s.splat(scale), s.splat(offset));
    let bytes = s.bytes(nibbles);
    let low = s.or(s.and(bytes, 15), s.fifth_bits(u16::from_le_bytes([upper[0], upper[1]])));
    sink.take(s, 0, s.fma(s.float(low), scale, offset));
    let high = s.or(s.down::<4>(bytes), s.fifth_bits(u16::from_le_bytes([upper[2], upper[3]])));
    sink.take(s, 1, s.fma(s.float(high), scale, offset));
}

impl Format<22> for Q5_0 {
    const UNITS: usize = 2;

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 22], sink: &mut K) {
        let scale = half_at(s, block, 0);
        five_bits(s, *cut(block, 2), cut(block, 6), scale, scale * -16.0, sink);
    }
}

impl Format<24> for Q5_1 {
    const UNITS: usize = 2;

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 24], sink: &mut K) {
        five_bits(s, *cut(block, 4), cut(block, 8), half_at(s, block, 0), half_at(s, block, 2), sink);
    }
}

/// Scale and offset of group `group` of a K-quant.
#[inline(always)]
fn group<S: Simd>(s: S, block: &[u8], group: usize) -> (f32, f32) {
    let (scale, minimum) = scale_and_minimum(cut(block, 4), group);
    (half_at(s, block, 0) * f32::from(scale), -(half_at(s, block, 2) * f32::from(minimum)))
}

impl Format<144> for Q4K {
    const UNITS: usize = 16;

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 144], sink: &mut K) {
        for pair in 0..4 {
            let (scale, offset) = group(s, block, pair * 2);
            let first = s.table(scale, offset);
            let (scale, offset) = group(s, block, pair * 2 + 1);
            let second = s.table(scale, offset);
            for odd in 0..2 {
                let bytes = s.bytes(cut(block, 16 + pair * 32 + odd * 16));
                sink.take(s, pair * 4 + odd, s.low(first, bytes));
                sink.take(s, pair * 4 + 2 + odd, s.high(second, bytes));
            }
        }
    }
}

/// Group `N` (0 to 7) of a `Q5_K` block.
#[inline(always)]
fn q5_k_group<const N: u32, S: Simd, K: Sink<S>>(s: S, block: &[u8; 176], sink: &mut K) {
    let n = N as usize;
    let (scale, offset) = group(s, block, n);
    let (scale, offset) = (s.splat(scale), s.splat(offset));
    for odd in 0..2 {
        let bytes = s.bytes(cut(block, 48 + n / 2 * 32 + odd * 16));
        let nibbles = if N.is_multiple_of(2) { s.and(bytes, 15) } else { s.down::<4>(bytes) };
        let upper = s.and(s.down::<N>(s.bytes(cut(block, 16 + odd * 16))), 1);
        let value = s.float(s.or(nibbles, s.up::<4>(upper)));
        sink.take(s, n * 2 + odd, s.fma(value, scale, offset));
    }
}

impl Format<176> for Q5K {
    const UNITS: usize = 16;

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 176], sink: &mut K) {
        q5_k_group::<0, S, K>(s, block, sink);
        q5_k_group::<1, S, K>(s, block, sink);
        q5_k_group::<2, S, K>(s, block, sink);
        q5_k_group::<3, S, K>(s, block, sink);
        q5_k_group::<4, S, K>(s, block, sink);
        q5_k_group::<5, S, K>(s, block, sink);
        q5_k_group::<6, S, K>(s, block, sink);
        q5_k_group::<7, S, K>(s, block, sink);
    }
}

/// Unit `unit` of a `Q6_K` block: nibbles and bit pairs are joined by the caller.
#[inline(always)]
fn q6_k_unit<S: Simd, K: Sink<S>>(s: S, block: &[u8; 210], unit: usize, value: S::I, sink: &mut K) {
    let scale = half_at(s, block, 208) * f32::from(block[192 + unit].cast_signed());
    sink.take(s, unit, s.fma(s.float(value), s.splat(scale), s.splat(scale * -32.0)));
}

impl Format<210> for Q6K {
    const UNITS: usize = 16;

    #[inline(always)]
    fn unpack<S: Simd, K: Sink<S>>(s: S, block: &[u8; 210], sink: &mut K) {
        for half in 0..2 {
            for odd in 0..2 {
                let first = s.bytes(cut(block, half * 64 + odd * 16));
                let second = s.bytes(cut(block, half * 64 + 32 + odd * 16));
                let upper = s.bytes(cut(block, 128 + half * 32 + odd * 16));
                let unit = half * 8 + odd;
                let value = s.or(s.and(first, 15), s.and(s.up::<4>(upper), 0x30));
                q6_k_unit(s, block, unit, value, sink);
                let value = s.or(s.and(second, 15), s.and(s.up::<2>(upper), 0x30));
                q6_k_unit(s, block, unit + 2, value, sink);
                let value = s.or(s.down::<4>(first), s.and(upper, 0x30));
                q6_k_unit(s, block, unit + 4, value, sink);
                let value = s.or(s.down::<4>(second), s.and(s.down::<2>(upper), 0x30));
                q6_k_unit(s, block, unit + 6, value, sink);
            }
        }
    }
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
        Quant::F32 => task.run::<F32, 64>(),
        Quant::F16 => task.run::<F16, 32>(),
        Quant::BF16 => task.run::<Bf16, 32>(),
        Quant::Q8_0 => task.run::<Q8_0, 34>(),
        Quant::Q4_0 => task.run::<Q4_0, 18>(),
        Quant::Q4_1 => task.run::<Q4_1, 20>(),
        Quant::Q5_0 => task.run::<Q5_0, 22>(),
        Quant::Q5_1 => task.run::<Q5_1, 24>(),
        Quant::Q4_K => task.run::<Q4K, 144>(),
        Quant::Q5_K => task.run::<Q5K, 176>(),
        Quant::Q6_K => task.run::<Q6K, 210>(),
    }
}

/// `part`, then zeros: the end of a row that is not whole units.
#[inline(always)]
pub(crate) fn padded<T: Copy + Default, const N: usize>(part: &[T]) -> [T; N] {
    let mut out = [T::default(); N];
    out[..part.len()].copy_from_slice(part);
    out
}
