//! Formats of 32 elements a block, with one scale and perhaps a minimum as halves.

use super::{Pairs, STRETCH, WordFormat, cut};
use crate::simd::{Simd, Unit};

pub(super) struct Q8_0;
pub(super) struct Q4_0;
pub(super) struct Q4_1;
pub(super) struct Q5_0;
pub(super) struct Q5_1;

#[inline(always)]
fn first_word<const B: usize>(block: &[u8; B]) -> u32 {
    u32::from_le_bytes(*cut(block, 0))
}

/// Two halves of each block as floats, by what `words` makes of their first four bytes.
#[inline(always)]
fn halves<S: Simd, const B: usize>(s: S, blocks: &[[u8; B]; STRETCH], words: impl Fn(u32) -> u32) -> S::V {
    let [a, b, c, d, e, f, g, h] = blocks;
    let word = |block| words(first_word::<B>(block));
    // Of fixed length, so that the words go from register to register.
    s.eight_pairs([word(a), word(b), word(c), word(d), word(e), word(f), word(g), word(h)])
}

/// Scale and minimum, as they lie side by side.
#[inline(always)]
fn with_minimum<S: Simd, const B: usize>(s: S, blocks: &[[u8; B]; STRETCH]) -> S::V {
    halves(s, blocks, |word| word)
}

/// Scale, and the offset of values that lie around `middle`.
#[inline(always)]
fn around<S: Simd, const B: usize>(s: S, blocks: &[[u8; B]; STRETCH], middle: f32) -> S::V {
    let twice = halves(s, blocks, |word| (word & 0xFFFF) * 0x1_0001);
    let mut factors: Unit = [1.0; 16];
    for factor in factors.iter_mut().skip(1).step_by(2) {
        *factor = -middle;
    }
    s.mul(twice, s.load(&factors))
}

macro_rules! format {
    ($name:ident, $bytes:literal, $pairs:expr, $words:expr) => {
        impl WordFormat<$bytes, STRETCH> for $name {
            const PAIRS: Pairs = Pairs::ScaleAndOffset;

            #[inline(always)]
            fn pairs<S: Simd>(s: S, blocks: &[[u8; $bytes]; STRETCH]) -> S::V {
                $pairs(s, blocks)
            }

            #[inline(always)]
            fn words<S: Simd>(s: S, blocks: &[[u8; $bytes]; STRETCH], unit: usize) -> S::W {
                $words(s, &blocks[unit])
            }
        }
    };
}

/// Nibbles at `nibbles`, fifth bits at `bits`.
#[inline(always)]
fn five_bits<S: Simd>(s: S, block: &[u8], bits: usize, nibbles: usize) -> S::W {
    let fifths = s.fifth_words(u32::from_le_bytes(*cut(block, bits)));
    s.or_words(s.nibble_words(cut(block, nibbles)), fifths)
}

format!(Q8_0, 34, |s, blocks| around(s, blocks, 0.0), |s: S, block| s.signed_words(cut(block, 2)));
format!(Q4_0, 18, |s, blocks| around(s, blocks, 8.0), |s: S, block| s.nibble_words(cut(block, 2)));
format!(Q4_1, 20, |s, blocks| with_minimum(s, blocks), |s: S, block| s.nibble_words(cut(block, 4)));
format!(Q5_0, 22, |s, blocks| around(s, blocks, 16.0), |s, block| five_bits(s, block, 2, 6));
format!(Q5_1, 24, |s, blocks| with_minimum(s, blocks), |s, block| five_bits(s, block, 4, 8));
