//! Words in plain Rust: the reference.

use super::{UNIT, WordLanes, place};
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

/// Products of the words of one half of the places.
#[inline(always)]
fn dot(a: &Words, x: &Words, half: usize) -> i32 {
    let of_half = (0..UNIT).filter(|at| place(*at) / (UNIT / 2) == half);
    of_half.map(|at| i32::from(a[at]) * i32::from(x[at])).sum()
}

#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "rounded once, as vector units do")]
fn scaled(sum: i32, scale: f32) -> f32 {
    sum as f32 * scale
}

impl WordLanes for Portable {
    type B = Bytes;
    type W = Words;
    type Sums = [f32; 2];

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
    fn or_bytes(self, a: Bytes, b: Bytes) -> Bytes {
        core::array::from_fn(|i| a[i] | b[i])
    }
    #[inline(always)]
    fn less_bytes(self, a: Bytes, number: u8) -> Bytes {
        a.map(|byte| byte.wrapping_sub(number))
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
    fn signed_words(self, a: Bytes) -> Words {
        words(a, |byte| i16::from(byte.cast_signed()))
    }
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are what is wanted")]
    fn rounded_words(self, x: &[f32; UNIT], factor: f32) -> Words {
        core::array::from_fn(|at| (x[place(at)] * factor + ROUND).to_bits() as i16)
    }
    #[inline(always)]
    fn store_words(self, a: Words, to: &mut Words) {
        *to = a;
    }
    #[inline(always)]
    fn word_bits(self, a: Words) -> Unit {
        core::array::from_fn(|at| f32::from_bits(joined(a[2 * at], a[2 * at + 1])))
    }
    #[inline(always)]
    fn six_bits(self, header: &[u8; 16]) -> Unit {
        let [scale, minimum] = [0, 2].map(|at| f16_to_f32(u16::from_le_bytes([header[at], header[at + 1]])));
        let (scales, minima, both) = (&header[4..8], &header[8..12], &header[12..]);
        let mut out = [0.0; 16];
        for (group, pair) in out.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let g = group % 4;
            let (s, m) = if group < 4 {
                (scales[g] & 63, minima[g] & 63)
            } else {
                (both[g] & 15 | scales[g] >> 6 << 4, both[g] >> 4 | minima[g] >> 6 << 4)
            };
            *pair = [scale * f32::from(s), -minimum * f32::from(m)];
        }
        out
    }
    #[inline(always)]
    fn no_sums(self) -> [f32; 2] {
        [0.0; 2]
    }
    #[inline(always)]
    fn add_dot(self, sums: [f32; 2], a: Words, x: &Words, scale: f32) -> [f32; 2] {
        self.add_dots(sums, a, x, &[scale; 2])
    }
    #[inline(always)]
    fn add_dots(self, [low, high]: [f32; 2], a: Words, x: &Words, scales: &[f32; 2]) -> [f32; 2] {
        [low + scaled(dot(&a, x, 0), scales[0]), high + scaled(dot(&a, x, 1), scales[1])]
    }
    #[inline(always)]
    fn no_integers(self) -> [i32; 16] {
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
    fn add_products(self, sums: [i32; 16], a: [i32; 16], x: [i32; 16]) -> [i32; 16] {
        core::array::from_fn(|at| {
            let ([a, b], [x, y]) = (parted(a[at]), parted(x[at]));
            sums[at] + a * x + b * y
        })
    }
    #[inline(always)]
    fn join(self, a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
        [a[0] + b[0], a[1] + b[1]]
    }
    #[inline(always)]
    fn total(self, [low, high]: [f32; 2]) -> f32 {
        low + high
    }
}
