//! Activations as words.

use alloc::vec::Vec;

use super::{STRETCH, UNIT, WordLanes};
use crate::simd::{Op, Simd};

/// Largest word: symmetric, so that the negative of a word is one.
const TOP: f32 = 32_767.0;
/// Activations of which all are smaller count as zero: the inverse of their scale would not be a number.
const LEAST: f32 = 1e-30;

/// A stretch of activations.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Stretch {
    /// The words of each unit, in the order of [`super::place`]: an activation is its word times the scale.
    pub(crate) words: [[i16; UNIT]; STRETCH],
    /// Of each unit the sum of its activations.
    pub(crate) sums: [f32; STRETCH],
    /// What a word counts.
    pub(crate) scale: f32,
}

const ZERO: Stretch = Stretch { words: [[0; UNIT]; STRETCH], sums: [0.0; STRETCH], scale: 0.0 };

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
                fill(s, units, stretch);
            }
        }
    }
}

/// Writes the words of the units of a stretch, and what they sum up to. A stretch with NaN has NaN for all scales and sums.
#[inline(always)]
fn fill<S: WordLanes>(s: S, units: &[[f32; UNIT]], stretch: &mut Stretch) {
    let top = units.iter().map(top).max().map_or(0.0, f32::from_bits);
    if top < LEAST {
        return;
    }
    stretch.scale = top / TOP;
    for (unit, x) in units.iter().enumerate() {
        s.store_words(s.rounded_words(x, TOP / top), &mut stretch.words[unit]);
        #[expect(clippy::cast_precision_loss, reason = "32 words sum up to 20 bits")]
        let sum = sum(&stretch.words[unit]) as f32;
        stretch.sums[unit] = stretch.scale * sum;
    }
}

/// The size of the largest, as bits: sizes order alike as integers, and NaN is above all numbers.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "plain loops over fixed lengths become vector code")]
fn top(x: &[f32; UNIT]) -> u32 {
    let mut top = 0;
    for at in 0..UNIT {
        top = top.max(x[at].to_bits() & 0x7FFF_FFFF);
    }
    top
}

#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "plain loops over fixed lengths become vector code")]
fn sum(words: &[i16; UNIT]) -> i32 {
    let mut sum = 0_i32;
    for at in 0..UNIT {
        sum = sum.wrapping_add(i32::from(words[at]));
    }
    sum
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
    fn words_are_rounded_to_nearest_of_the_largest_of_the_stretch() {
        let mut x = [0.0; 288];
        (x[0], x[1], x[2], x[33], x[256]) = (2.0, -1.0, 0.5, -4.0, 8.0);
        let words = words(&x);
        let stretch = &words.input(0)[0];
        assert_eq!(stretch.words[0][..3], [16_384, 4096, 0]);
        assert_eq!((stretch.words[0][16], stretch.words[1][16]), (-8192, -32_767));
        assert!((stretch.scale * 32_767.0 - 4.0).abs() < 1e-6);
        let [first, second, ..] = stretch.sums;
        assert!((first - 1.5).abs() < 1e-3 && (second + 4.0).abs() < 1e-6);
        assert_eq!(words.input(0)[1].words[0][0], 32_767);
    }

    #[test]
    fn nothing_stays_nothing_and_what_is_no_number_shows() {
        assert_eq!(words(&[1e-38; 32]).input(0)[0].scale.to_bits(), 0);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = [1.0; 32];
            x[31] = bad;
            assert!(!words(&x).input(0)[0].scale.is_finite());
        }
    }

    #[test]
    fn what_was_kept_before_is_gone() {
        let mut words = words(&[1.0; 4 * 512]);
        words.set(Portable, &[2.0; 64], 32);
        assert_eq!((words.stretches.len(), words.input(1).len()), (2, 1));
        assert_eq!(words.input(1)[0].words[1], [0; UNIT]);
        assert_eq!(words.input(1)[0].sums[1..], [0.0; 7]);
    }
}
