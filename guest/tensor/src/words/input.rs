//! Activations as words.

use alloc::vec::Vec;
use core::ops::Range;

use super::{STRETCH, UNIT, WordLanes};
use crate::simd::{Op, Simd};

/// Largest word: symmetric, so that the negative of a word is one, and so that a word is `256 · a + b` with signed bytes.
const TOP: f32 = 32_639.0;
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

/// One input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'w> {
    pub(crate) stretches: &'w [Stretch],
    /// Of each half of a unit the sum of its activations. Apart, since few formats need them.
    pub(crate) halves: &'w [[[f32; STRETCH]; 2]],
}

impl Input<'_> {
    /// Some stretches of it.
    #[inline(always)]
    pub(crate) fn part(&self, at: Range<usize>) -> Self {
        Self { stretches: &self.stretches[at.clone()], halves: &self.halves[at] }
    }
}

/// Inputs `[n, cols]` as words. The last stretch of each is filled up with zeros.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// Stretches of an input.
    len: usize,
    stretches: Vec<Stretch>,
    halves: Vec<[[f32; STRETCH]; 2]>,
}

impl Words {
    /// Keeps the words of `x`, `[n, cols]` row-major, instead of what was kept; `cols` are whole units. Allocates where there
    /// were never as many.
    pub(crate) fn set<S: Simd>(&mut self, s: S, x: &[f32], cols: usize) {
        self.len = cols.div_ceil(UNIT * STRETCH);
        self.stretches.clear();
        self.stretches.resize(x.len() / cols * self.len, ZERO);
        self.halves.clear();
        self.halves.resize(self.stretches.len(), [[0.0; STRETCH]; 2]);
        s.enter(Fill { words: self, x, cols });
    }

    /// Input `number`.
    #[inline(always)]
    pub(crate) fn input(&self, number: usize) -> Input<'_> {
        let all = Input { stretches: &self.stretches, halves: &self.halves };
        all.part(number * self.len..(number + 1) * self.len)
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
        let (Words { len, stretches, halves }, s) = (self.words, s.words());
        let inputs = stretches.chunks_exact_mut(*len).zip(halves.chunks_exact_mut(*len));
        for (x, (stretches, halves)) in self.x.chunks_exact(self.cols).zip(inputs) {
            let units = x.as_chunks::<UNIT>().0.chunks(STRETCH);
            for ((units, stretch), halves) in units.zip(stretches).zip(halves) {
                fill(s, units, stretch, halves);
            }
        }
    }
}

/// Writes the words of the units of a stretch, and what they sum up to. A stretch with NaN has NaN for all scales and sums.
#[inline(always)]
fn fill<S: WordLanes>(s: S, units: &[[f32; UNIT]], stretch: &mut Stretch, halves: &mut [[f32; STRETCH]; 2]) {
    let top = units.iter().map(top).max().map_or(0.0, f32::from_bits);
    if top < LEAST {
        return;
    }
    stretch.scale = top / TOP;
    for (unit, x) in units.iter().enumerate() {
        let words = s.rounded_words(x, TOP / top);
        s.store_words(words, &mut stretch.words[unit]);
        let [first, second] = s.half_sums(words);
        stretch.sums[unit] = scaled(stretch.scale, first + second);
        for (half, sum) in [first, second].into_iter().enumerate() {
            halves.as_flattened_mut()[2 * unit + half] = scaled(stretch.scale, sum);
        }
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

/// `scale` times the sum of at most 32 words: 20 bits.
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "20 bits fit")]
fn scaled(scale: f32, sum: i32) -> f32 {
    scale * sum as f32
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
        let stretch = &words.input(0).stretches[0];
        assert_eq!(stretch.words[0][..3], [16_320, 4080, 0]);
        assert_eq!((stretch.words[0][16], stretch.words[1][16]), (-8160, -32_639));
        assert!((stretch.scale * 32_639.0 - 4.0).abs() < 1e-6);
        let [first, second, ..] = stretch.sums;
        assert!((first - 1.5).abs() < 1e-3 && (second + 4.0).abs() < 1e-6);
        let [first, second, third, ..] = words.input(0).halves[0][0];
        assert!((first - 1.5).abs() < 1e-3 && second.abs() < 1e-6 && (third + 4.0).abs() < 1e-6);
        assert_eq!(words.input(0).stretches[1].words[0][0], 32_639);
    }

    #[test]
    fn nothing_stays_nothing_and_what_is_no_number_shows() {
        assert_eq!(words(&[1e-38; 32]).input(0).stretches[0].scale.to_bits(), 0);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = [1.0; 32];
            x[31] = bad;
            assert!(!words(&x).input(0).stretches[0].scale.is_finite());
        }
    }

    #[test]
    fn what_was_kept_before_is_gone() {
        let mut words = words(&[1.0; 4 * 512]);
        words.set(Portable, &[2.0; 64], 32);
        assert_eq!((words.stretches.len(), words.input(1).stretches.len()), (2, 1));
        assert_eq!(words.input(1).stretches[0].words[1], [0; UNIT]);
        assert_eq!(words.input(1).stretches[0].sums[1..], [0.0; 7]);
    }
}
