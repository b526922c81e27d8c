//! The integer path: activations as 16-bit words with a scale for each 256 of them, weights unpacked to words, products
//! summed in integers a unit at a time and in f32 across units.
//!
//! A word keeps fifteen bits below the largest of its 256 activations. Vector units multiply words twice as fast as floats,
//! and a weight becomes a word in half the steps it takes to become a float. Weights stay exact: only activations are
//! rounded, and those of all units alike, so that a unit's products need one scale, the weights'.
//!
//! Where units share scales, a product of a row and an input is computed in one order of operations, however many rows and
//! inputs are computed beside it: its bits do not depend on what else is in a pass. Of other formats, and where registers are
//! sixteen floats wide, this holds up to the number of inputs from which panels are used.
//!
//! Everything comes in stretches of 256 columns, eight units of 32: one block of the `K` formats, eight of the others.

mod input;
mod k;
mod lanes;
mod portable;
mod small;

pub(crate) use input::{Input, Stretch, Words};
pub(crate) use lanes::{PAIRS, WordLanes, place};

use crate::Quant;
use crate::simd::Unit;

/// Elements of a unit.
pub(crate) const UNIT: usize = 32;
/// Units of a stretch.
pub(crate) const STRETCH: usize = 8;

/// What a stretch has besides its integers: `weight = scale · word + offset`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers {
    /// Of the first unit of each run.
    pub(crate) scales: [f32; STRETCH],
    /// Of each unit or, where halves of units differ, of each half.
    pub(crate) offsets: [[f32; STRETCH]; 2],
    /// What a unit's words count in its run: of each unit or, where halves of units differ, of the first halves of four
    /// units, of their second halves, and so of the next four. Each fits a word.
    pub(crate) multipliers: [i32; 2 * STRETCH],
}

impl Numbers {
    pub(crate) const ZERO: Self =
        Self { scales: [0.0; STRETCH], offsets: [[0.0; STRETCH]; 2], multipliers: [0; 2 * STRETCH] };

    /// The offsets of all halves.
    #[inline(always)]
    fn of_halves(&mut self) -> &mut Unit {
        match self.offsets.as_flattened_mut().as_mut_array() {
            Some(all) => all,
            None => unreachable!("twice eight are sixteen"),
        }
    }

    /// The multipliers of the four units with `unit` among them.
    #[inline(always)]
    fn halves(&self, unit: usize) -> &[i32; 8] {
        &self.multipliers.as_chunks().0[unit / 4]
    }
}

/// Which multipliers a format has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Multipliers {
    /// Words are as they are.
    None,
    /// One for each unit.
    OfUnits,
    /// One for each half of a unit.
    OfHalves,
}

/// A format of weights whose blocks of `BYTES` bytes become units of words; a stretch has `BLOCKS` of them.
///
/// `RUN` units in a row share a scale: what they have is summed up in integers.
pub(crate) trait WordFormat<const BYTES: usize, const BLOCKS: usize> {
    /// Units of a run. A lane sums up four products of each: words times their multipliers are at most
    /// `2^31 / (4 · RUN · 32,639)` in size.
    const RUN: usize;
    /// What words are multiplied with.
    const MULTIPLIERS: Multipliers;
    /// Eights of offsets that may be other than zero: none, one for units, or two for halves of units.
    const OFFSETS: usize;
    /// Whether [`bytes`](Self::bytes) are signed: they then need no offsets, `weight = scale · byte`.
    const IS_SIGNED: bool;

    /// The numbers of a stretch.
    fn numbers<S: WordLanes>(s: S, blocks: &[[u8; BYTES]; BLOCKS], to: &mut Numbers);

    /// Unit `unit` of a stretch as bytes, as they lie.
    fn bytes<S: WordLanes>(s: S, blocks: &[[u8; BYTES]; BLOCKS], unit: usize) -> S::B;

    /// The same as words.
    #[inline(always)]
    fn words<S: WordLanes>(s: S, blocks: &[[u8; BYTES]; BLOCKS], unit: usize) -> S::W {
        let bytes = Self::bytes(s, blocks, unit);
        if Self::IS_SIGNED { s.signed_words(bytes) } else { s.unsigned_words(bytes) }
    }

    /// Words of unit `unit` times their multipliers.
    #[inline(always)]
    fn multiplied<S: WordLanes>(s: S, words: S::W, numbers: &Numbers, unit: usize) -> S::W {
        match Self::MULTIPLIERS {
            Multipliers::None => words,
            Multipliers::OfUnits => s.times(words, numbers.multipliers[unit]),
            Multipliers::OfHalves => s.times_halves(words, numbers.halves(unit), unit % 4),
        }
    }

    /// Adds the products of the words of unit `unit`, times their multipliers.
    #[inline(always)]
    fn add_products<S: WordLanes>(
        s: S,
        sums: S::Integers,
        words: S::W,
        x: &[i16; UNIT],
        numbers: &Numbers,
        unit: usize,
    ) -> S::Integers {
        match Self::MULTIPLIERS {
            Multipliers::None => s.add_products(sums, words, x),
            Multipliers::OfUnits => s.add_times(sums, words, x, numbers.multipliers[unit]),
            Multipliers::OfHalves => s.add_times_halves(sums, words, x, numbers.halves(unit), unit % 4),
        }
    }

    /// Scale and offset of a block that is one unit, and its words. Formats whose block is a stretch are never asked.
    fn single<S: WordLanes>(_: S, _: &[u8; BYTES]) -> ([f32; 2], S::W) {
        unreachable!("a block is a stretch")
    }
}

/// A computation that is compiled once for each format.
pub(crate) trait ForWords {
    /// Computes with format `F`.
    fn run<F: WordFormat<BYTES, BLOCKS>, const BYTES: usize, const BLOCKS: usize>(self);
}

/// Whether the format has an integer path: its weights are small integers, with scales.
pub(crate) const fn has_words(quant: Quant) -> bool {
    matches!(
        quant,
        Quant::Q8_0
            | Quant::Q4_0
            | Quant::Q4_1
            | Quant::Q5_0
            | Quant::Q5_1
            | Quant::Q2_K
            | Quant::Q3_K
            | Quant::Q4_K
            | Quant::Q5_K
            | Quant::Q6_K
            | Quant::IQ4_NL
            | Quant::IQ4_XS
            | Quant::MXFP4
    )
}

/// Whether units of the format share scales, so that words of many units are summed up as integers.
pub(crate) const fn has_shared_scales(quant: Quant) -> bool {
    matches!(quant, Quant::Q2_K | Quant::Q3_K | Quant::Q4_K | Quant::Q5_K | Quant::Q6_K | Quant::IQ4_XS)
}

/// Runs `task` compiled for `quant`.
///
/// # Panics
/// If the format has no integer path ([`has_words`]).
#[inline(always)]
pub(crate) fn for_words<T: ForWords>(quant: Quant, task: T) {
    if has_shared_scales(quant) { for_shared_scales(quant, task) } else { for_unit_scales(quant, task) }
}

/// The same for formats whose units share scales.
#[inline(always)]
pub(crate) fn for_shared_scales<T: ForWords>(quant: Quant, task: T) {
    match quant {
        Quant::Q2_K => task.run::<k::Q2K, 84, 1>(),
        Quant::Q3_K => task.run::<k::Q3K, 110, 1>(),
        Quant::Q4_K => task.run::<k::Q4K, 144, 1>(),
        Quant::Q5_K => task.run::<k::Q5K, 176, 1>(),
        Quant::Q6_K => task.run::<k::Q6K, 210, 1>(),
        Quant::IQ4_XS => task.run::<k::Iq4Xs, 136, 1>(),
        _ => unreachable!("{quant} has no shared scales"),
    }
}

/// The same for formats with a scale for each unit.
#[inline(always)]
pub(crate) fn for_unit_scales<T: ForWords>(quant: Quant, task: T) {
    match quant {
        Quant::Q8_0 => task.run::<small::Q8_0, 34, STRETCH>(),
        Quant::Q4_0 => task.run::<small::Q4_0, 18, STRETCH>(),
        Quant::Q4_1 => task.run::<small::Q4_1, 20, STRETCH>(),
        Quant::Q5_0 => task.run::<small::Q5_0, 22, STRETCH>(),
        Quant::Q5_1 => task.run::<small::Q5_1, 24, STRETCH>(),
        Quant::IQ4_NL => task.run::<small::Iq4Nl, 18, STRETCH>(),
        Quant::MXFP4 => task.run::<small::Mxfp4, 17, STRETCH>(),
        _ => unreachable!("{quant} has no integer path with unit scales"),
    }
}

/// `N` bytes at `at`; the compiler removes the check where both are constant.
#[inline(always)]
pub(crate) fn cut<const N: usize>(block: &[u8], at: usize) -> &[u8; N] {
    match block[at..].first_chunk() {
        Some(cut) => cut,
        None => unreachable!("a block of fixed size holds the cut"),
    }
}
