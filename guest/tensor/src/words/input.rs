//! Activations as words.

use alloc::vec;
use alloc::vec::Vec;

use super::UNIT;
use crate::simd::{Op, Simd};

/// Largest word: symmetric, so that the negative of a word is one.
const TOP: f32 = 32_767.0;
/// Activations of which all are smaller count as zero: the inverse of their scale would not be a number.
const LEAST: f32 = 1e-30;
/// Added to a number below 2^22 in size, leaves it rounded to an integer in the low bits.
const ROUND: f32 = 12_582_912.0;

/// What one unit has beside its words: its scale and the sum of its activations; or its scale, twice.
pub(crate) type Pair = [f32; 2];

/// Inputs `[n, cols]` as words.
#[derive(Debug)]
pub(crate) struct Words {
    /// Units of a row.
    units: usize,
    words: Vec<[i16; UNIT]>,
    scales_and_sums: Vec<Pair>,
    scales: Vec<Pair>,
}

/// One input, by unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    /// Words.
    pub(crate) words: &'a [[i16; UNIT]],
    /// The scale, and the sum of the activations.
    pub(crate) scales_and_sums: &'a [Pair],
    /// The scale, twice.
    pub(crate) scales: &'a [Pair],
}

impl Words {
    /// The words of `x`, `[n, cols]` row-major; `cols` are whole units.
    pub(crate) fn new<S: Simd>(s: S, x: &[f32], cols: usize) -> Self {
        let count = x.len() / UNIT;
        let mut words = Self {
            units: cols / UNIT,
            words: vec![[0; UNIT]; count],
            scales_and_sums: vec![[0.0; 2]; count],
            scales: vec![[0.0; 2]; count],
        };
        s.enter(Fill { words: &mut words, x });
        words
    }

    /// Input `number`.
    #[inline(always)]
    pub(crate) fn input(&self, number: usize) -> Input<'_> {
        let (start, len) = (number * self.units, self.units);
        Input {
            words: &self.words[start..][..len],
            scales_and_sums: &self.scales_and_sums[start..][..len],
            scales: &self.scales[start..][..len],
        }
    }
}

struct Fill<'w, 'x> {
    words: &'w mut Words,
    x: &'x [f32],
}

impl Op for Fill<'_, '_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Words { words, scales_and_sums, scales, .. } = self.words;
        let pairs = scales_and_sums.iter_mut().zip(scales);
        for ((x, words), (both, twice)) in self.x.as_chunks::<UNIT>().0.iter().zip(words).zip(pairs) {
            let (scale, sum) = fill(x, words);
            (*both, *twice) = ([scale, sum], [scale; 2]);
        }
    }
}

/// Writes the words of a unit; gives their scale and what they sum up to. A unit with NaN has NaN for both.
#[inline(always)]
fn fill(x: &[f32; UNIT], words: &mut [i16; UNIT]) -> (f32, f32) {
    // As integers the sizes order alike, and NaN is above all numbers.
    let top = x.iter().fold(0, |top: u32, x| top.max(x.to_bits() & 0x7FFF_FFFF));
    let top = f32::from_bits(top);
    if top < LEAST {
        return (0.0, 0.0);
    }
    let factor = TOP / top;
    let mut sum = 0_i32;
    for (word, x) in words.iter_mut().zip(x) {
        *word = low_bits(x * factor + ROUND);
        sum += i32::from(*word);
    }
    let scale = top / TOP;
    #[expect(clippy::cast_precision_loss, reason = "32 words sum up to 20 bits")]
    (scale, scale * sum as f32)
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the low bits are what is wanted")]
fn low_bits(shifted: f32) -> i16 {
    shifted.to_bits() as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portable::Portable;

    fn words(x: &[f32]) -> Words {
        Words::new(Portable, x, x.len())
    }

    #[test]
    fn words_are_rounded_to_nearest_of_the_largest() {
        let mut x = [0.0; 64];
        (x[0], x[1], x[33]) = (2.0, -1.0, -3.0);
        let words = words(&x);
        let input = words.input(0);
        assert_eq!(input.words[0][..3], [32_767, -16_384, 0]);
        assert_eq!(input.words[1][1], -32_767);
        let [scale, sum] = input.scales_and_sums[0];
        assert!((scale * 32_767.0 - 2.0).abs() < 1e-6 && (sum - 1.0).abs() < 1e-4);
        assert_eq!(input.scales[0], [scale; 2]);
    }

    #[test]
    fn nothing_stays_nothing_and_what_is_no_number_shows() {
        assert_eq!(words(&[1e-38; 32]).input(0).scales[0][0].to_bits(), 0);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = [1.0; 32];
            x[31] = bad;
            assert!(!words(&x).input(0).scales[0][0].is_finite());
        }
    }
}
