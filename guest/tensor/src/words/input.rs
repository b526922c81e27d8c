//! Activations as words.

use alloc::vec::Vec;

use super::{STRETCH, UNIT, WordLanes};
use crate::simd::{Op, Simd, Unit};

/// Largest word: symmetric, so that the negative of a word is one.
const TOP: f32 = 32_767.0;
/// Activations of which all are smaller count as zero: the inverse of their scale would not be a number.
const LEAST: f32 = 1e-30;

/// A stretch of activations.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Stretch {
    /// The words of each unit, in the order of [`super::place`]: an activation is its word times its unit's scale.
    pub(crate) words: [[i16; UNIT]; STRETCH],
    /// Of each unit the scale and the sum of its activations.
    pub(crate) scales_and_sums: Unit,
    /// Of each unit the scale, twice.
    pub(crate) scales: Unit,
}

const ZERO: Stretch =
    Stretch { words: [[0; UNIT]; STRETCH], scales_and_sums: [0.0; 2 * STRETCH], scales: [0.0; 2 * STRETCH] };

/// Inputs `[n, cols]` as words. The last stretch of each is filled up with zeros.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// Stretches of an input.
    len: usize,
    stretches: Vec<Stretch>,
}

impl Words {
    /// Keeps the words of `x`, `[n, cols]` row-major, instead of what was kept; `cols` are whole units. Allocates where there
    /// were never as many.
    pub(crate) fn set<S: Simd>(&mut self, s: S, x: &[f32], cols: usize) {
        self.len = cols.div_ceil(UNIT * STRETCH);
        self.stretches.clear();
        self.stretches.resize(x.len() / cols * self.len, ZERO);
        s.enter(Fill { words: self, x, cols });
    }

    /// Input `number`.
    #[inline(always)]
    pub(crate) fn input(&self, number: usize) -> &[Stretch] {
        &self.stretches[number * self.len..][..self.len]
    }
}

struct Fill<'w, 'x> {
    words: &'w mut Words,
    x: &'x [f32],
    cols: usize,
}

impl Op for Fill<'_, '_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (Words { len, stretches }, s) = (self.words, s.words());
        for (x, stretches) in self.x.chunks_exact(self.cols).zip(stretches.chunks_exact_mut(*len)) {
            for (units, stretch) in x.as_chunks::<UNIT>().0.chunks(STRETCH).zip(stretches) {
                for (unit, x) in units.iter().enumerate() {
                    let (scale, sum) = fill(s, x, &mut stretch.words[unit]);
                    stretch.scales_and_sums.as_chunks_mut().0[unit] = [scale, sum];
                    stretch.scales.as_chunks_mut().0[unit] = [scale; 2];
                }
            }
        }
    }
}

/// Writes the words of a unit, in their order; gives their scale and what they sum up to. A unit with NaN has NaN for both.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "plain loops over fixed lengths become vector code")]
fn fill<S: WordLanes>(s: S, x: &[f32; UNIT], words: &mut [i16; UNIT]) -> (f32, f32) {
    // As integers the sizes order alike, and NaN is above all numbers.
    let mut top = 0;
    for at in 0..UNIT {
        top = top.max(x[at].to_bits() & 0x7FFF_FFFF);
    }
    let top = f32::from_bits(top);
    if top < LEAST {
        *words = [0; UNIT];
        return (0.0, 0.0);
    }
    s.store_words(s.rounded_words(x, TOP / top), words);
    let mut sum = 0_i32;
    for at in 0..UNIT {
        sum = sum.wrapping_add(i32::from(words[at]));
    }
    let scale = top / TOP;
    #[expect(clippy::cast_precision_loss, reason = "32 words sum up to 20 bits")]
    (scale, scale * sum as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portable::Portable;

    fn words(x: &[f32]) -> Words {
        let mut words = Words::default();
        words.set(Portable, x, x.len());
        words
    }

    #[test]
    fn words_are_rounded_to_nearest_of_the_largest() {
        let mut x = [0.0; 64];
        (x[0], x[1], x[2], x[33]) = (2.0, -1.0, 0.5, -3.0);
        let words = words(&x);
        let stretch = &words.input(0)[0];
        assert_eq!(stretch.words[0][..3], [32_767, 8192, 0]);
        assert_eq!((stretch.words[0][16], stretch.words[1][16]), (-16_384, -32_767));
        let [scale, sum, ..] = stretch.scales_and_sums;
        assert!((scale * 32_767.0 - 2.0).abs() < 1e-6 && (sum - 1.5).abs() < 1e-4);
        assert_eq!(stretch.scales[..2], [scale; 2]);
    }

    #[test]
    fn nothing_stays_nothing_and_what_is_no_number_shows() {
        assert_eq!(words(&[1e-38; 32]).input(0)[0].scales[0].to_bits(), 0);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = [1.0; 32];
            x[31] = bad;
            assert!(!words(&x).input(0)[0].scales[0].is_finite());
        }
    }

    #[test]
    fn what_was_kept_before_is_gone() {
        let mut words = words(&[1.0; 4 * 512]);
        words.set(Portable, &[2.0; 64], 32);
        assert_eq!((words.stretches.len(), words.input(1).len()), (2, 1));
        assert_eq!(words.input(1)[0].words[1], [0; UNIT]);
        assert_eq!(words.input(1)[0].scales[2..], [0.0; 14]);
    }
}
