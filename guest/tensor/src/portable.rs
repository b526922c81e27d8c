//! Sixteen lanes in plain Rust: the reference, and what runs where nothing faster is known.

use crate::half::{bf16_to_f32, f16_to_f32, f32_to_f16};
use crate::simd::{Line, Op, Registers, Simd, Unit};

/// Plain Rust; always supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Portable;

#[inline(always)]
fn each<T: Copy, R: Copy + Default>(a: &[T; 16], f: impl Fn(T) -> R) -> [R; 16] {
    let mut out = [R::default(); 16];
    for (out, &a) in out.iter_mut().zip(a) {
        *out = f(a);
    }
    out
}

#[inline(always)]
fn pairs<T: Copy + Default>(a: [T; 16], b: [T; 16], f: impl Fn(T, T) -> T) -> [T; 16] {
    let mut out = [T::default(); 16];
    for (out, (a, b)) in out.iter_mut().zip(a.into_iter().zip(b)) {
        *out = f(a, b);
    }
    out
}

/// Halves, quarters and so on are joined, as vector units do.
#[inline(always)]
fn fold(mut lanes: Unit, f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = 8;
    while width > 0 {
        for i in 0..width {
            lanes[i] = f(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

impl Simd for Portable {
    type Words = Self;
    type V = Unit;
    type I = [i32; 16];
    type Table = (f32, f32);

    const REGISTERS: Registers = Registers::None;

    #[inline(always)]
    fn words(self) -> Self {
        self
    }
    #[inline(always)]
    fn enter<O: Op>(self, op: O) -> O::Out {
        op.run(self)
    }
    #[inline(always)]
    fn splat(self, value: f32) -> Unit {
        [value; 16]
    }
    #[inline(always)]
    fn load(self, from: &Unit) -> Unit {
        *from
    }
    #[inline(always)]
    fn store(self, value: Unit, to: &mut Unit) {
        *to = value;
    }
    #[inline(always)]
    fn add(self, a: Unit, b: Unit) -> Unit {
        pairs(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Unit, b: Unit) -> Unit {
        pairs(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Unit, b: Unit) -> Unit {
        pairs(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: Unit, b: Unit) -> Unit {
        pairs(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn max(self, a: Unit, b: Unit) -> Unit {
        pairs(a, b, larger)
    }
    #[inline(always)]
    fn min(self, a: Unit, b: Unit) -> Unit {
        pairs(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn fma(self, a: Unit, b: Unit, c: Unit) -> Unit {
        self.add(self.mul(a, b), c)
    }
    #[inline(always)]
    fn zero_below(self, value: Unit, probe: Unit, floor: Unit) -> Unit {
        let kept = pairs(probe, floor, |probe, floor| if probe < floor { 0.0 } else { 1.0 });
        pairs(value, kept, |value, kept| if kept == 0.0 { 0.0 } else { value })
    }
    #[inline(always)]
    fn sum(self, value: Unit) -> f32 {
        fold(value, |a, b| a + b)
    }
    #[inline(always)]
    fn top(self, value: Unit) -> f32 {
        fold(value, larger)
    }
    #[inline(always)]
    fn half(self, bits: u16) -> f32 {
        f16_to_f32(bits)
    }
    #[inline(always)]
    fn widen(self, bits: &[u16; 16]) -> Unit {
        each(bits, f16_to_f32)
    }
    #[inline(always)]
    fn narrow(self, value: Unit, to: &mut [u16; 16]) {
        *to = each(&value, f32_to_f16);
    }
    #[inline(always)]
    fn halves(self, from: &[u8; 32]) -> Unit {
        let mut out = [0.0; 16];
        for (out, &half) in out.iter_mut().zip(from.as_chunks().0) {
            *out = f16_to_f32(u16::from_le_bytes(half));
        }
        out
    }
    #[inline(always)]
    fn eight_pairs(self, pairs: [u32; 8]) -> Unit {
        let bytes = pairs.map(u32::to_le_bytes);
        self.halves(bytes.as_flattened().as_array().unwrap_or(&[0; 32]))
    }
    #[inline(always)]
    fn half_pairs(self, pairs: [u32; 16]) -> [Unit; 2] {
        let mut bytes = [[0; 4]; 16];
        for (bytes, pair) in bytes.iter_mut().zip(pairs) {
            *bytes = pair.to_le_bytes();
        }
        match bytes.as_flattened().as_chunks().0 {
            [first, second] => [self.halves(first), self.halves(second)],
            _ => unreachable!("64 bytes are two of 32"),
        }
    }
    #[inline(always)]
    fn bytes(self, from: &[u8; 16]) -> [i32; 16] {
        each(from, i32::from)
    }
    #[inline(always)]
    fn signed_bytes(self, from: &[u8; 16]) -> Unit {
        each(from, |byte| f32::from(byte.cast_signed()))
    }
    #[inline(always)]
    fn upper_halves(self, from: &[u8; 32]) -> Unit {
        let (pairs, _) = from.as_chunks::<2>();
        let mut out = [0.0; 16];
        for (out, &pair) in out.iter_mut().zip(pairs) {
            *out = bf16_to_f32(u16::from_le_bytes(pair));
        }
        out
    }
    #[inline(always)]
    fn fifth_bits(self, bits: u16) -> [i32; 16] {
        let mut out = [0; 16];
        for (lane, out) in out.iter_mut().enumerate() {
            *out = i32::from(bits >> lane & 1) << 4;
        }
        out
    }
    #[inline(always)]
    fn and(self, a: [i32; 16], mask: i32) -> [i32; 16] {
        each(&a, |a| a & mask)
    }
    #[inline(always)]
    fn or(self, a: [i32; 16], b: [i32; 16]) -> [i32; 16] {
        pairs(a, b, |a, b| a | b)
    }
    #[inline(always)]
    fn down<const N: u32>(self, a: [i32; 16]) -> [i32; 16] {
        each(&a, |a| (a.cast_unsigned() >> N).cast_signed())
    }
    #[inline(always)]
    fn up<const N: u32>(self, a: [i32; 16]) -> [i32; 16] {
        each(&a, |a| a << N)
    }
    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "lanes hold at most 8 bits where this is used")]
    fn float(self, a: [i32; 16]) -> Unit {
        each(&a, |a| a as f32)
    }
    #[inline(always)]
    fn scale_by_power(self, value: Unit, shifted: Unit) -> Unit {
        pairs(value, shifted, |value, shifted| {
            f32::from_bits(value.to_bits().wrapping_add(shifted.to_bits() << 23))
        })
    }
    #[inline(always)]
    fn table(self, scale: Unit, offset: Unit) -> (f32, f32) {
        (scale[0], offset[0])
    }
    #[inline(always)]
    fn low(self, (scale, offset): (f32, f32), bytes: [i32; 16]) -> Unit {
        each(&self.float(self.and(bytes, 15)), |nibble| scale * nibble + offset)
    }
    #[inline(always)]
    fn high(self, (scale, offset): (f32, f32), bytes: [i32; 16]) -> Unit {
        each(&self.float(self.down::<4>(bytes)), |nibble| scale * nibble + offset)
    }
    #[inline(always)]
    fn lookup(self, values: &[i8; 16], packed: &[u8; 16]) -> [Unit; 2] {
        let value = |nibble: u8| f32::from(values[usize::from(nibble)]);
        [each(packed, |byte| value(byte & 15)), each(packed, |byte| value(byte >> 4))]
    }
    #[inline(always)]
    fn prefetch<T>(self, _from: &[T], _ahead_bytes: usize) {}
    #[inline(always)]
    fn prefetch_far<T>(self, _from: &[T], _ahead_bytes: usize) {}
    #[inline(always)]
    fn transpose(self, rows: &[Line; 16], to: &mut [Line], stride: usize) {
        for (column, out) in to.iter_mut().step_by(stride).take(16).enumerate() {
            out.0 = each(rows, |row| row.0[column]);
        }
    }
}
