//! Inputs as planes of bytes.

use alloc::vec::Vec;

use super::{has_nibbles, has_wholes};
use crate::Quant;
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

/// A stretch of an input: 256 activations, 64 after 64 as columns lie.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Whole {
    /// As in [`Group`].
    pub(crate) upper: [[[u16; 8]; 4]; 4],
    /// As in [`Group`].
    pub(crate) lower: [[[u16; 8]; 4]; 4],
    /// Of each half of a unit the sum of its activations.
    pub(crate) halves: Unit,
    /// For each unit zero, and the sum of its activations.
    pub(crate) units: Unit,
    /// What a word counts.
    pub(crate) scale: f32,
}

impl Whole {
    const ZERO: Self = Self {
        upper: [[[0; 8]; 4]; 4],
        lower: [[[0; 8]; 4]; 4],
        halves: [0.0; 16],
        units: [0.0; 16],
        scale: 0.0,
    };
}

/// Inputs `[n, cols]`. The last stretch of each is filled up with zeros.
#[derive(Debug, Default)]
pub(crate) struct Planes {
    /// Stretches of an input.
    len: usize,
    groups: Vec<Group>,
    wholes: Vec<Whole>,
    /// Several inputs are multiplied with blocks of 256 faster as words: planes are for one, or where bits must be those of one.
    has_wholes: bool,
}

impl Planes {
    /// Groups of input `number`.
    #[inline(always)]
    pub(super) fn groups(&self, number: usize) -> &[Group] {
        &self.groups[number * self.len * GROUPS..][..self.len * GROUPS]
    }

    /// Stretches of input `number`.
    #[inline(always)]
    pub(super) fn wholes(&self, number: usize) -> &[Whole] {
        &self.wholes[number * self.len..][..self.len]
    }

    /// Whether weights of the format are multiplied with what is kept.
    pub(in crate::matmul) const fn serve(&self, quant: Quant) -> bool {
        has_nibbles(quant) || self.has_wholes && has_wholes(quant)
    }

    #[inline(always)]
    fn set_groups(&mut self, words: &Words, inputs: usize) {
        self.groups.resize((inputs * self.len * GROUPS).max(self.groups.len()), Group::ZERO);
        let stretches = (0..inputs).flat_map(|input| words.input(input).stretches);
        for (stretch, groups) in stretches.zip(self.groups.as_chunks_mut::<GROUPS>().0) {
            fill_groups(stretch, groups);
        }
    }

    #[inline(always)]
    fn set_wholes(&mut self, words: &Words, inputs: usize) {
        self.wholes.resize((inputs * self.len).max(self.wholes.len()), Whole::ZERO);
        let inputs = (0..inputs).map(|input| words.input(input));
        let stretches = inputs.flat_map(|input| input.stretches.iter().zip(input.halves));
        for ((stretch, halves), whole) in stretches.zip(&mut self.wholes) {
            whole.halves.copy_from_slice(halves.as_flattened());
            fill_whole(stretch, whole);
        }
    }
}

/// Keeps so many inputs of `words` instead of what was kept, as those products take them whose weights these are. Allocates where
/// there were never as many.
pub(crate) struct Fill<'p, 'w> {
    planes: &'p mut Planes,
    words: &'w Words,
    inputs: usize,
    groups: bool,
}

impl<'p, 'w> Fill<'p, 'w> {
    pub(crate) fn of(
        planes: &'p mut Planes,
        (words, inputs): (&'w Words, usize),
        is_steady: bool,
        mut kinds: impl Iterator<Item = Quant> + Clone,
    ) -> Self {
        let groups = kinds.clone().any(has_nibbles);
        planes.has_wholes = (inputs == 1 || is_steady) && kinds.any(has_wholes);
        Self { planes, words, inputs, groups }
    }
}

impl Op for Fill<'_, '_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { planes, words, inputs, groups } = self;
        planes.len = words.input(0).stretches.len();
        if groups {
            planes.set_groups(words, inputs);
        }
        if planes.has_wholes {
            planes.set_wholes(words, inputs);
        }
    }
}

#[inline(always)]
fn fill_whole(stretch: &Stretch, to: &mut Whole) {
    to.scale = stretch.scale;
    for (unit, words) in stretch.words.iter().enumerate() {
        to.units[2 * unit + 1] = stretch.sums[unit];
        let (upper, lower) = bytes_of(words);
        for half in 0..2 {
            to.upper.as_flattened_mut()[2 * unit + half] = upper[half];
            to.lower.as_flattened_mut()[2 * unit + half] = lower[half];
        }
    }
}

#[inline(always)]
fn fill_groups(stretch: &Stretch, groups: &mut [Group; GROUPS]) {
    for (group, units) in groups.iter_mut().zip(stretch.words.as_chunks::<GROUP>().0) {
        group.scale = stretch.scale;
        for (unit, words) in units.iter().enumerate() {
            let (upper, lower) = bytes_of(words);
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
pub(in crate::matmul) fn bytes_of(words: &[i16; UNIT]) -> ([[u16; 8]; 2], [[u16; 8]; 2]) {
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
        Fill::of(&mut planes, (&words, 1), false, [Quant::Q4_0, Quant::Q6_K].into_iter()).run(Portable);
        planes
    }

    /// Numbers that are words as they are, with the largest in both stretches.
    fn activations() -> [f32; 288] {
        let mut x =
            core::array::from_fn(|at| f32::from(u16::try_from(at * 977 % 65_279).unwrap()) - 32_639.0);
        (x[255], x[287]) = (32_639.0, 32_639.0);
        x
    }

    /// The number of which two planes have these bytes at place `at` of sixteen.
    fn word(upper: &[u16; 8], lower: &[u16; 8], at: usize) -> f32 {
        let byte = |pairs: &[u16; 8]| i16::from(pairs[at / 2].to_le_bytes()[at % 2].cast_signed());
        f32::from(byte(upper)) * 256.0 + f32::from(byte(lower))
    }

    #[test]
    fn bytes_of_groups_are_the_words_and_sums_are_theirs() {
        let (x, mut lanes) = (activations(), [[0.0; 16]; 4]);
        let planes = planes(&x);
        assert_eq!(planes.groups(0).len(), 4);
        for (column, x) in x.iter().enumerate() {
            let (group, unit, place) = (column / 128, column / 32 % 4, column % 32);
            let Group { upper, lower, scale, .. } = &planes.groups(0)[group];
            let word = word(&upper[place / 16][unit], &lower[place / 16][unit], place % 16);
            assert!((word * scale - x).abs() <= 0.5, "column {column}");
            lanes[group][unit * 4 + place % 16 / 4] += word;
        }
        assert_eq!(lanes, core::array::from_fn(|group| planes.groups(0)[group].sums));
    }

    #[test]
    fn bytes_of_stretches_are_the_words_and_sums_are_theirs() {
        let x = activations();
        let planes = planes(&x);
        let [mut halves, mut units] = [[[0.0_f32; 16]; 2]; 2];
        for (column, x) in x.iter().enumerate() {
            let (stretch, sixteen) = (column / 256, column / 16 % 16);
            let Whole { upper, lower, scale, .. } = &planes.wholes(0)[stretch];
            let word = word(&upper.as_flattened()[sixteen], &lower.as_flattened()[sixteen], column % 16);
            assert!((word * scale - x).abs() <= 0.5, "column {column}");
            halves[stretch][sixteen] += word * scale;
            units[stretch][sixteen | 1] += word * scale;
        }
        for (stretch, whole) in planes.wholes(0).iter().enumerate() {
            for lane in 0..16 {
                assert!((whole.halves[lane] - halves[stretch][lane]).abs() < 1.0, "half {lane}");
                assert!((whole.units[lane] - units[stretch][lane]).abs() < 1.0, "unit {lane}");
            }
        }
    }
}
