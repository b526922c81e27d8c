//! Words in plain Rust: the reference.

use super::{Numbers, STRETCH, UNIT, WordLanes, place};
use crate::half::f16_to_f32;
use crate::portable::Portable;
use crate::simd::Unit;

type Bytes = [u8; UNIT];
type Words = [i16; UNIT];

/// Added to a number below 2^22 in size, leaves it rounded to an integer in the low bits.
const ROUND: f32 = 12_582_912.0;

/// Bytes as words, in the order of words.
#[inline(always)]
fn words(bytes: Bytes, f: impl Fn(u8) -> i16) -> Words {
    core::array::from_fn(|at| f(bytes[place(at)]))
}

/// Two words, the first in the lower half.
#[inline(always)]
fn joined(low: i16, high: i16) -> u32 {
    u32::from(low.cast_unsigned()) | u32::from(high.cast_unsigned()) << 16
}

/// The two words of a pair.
#[inline(always)]
const fn parted(pair: i32) -> [i32; 2] {
    [pair << 16 >> 16, pair >> 16]
}

impl WordLanes for Portable {
    type B = Bytes;
    type W = Words;
    type Integers = i64;
    type Sums = f32;

    #[inline(always)]
    fn load_bytes(self, from: &Bytes) -> Bytes {
        *from
    }
    #[inline(always)]
    fn nibble_bytes(self, from: &[u8; 16]) -> Bytes {
        core::array::from_fn(|i| if i < 16 { from[i] & 15 } else { from[i - 16] >> 4 })
    }
    #[inline(always)]
    fn fifth_bytes(self, bits: u32) -> Bytes {
        core::array::from_fn(|i| if bits >> i & 1 == 1 { 16 } else { 0 })
    }
    #[inline(always)]
    fn and_bytes(self, a: Bytes, mask: u8) -> Bytes {
        a.map(|byte| byte & mask)
    }
    #[inline(always)]
    fn lookup_bytes(self, a: Bytes, values: &[i8; 16]) -> Bytes {
        a.map(|byte| values[usize::from(byte & 15)].cast_unsigned())
    }
    #[inline(always)]
    fn or_bytes(self, a: Bytes, b: Bytes) -> Bytes {
        core::array::from_fn(|i| a[i] | b[i])
    }
    #[inline(always)]
    fn down_bytes<const N: i32>(self, a: Bytes) -> Bytes {
        a.map(|byte| byte >> N)
    }
    #[inline(always)]
    fn up_bytes<const N: i32>(self, a: Bytes) -> Bytes {
        a.map(|byte| byte << N)
    }
    #[inline(always)]
    fn bytes_around(self, a: Bytes, middle: u8) -> Bytes {
        a.map(|byte| byte.wrapping_sub(middle))
    }
    #[inline(always)]
    fn store_bytes(self, a: Bytes, to: &mut Bytes) {
        *to = a;
    }
    #[inline(always)]
    fn low_nibbles(self, a: Bytes) -> Words {
        words(a, |byte| i16::from(byte & 15))
    }
    #[inline(always)]
    fn high_nibbles(self, a: Bytes) -> Words {
        words(a, |byte| i16::from(byte >> 4))
    }
    #[inline(always)]
    fn unsigned_words(self, a: Bytes) -> Words {
        words(a, i16::from)
    }
    #[inline(always)]
    fn words_around(self, a: Bytes, middle: i16) -> Words {
        words(a, |byte| i16::from(byte) - middle)
    }
    #[inline(always)]
    fn signed_words(self, a: Bytes) -> Words {
        words(a, |byte| i16::from(byte.cast_signed()))
    }
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are what is wanted")]
    fn rounded_words(self, x: &[f32; UNIT], factor: f32) -> Words {
        core::array::from_fn(|at| (x[place(at)] * factor + ROUND).to_bits() as i16)
    }
    #[inline(always)]
    fn half_sums(self, a: Words) -> [i32; 2] {
        let mut sums = [0; 2];
        for (at, word) in a.into_iter().enumerate() {
            sums[place(at) / (UNIT / 2)] += i32::from(word);
        }
        sums
    }
    #[inline(always)]
    fn store_words(self, a: Words, to: &mut Words) {
        *to = a;
    }
    #[inline(always)]
    fn load_words(self, from: &Words) -> Words {
        *from
    }
    #[inline(always)]
    fn times(self, a: Words, multiplier: i32) -> Words {
        self.times_halves(a, &[multiplier; 8], 0)
    }
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "multipliers fit words")]
    fn times_halves(self, a: Words, multipliers: &[i32; 8], at: usize) -> Words {
        core::array::from_fn(|word| {
            a[word].wrapping_mul(multipliers[place(word) / (UNIT / 2) * 4 + at] as i16)
        })
    }
    #[inline(always)]
    fn word_bits(self, a: Words) -> Unit {
        core::array::from_fn(|at| f32::from_bits(joined(a[2 * at], a[2 * at + 1])))
    }
    #[inline(always)]
    fn no_pairs(self) -> [i32; 16] {
        [0; 16]
    }
    #[inline(always)]
    fn load_pairs(self, from: &Unit) -> [i32; 16] {
        from.map(|bits| bits.to_bits().cast_signed())
    }
    #[inline(always)]
    fn splat_pair(self, [low, high]: &[i16; 2]) -> [i32; 16] {
        [joined(*low, *high).cast_signed(); 16]
    }
    #[inline(always)]
    fn add_pairs(self, sums: [i32; 16], a: [i32; 16], x: [i32; 16]) -> [i32; 16] {
        core::array::from_fn(|at| {
            let ([a, b], [x, y]) = (parted(a[at]), parted(x[at]));
            sums[at] + a * x + b * y
        })
    }
    #[inline(always)]
    fn scales(self, halves: [u16; STRETCH], to: &mut Numbers) {
        to.scales = halves.map(f16_to_f32);
    }
    #[inline(always)]
    fn scales_around(self, halves: [u16; STRETCH], middle: f32, to: &mut Numbers) {
        self.scales(halves, to);
        to.offsets[0] = to.scales.map(|scale| scale * -middle);
    }
    #[inline(always)]
    fn deal(self, pairs: Unit, to: &mut Numbers) {
        for (unit, [scale, offset]) in pairs.as_chunks().0.iter().enumerate() {
            (to.scales[unit], to.offsets[0][unit]) = (*scale, *offset);
        }
    }
    #[inline(always)]
    fn multipliers(self, bytes: &[u8; 2 * STRETCH], to: &mut Numbers) {
        for (place, byte) in bytes.iter().enumerate() {
            let (unit, half) = (place / 2, place % 2);
            to.multipliers[unit / 4 * 8 + half * 4 + unit % 4] = i32::from(byte.cast_signed());
        }
    }
    #[inline(always)]
    fn six_bits(self, header: &[u8; 16], to: &mut Numbers) {
        let [scale, minimum] = [0, 2].map(|at| f16_to_f32(u16::from_le_bytes([header[at], header[at + 1]])));
        let (scales, minima, both) = (&header[4..8], &header[8..12], &header[12..]);
        to.scales[0] = scale;
        for group in 0..STRETCH {
            let g = group % 4;
            let (s, m) = if group < 4 {
                (scales[g] & 63, minima[g] & 63)
            } else {
                (both[g] & 15 | scales[g] >> 6 << 4, both[g] >> 4 | minima[g] >> 6 << 4)
            };
            to.offsets[0][group] = -minimum * f32::from(m);
            to.multipliers[group] = i32::from(s);
        }
    }
    #[inline(always)]
    fn no_integers(self) -> i64 {
        0
    }
    #[inline(always)]
    fn add_products(self, sums: i64, a: Words, x: &Words) -> i64 {
        sums + a.iter().zip(x).map(|(a, x)| i64::from(*a) * i64::from(*x)).sum::<i64>()
    }
    #[inline(always)]
    fn kept_pairs(self, sums: Self::I) -> Self::I {
        sums
    }
    #[inline(always)]
    fn kept(self, sums: Self::Integers) -> Self::Integers {
        sums
    }
    #[inline(always)]
    fn add_times(self, sums: i64, a: Words, x: &Words, multiplier: i32) -> i64 {
        self.add_products(sums, self.times(a, multiplier), x)
    }
    #[inline(always)]
    fn add_times_halves(self, sums: i64, a: Words, x: &Words, multipliers: &[i32; 8], at: usize) -> i64 {
        self.add_products(sums, self.times_halves(a, multipliers, at), x)
    }
    #[inline(always)]
    fn no_sums(self) -> f32 {
        0.0
    }
    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "rounded once, as vector units do")]
    fn add_integers(self, sums: f32, integers: i64, scale: f32) -> f32 {
        sums + integers as f32 * scale
    }
    #[inline(always)]
    fn add_scaled(self, sums: f32, part: f32, scale: f32) -> f32 {
        sums + part * scale
    }
    #[inline(always)]
    fn add_offsets(self, sums: f32, offsets: &[f32; STRETCH], x: &[f32; STRETCH]) -> f32 {
        sums + offsets.iter().zip(x).map(|(offset, x)| offset * x).sum::<f32>()
    }
    #[inline(always)]
    fn join(self, a: f32, b: f32) -> f32 {
        a + b
    }
    #[inline(always)]
    fn total(self, sums: f32) -> f32 {
        sums
    }
}
