//! Words in plain Rust: the reference.

use super::{UNIT, WordLanes};
use crate::portable::Portable;

type Words = [i16; UNIT];

#[inline(always)]
fn each(mut words: Words, f: impl Fn(i16) -> i16) -> Words {
    for word in &mut words {
        *word = f(*word);
    }
    words
}

/// Products of half a unit.
#[inline(always)]
fn dot(a: &[i16], x: &[i16]) -> i32 {
    a.iter().zip(x).map(|(a, x)| i32::from(*a) * i32::from(*x)).sum()
}

#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "rounded once, as vector units do")]
fn scaled(sum: i32, scale: f32) -> f32 {
    sum as f32 * scale
}

impl WordLanes for Portable {
    type W = Words;
    type Sums = [f32; 2];

    #[inline(always)]
    fn byte_words(self, from: &[u8; UNIT]) -> Words {
        from.map(i16::from)
    }
    #[inline(always)]
    fn signed_words(self, from: &[u8; UNIT]) -> Words {
        from.map(|byte| i16::from(byte.cast_signed()))
    }
    #[inline(always)]
    fn nibble_words(self, from: &[u8; 16]) -> Words {
        core::array::from_fn(|i| i16::from(if i < 16 { from[i] & 15 } else { from[i - 16] >> 4 }))
    }
    #[inline(always)]
    fn fifth_words(self, bits: u32) -> Words {
        core::array::from_fn(|i| if bits >> i & 1 == 1 { 16 } else { 0 })
    }
    #[inline(always)]
    fn and_words(self, a: Words, mask: i16) -> Words {
        each(a, |word| word & mask)
    }
    #[inline(always)]
    fn or_words(self, a: Words, b: Words) -> Words {
        core::array::from_fn(|i| a[i] | b[i])
    }
    #[inline(always)]
    fn less_words(self, a: Words, number: i16) -> Words {
        each(a, |word| word - number)
    }
    #[inline(always)]
    fn down_words<const N: i32>(self, a: Words) -> Words {
        each(a, |word| (word.cast_unsigned() >> N).cast_signed())
    }
    #[inline(always)]
    fn up_words<const N: i32>(self, a: Words) -> Words {
        each(a, |word| word << N)
    }
    #[inline(always)]
    fn no_sums(self) -> [f32; 2] {
        [0.0; 2]
    }
    #[inline(always)]
    fn add_dot(self, sums: [f32; 2], a: Words, x: &Words, scale: f32) -> [f32; 2] {
        self.add_dots(sums, a, x, [scale; 2])
    }
    #[inline(always)]
    fn add_dots(self, [low, high]: [f32; 2], a: Words, x: &Words, scales: [f32; 2]) -> [f32; 2] {
        let half = UNIT / 2;
        [
            low + scaled(dot(&a[..half], &x[..half]), scales[0]),
            high + scaled(dot(&a[half..], &x[half..]), scales[1]),
        ]
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
