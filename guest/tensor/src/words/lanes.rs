//! What an instruction set does with words.

use super::UNIT;

/// Operations on thirty-two 16-bit words, and sums of their products.
///
/// Methods are `#[inline(always)]` in every implementation.
pub(crate) trait WordLanes: Copy {
    /// Thirty-two words.
    type W: Copy;
    /// Sums of products in several lanes.
    type Sums: Copy;

    /// Unsigned bytes.
    fn byte_words(self, from: &[u8; UNIT]) -> Self::W;
    /// Signed bytes.
    fn signed_words(self, from: &[u8; UNIT]) -> Self::W;
    /// The lower nibbles of sixteen bytes, then the upper ones.
    fn nibble_words(self, from: &[u8; 16]) -> Self::W;
    /// 16 in word `i` if bit `i` of `bits` is set, else 0.
    fn fifth_words(self, bits: u32) -> Self::W;
    /// Words and `mask`.
    fn and_words(self, a: Self::W, mask: i16) -> Self::W;
    /// Word-wise or.
    fn or_words(self, a: Self::W, b: Self::W) -> Self::W;
    /// Words less `number`.
    fn less_words(self, a: Self::W, number: i16) -> Self::W;
    /// Words moved down by `N` bits, zeros from the top.
    fn down_words<const N: i32>(self, a: Self::W) -> Self::W;
    /// Words moved up by `N` bits.
    fn up_words<const N: i32>(self, a: Self::W) -> Self::W;

    /// Sums of nothing.
    fn no_sums(self) -> Self::Sums;
    /// Adds `scale · Σ a · x`. Words of `a` are below 2^8 in size, so that no sum of a unit overflows.
    fn add_dot(self, sums: Self::Sums, a: Self::W, x: &[i16; UNIT], scale: f32) -> Self::Sums;
    /// As [`Self::add_dot`], with a scale for each half.
    fn add_dots(self, sums: Self::Sums, a: Self::W, x: &[i16; UNIT], scales: [f32; 2]) -> Self::Sums;
    /// Lanes of both.
    fn join(self, a: Self::Sums, b: Self::Sums) -> Self::Sums;
    /// All lanes together.
    fn total(self, sums: Self::Sums) -> f32;
}
