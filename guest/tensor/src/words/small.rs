//! Formats of 32 elements a block, with one scale and perhaps a minimum as halves.

use super::{Multipliers, Numbers, STRETCH, WordFormat, WordLanes, cut};
use crate::codebook::{FOUR_BIT_FLOATS, IQ4_VALUES, half_of_power};
use crate::simd::Simd;

pub(super) struct Q8_0;
pub(super) struct Q4_0;
pub(super) struct Q4_1;
pub(super) struct Q5_0;
pub(super) struct Q5_1;
pub(super) struct Iq4Nl;
pub(super) struct Mxfp4;

#[inline(always)]
fn first_word<const B: usize>(block: &[u8; B]) -> u32 {
    u32::from_le_bytes(*cut(block, 0))
}

/// Scale and minimum of each block, which lie side by side.
#[inline(always)]
fn with_minimum<S: WordLanes, const B: usize>(s: S, blocks: &[[u8; B]; STRETCH], to: &mut Numbers) {
    let [a, b, c, d, e, f, g, h] = blocks;
    let word = first_word::<B>;
    // Of fixed length, so that the words go from memory to register.
    s.deal(s.eight_pairs([word(a), word(b), word(c), word(d), word(e), word(f), word(g), word(h)]), to);
}

/// Scale of each block.
#[inline(always)]
fn scales<const B: usize>(blocks: &[[u8; B]; STRETCH]) -> [u16; STRETCH] {
    let [a, b, c, d, e, f, g, h] = blocks;
    let half = |block| u16::from_le_bytes(*cut::<2>(block, 0));
    [half(a), half(b), half(c), half(d), half(e), half(f), half(g), half(h)]
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
fn two_halves<S: Simd, const B: usize>(s: S, block: &[u8; B]) -> [f32; 2] {
    let word = first_word(block);
    [s.half(word as u16), s.half((word >> 16) as u16)]
}

/// Formats by how a block becomes bytes, and words.
macro_rules! format {
    // Words are as they lie, bytes less the middle.
    ($name:ident, $block:literal, around $middle:literal, $bytes:expr, $words:expr) => {
        format!(
            $name,
            $block,
            (true, 1, |s: S, blocks, to| s.scales_around(scales(blocks), $middle, to)),
            $bytes,
            $words,
            |s: S, block| {
                let [scale, _] = two_halves(s, block);
                [scale, scale * -$middle]
            }
        );
    };
    ($name:ident, $block:literal, with_minimum, $bytes:expr, $words:expr) => {
        format!($name, $block, (false, 1, with_minimum), $bytes, $words, two_halves);
    };
    ($name:ident, $block:literal, by $scales:expr, $bytes:expr, $scale:expr) => {
        format!(
            $name,
            $block,
            (true, 0, $scales),
            $bytes,
            |s: S, block| s.signed_words($bytes(s, block)),
            |s, block| [$scale(s, block), 0.0]
        );
    };
    ($name:ident, $block:literal, ($signed:literal, $offsets:literal, $numbers:expr), $bytes:expr, $words:expr, $pair:expr) => {
        impl WordFormat<$block, STRETCH> for $name {
            const RUN: usize = 1;
            const MULTIPLIERS: Multipliers = Multipliers::None;
            const OFFSETS: usize = $offsets;
            const IS_SIGNED: bool = $signed;

            #[inline(always)]
            fn numbers<S: WordLanes>(s: S, blocks: &[[u8; $block]; STRETCH], to: &mut Numbers) {
                $numbers(s, blocks, to);
            }

            #[inline(always)]
            fn bytes<S: WordLanes>(s: S, blocks: &[[u8; $block]; STRETCH], unit: usize) -> S::B {
                $bytes(s, &blocks[unit])
            }

            #[inline(always)]
            fn words<S: WordLanes>(s: S, blocks: &[[u8; $block]; STRETCH], unit: usize) -> S::W {
                $words(s, &blocks[unit])
            }

            #[inline(always)]
            fn single<S: WordLanes>(s: S, block: &[u8; $block]) -> ([f32; 2], S::W) {
                ($pair(s, block), $words(s, block))
            }
        }
    };
}

/// The sixteen bytes of nibbles at `at`.
#[inline(always)]
fn four_bits<S: WordLanes>(s: S, block: &[u8], at: usize) -> S::B {
    s.nibble_bytes(cut(block, at))
}

/// The same as words.
#[inline(always)]
fn four_bit_words<S: WordLanes>(s: S, block: &[u8], at: usize) -> S::W {
    s.nibble_words(cut(block, at))
}

/// Nibbles at `nibbles`, fifth bits at `bits`.
#[inline(always)]
fn five_bits<S: WordLanes>(s: S, block: &[u8], bits: usize, nibbles: usize) -> S::B {
    let fifths = s.fifth_bytes(u32::from_le_bytes(*cut(block, bits)));
    s.or_bytes(four_bits(s, block, nibbles), fifths)
}

/// The same as words.
#[inline(always)]
fn five_bit_words<S: WordLanes>(s: S, block: &[u8], bits: usize, nibbles: usize) -> S::W {
    s.five_bit_words(cut(block, nibbles), u32::from_le_bytes(*cut(block, bits)))
}

format!(
    Q8_0,
    34,
    by |s: S, blocks, to| s.scales(scales(blocks), to),
    |s: S, block: &[u8; 34]| s.load_bytes(cut(block, 2)),
    |s, block| two_halves(s, block)[0]
);
format!(Q4_0, 18, around 8.0, |s: S, block| s.bytes_around(four_bits(s, block, 2), 8), |s, block| four_bit_words(s, block, 2));
format!(Q4_1, 20, with_minimum, |s, block| four_bits(s, block, 4), |s, block| four_bit_words(s, block, 4));
format!(Q5_0, 22, around 16.0, |s: S, block| s.bytes_around(five_bits(s, block, 2, 6), 16), |s, block| five_bit_words(s, block, 2, 6));
format!(Q5_1, 24, with_minimum, |s, block| five_bits(s, block, 4, 8), |s, block| five_bit_words(
    s, block, 4, 8
));
/// The values of `IQ4_NL` and 128, as bytes: these become words in fewer steps than signed ones.
const IQ4_RAISED: [i8; 16] = {
    let (mut out, mut at) = (IQ4_VALUES, 0);
    while at < out.len() {
        out[at] = out[at].wrapping_add(-128);
        at += 1;
    }
    out
};
format!(
    Iq4Nl,
    18,
    around 128.0,
    |s: S, block| s.lookup_bytes(four_bits(s, block, 2), &IQ4_VALUES),
    |s: S, block| s.unsigned_words(s.lookup_bytes(four_bits(s, block, 2), &IQ4_RAISED))
);
// Weights of 2^108 and more overflow sums of their products with words, which then are infinite.
format!(
    Mxfp4,
    17,
    by |_: S, blocks: &[[u8; 17]; STRETCH], to: &mut Numbers| {
        to.scales = blocks.each_ref().map(|block| half_of_power(block[0]));
    },
    |s: S, block| s.lookup_bytes(four_bits(s, block, 1), &FOUR_BIT_FLOATS),
    |_, block: &[u8; 17]| half_of_power(block[0])
);
