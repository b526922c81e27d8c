//! Inputs as planes of bytes.

use alloc::vec::Vec;

use crate::simd::{Op, Simd, Unit};
use crate::words::{STRETCH, Stretch, UNIT, Words};

/// Units of a group: blocks whose bytes fill a register.
pub(crate) const GROUP: usize = 4;
/// Groups of a stretch.
const GROUPS: usize = STRETCH / GROUP;

/// A group of an input: 128 activations. Of each plane sixteen bytes of each unit: first those that lower nibbles of weights
/// are for, then those that upper ones are for.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Group {
    /// Words less their lower bytes, as signed ones, by 256.
    pub(crate) upper: [[[u16; 8]; GROUP]; 2],
    /// Lower bytes of words, signed.
    pub(crate) lower: [[[u16; 8]; GROUP]; 2],
    /// Of each four bytes of both halves of a unit what the words sum up to.
    pub(crate) sums: Unit,
    /// What a word counts.
    pub(crate) scale: f32,
}

impl Group {
    const ZERO: Self =
        Self { upper: [[[0; 8]; GROUP]; 2], lower: [[[0; 8]; GROUP]; 2], sums: [0.0; 16], scale: 0.0 };
}

/// Inputs `[n, cols]`. The last stretch of each is filled up with zeros.
#[derive(Debug, Default)]
pub(crate) struct Planes {
    /// Groups of an input.
    len: usize,
    groups: Vec<Group>,
}

impl Planes {
    /// Input `number`.
    #[inline(always)]
    pub(super) fn input(&self, number: usize) -> &[Group] {
        &self.groups[number * self.len..][..self.len]
    }
}

/// Keeps so many inputs of `words` instead of what was kept. Allocates where there were never as many.
pub(crate) struct Fill<'p, 'w> {
    pub(crate) planes: &'p mut Planes,
    pub(crate) words: &'w Words,
    pub(crate) inputs: usize,
}

impl Op for Fill<'_, '_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { planes: Planes { len, groups }, words, inputs } = self;
        *len = words.input(0).stretches.len() * GROUPS;
        groups.resize((inputs * *len).max(groups.len()), Group::ZERO);
        let stretches = (0..inputs).flat_map(|input| words.input(input).stretches);
        for (stretch, groups) in stretches.zip(groups.as_chunks_mut::<GROUPS>().0) {
            fill(stretch, groups);
        }
    }
}

#[inline(always)]
fn fill(stretch: &Stretch, groups: &mut [Group; GROUPS]) {
    for (group, units) in groups.iter_mut().zip(stretch.words.as_chunks::<GROUP>().0) {
        group.scale = stretch.scale;
        for (unit, words) in units.iter().enumerate() {
            let (upper, lower) = bytes(words);
            for half in 0..2 {
                group.upper[half][unit] = upper[half];
                group.lower[half][unit] = lower[half];
            }
            group.sums.as_chunks_mut::<4>().0[unit] = sums(words);
        }
    }
}

/// Words, which are in the order of [`crate::words::place`], as upper and lower bytes as columns lie, two in a number.
#[inline(always)]
fn bytes(words: &[i16; UNIT]) -> ([[u16; 8]; 2], [[u16; 8]; 2]) {
    let [mut upper, mut lower] = [[0; UNIT / 2]; 2];
    for at in 0..UNIT / 2 {
        let (even, odd) = (words[at].cast_unsigned(), words[UNIT / 2 + at].cast_unsigned());
        lower[at] = even & 0xFF | odd << 8;
        // No word is so large that half a step of the upper byte makes it another's.
        upper[at] = even.wrapping_add(128) >> 8 | odd.wrapping_add(128) & 0xFF00;
    }
    let halves = |bytes: &[u16; UNIT / 2]| [*cut(bytes, 0), *cut(bytes, 8)];
    (halves(&upper), halves(&lower))
}

#[inline(always)]
fn cut(words: &[u16; UNIT / 2], at: usize) -> &[u16; 8] {
    let Some(cut) = words[at..].first_chunk() else { unreachable!("a unit has two halves") };
    cut
}

/// Of each four columns and of those sixteen further on the sum: at most 21 bits.
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "21 bits fit")]
fn sums(words: &[i16; UNIT]) -> [f32; 4] {
    core::array::from_fn(|lane| {
        let first = [0, 8, UNIT / 2, UNIT / 2 + 8].map(|at| at + 2 * lane);
        let sums = first.map(|at| i32::from(words[at]) + i32::from(words[at + 1]));
        (sums[0] + sums[1] + sums[2] + sums[3]) as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portable::Portable;

    fn planes(x: &[f32]) -> Planes {
        let (mut words, mut planes) = (Words::default(), Planes::default());
        words.set(Portable, x, x.len());
        Fill { planes: &mut planes, words: &words, inputs: 1 }.run(Portable);
        planes
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "16 bits fit")]
    fn bytes_of_both_planes_are_the_word_and_sums_are_theirs() {
        let mut x = [0.0; 288];
        for (at, x) in x.iter_mut().enumerate() {
            *x = (at as f32 * 977.0) % 65_279.0 - 32_639.0;
        }
        (x[255], x[287]) = (32_639.0, 32_639.0);
        let planes = planes(&x);
        assert_eq!(planes.input(0).len(), 4);
        let mut lanes = [[0.0; 16]; 4];
        for (column, x) in x.iter().enumerate() {
            let (group, unit, place) = (column / 128, column / 32 % 4, column % 32);
            let Group { upper, lower, scale, .. } = &planes.input(0)[group];
            let byte = |plane: &[[[u16; 8]; 4]; 2]| {
                let pair = plane[place / 16][unit][place % 16 / 2].to_le_bytes();
                i32::from(pair[place % 2].cast_signed())
            };
            let word = 256 * byte(upper) + byte(lower);
            assert!((word as f32 * scale - x).abs() <= 0.5, "column {column}");
            lanes[group][unit * 4 + place % 16 / 4] += word as f32;
        }
        assert_eq!(lanes, core::array::from_fn(|group| planes.input(0)[group].sums));
    }
}
