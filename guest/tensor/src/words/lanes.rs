//! What an instruction set does with words.

use super::{Numbers, STRETCH, UNIT};
use crate::simd::{Simd, Unit};

/// Operations on thirty-two bytes and on thirty-two 16-bit words, and sums of products of words.
///
/// Words lie in [`place`] order: those of even places, then those of odd ones. So bytes fall into words by a mask and a
/// shift, without crossing lanes.
///
/// Methods are `#[inline(always)]` in every implementation.
pub(crate) trait WordLanes: Simd {
    /// Thirty-two bytes.
    type B: Copy;
    /// Thirty-two words.
    type W: Copy;
    /// Sums of products in several lanes, each the same places of every unit.
    type Integers: Copy;
    /// The same as floats.
    type Sums: Copy;

    /// Bytes as they lie.
    fn load_bytes(self, from: &[u8; UNIT]) -> Self::B;
    /// The lower nibbles of sixteen bytes, then the upper ones.
    fn nibble_bytes(self, from: &[u8; 16]) -> Self::B;
    /// 16 in byte `i` if bit `i` of `bits` is set, else 0.
    fn fifth_bytes(self, bits: u32) -> Self::B;
    /// Bytes and `mask`.
    fn and_bytes(self, a: Self::B, mask: u8) -> Self::B;
    /// What bytes below 16 stand for in `values`.
    fn lookup_bytes(self, a: Self::B, values: &[i8; 16]) -> Self::B;
    /// Byte-wise or.
    fn or_bytes(self, a: Self::B, b: Self::B) -> Self::B;
    /// Bytes moved down by `N` bits, zeros from the top.
    fn down_bytes<const N: i32>(self, a: Self::B) -> Self::B;
    /// Bytes moved up by `N` bits.
    fn up_bytes<const N: i32>(self, a: Self::B) -> Self::B;
    /// Bytes less `middle`, as signed ones.
    fn bytes_around(self, a: Self::B, middle: u8) -> Self::B;
    /// Writes bytes.
    fn store_bytes(self, a: Self::B, to: &mut [u8; UNIT]);

    /// The lower nibbles of sixteen bytes, then the upper ones.
    #[inline(always)]
    fn nibble_words(self, from: &[u8; 16]) -> Self::W {
        self.unsigned_words(self.nibble_bytes(from))
    }
    /// The same with a fifth bit each.
    #[inline(always)]
    fn five_bit_words(self, from: &[u8; 16], bits: u32) -> Self::W {
        self.unsigned_words(self.or_bytes(self.nibble_bytes(from), self.fifth_bytes(bits)))
    }
    /// The lower nibbles.
    fn low_nibbles(self, a: Self::B) -> Self::W;
    /// The upper nibbles.
    fn high_nibbles(self, a: Self::B) -> Self::W;
    /// Unsigned bytes.
    fn unsigned_words(self, a: Self::B) -> Self::W;
    /// Unsigned bytes less `middle`.
    fn words_around(self, a: Self::B, middle: i16) -> Self::W;
    /// Signed bytes.
    fn signed_words(self, a: Self::B) -> Self::W;
    /// Activations times `factor`, rounded to nearest, ties to even; they must be below 2^15 in size.
    fn rounded_words(self, x: &[f32; UNIT], factor: f32) -> Self::W;
    /// What the words of the first sixteen places sum up to, and those of the others.
    fn half_sums(self, a: Self::W) -> [i32; 2];
    /// Writes words.
    fn store_words(self, a: Self::W, to: &mut [i16; UNIT]);
    /// Reads words as they were written.
    fn load_words(self, from: &[i16; UNIT]) -> Self::W;

    /// Words times a number; products are words.
    fn times(self, a: Self::W, multiplier: i32) -> Self::W;
    /// The same with a number for each half of the places: `multipliers[at]` and `multipliers[4 + at]`.
    fn times_halves(self, a: Self::W, multipliers: &[i32; 8], at: usize) -> Self::W;

    /// Scales.
    fn scales(self, halves: [u16; STRETCH], to: &mut Numbers);
    /// Scales, and offsets of values that lie around `middle`.
    fn scales_around(self, halves: [u16; STRETCH], middle: f32, to: &mut Numbers);
    /// Of eight pairs scale and offset.
    fn deal(self, pairs: Self::V, to: &mut Numbers);
    /// The bits of words, two words in each lane.
    fn word_bits(self, a: Self::W) -> Self::V;
    /// Sixteen zeros.
    fn no_pairs(self) -> Self::I;
    /// Pairs of words out of the bits of sixteen floats.
    fn load_pairs(self, from: &Unit) -> Self::I;
    /// A pair of words in all lanes.
    fn splat_pair(self, pair: &[i16; 2]) -> Self::I;
    /// Adds in each lane both products of pairs of words; the caller's numbers are such that no sum overflows.
    fn add_pairs(self, sums: Self::I, a: Self::I, x: Self::I) -> Self::I;
    /// The same sums, as [`kept`](Self::kept) gives them.
    fn kept_pairs(self, sums: Self::I) -> Self::I;

    /// Signed bytes as multipliers of halves.
    fn multipliers(self, bytes: &[u8; 2 * STRETCH], to: &mut Numbers);
    /// Of the eight groups of a `Q4_K` or `Q5_K` block, whose first sixteen bytes these are: the scale of all, the
    /// offset and the multiplier of each.
    ///
    /// Multipliers and minima are six bits each, the last four groups' in two places.
    /// Source: `get_scale_min_k4` of `ggml-quants.c`, four groups at a time.
    fn six_bits(self, header: &[u8; 16], to: &mut Numbers);

    /// Zeros.
    fn no_integers(self) -> Self::Integers;
    /// Adds products; the caller's numbers are such that no sum overflows.
    fn add_products(self, sums: Self::Integers, a: Self::W, x: &[i16; UNIT]) -> Self::Integers;
    /// The same sums, of which the compiler does not know how they were made: it keeps the order in which they are added
    /// to, and with it what registers hold.
    fn kept(self, sums: Self::Integers) -> Self::Integers;
    /// Adds products times a number.
    fn add_times(self, sums: Self::Integers, a: Self::W, x: &[i16; UNIT], multiplier: i32) -> Self::Integers;
    /// The same with a number for each half of the places.
    fn add_times_halves(
        self,
        sums: Self::Integers,
        a: Self::W,
        x: &[i16; UNIT],
        multipliers: &[i32; 8],
        at: usize,
    ) -> Self::Integers;
    /// Sums of nothing.
    fn no_sums(self) -> Self::Sums;
    /// Adds `scale · integers`.
    fn add_integers(self, sums: Self::Sums, integers: Self::Integers, scale: f32) -> Self::Sums;
    /// Adds `scale · part`.
    fn add_scaled(self, sums: Self::Sums, part: Self::Sums, scale: f32) -> Self::Sums;
    /// Adds `offsets · x`, lane by lane, in whatever lanes.
    fn add_offsets(self, sums: Self::Sums, offsets: &[f32; STRETCH], x: &[f32; STRETCH]) -> Self::Sums;
    /// Lanes of both.
    fn join(self, a: Self::Sums, b: Self::Sums) -> Self::Sums;
    /// All lanes together.
    fn total(self, sums: Self::Sums) -> f32;
}

/// The place in a unit of what lies at `at` among its words.
pub(crate) const fn place(at: usize) -> usize {
    at % (UNIT / 2) * 2 + at / (UNIT / 2)
}

/// Pairs of words in a unit.
pub(crate) const PAIRS: usize = UNIT / 2;
