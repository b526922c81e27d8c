//! The integer path: activations as 16-bit words with a scale for each 32 of them, weights unpacked to words, products
//! summed in integers a unit at a time and in f32 across units.
//!
//! A word keeps fifteen bits below the largest of its 32 activations, so that a product differs from the one with f32
//! activations by about a part in 50,000 of its size: sums in f32 differ as much. Vector units multiply words twice as
//! fast as floats, and a weight becomes a word in half the steps it takes to become a float.
//!
//! Everything comes in stretches of 256 columns, eight units of 32: one block of the `K` formats, eight of the others.

mod input;
mod k;
mod lanes;
mod portable;
mod small;

pub(crate) use input::{Stretch, Words};
pub(crate) use lanes::{PAIRS, WordLanes, place};

use crate::Quant;

/// Elements of a unit.
pub(crate) const UNIT: usize = 32;
/// Units of a stretch.
pub(crate) const STRETCH: usize = 8;

/// What the sixteen numbers of a stretch are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pairs {
    /// Of each unit the scale and the offset: `weight = scale · word + offset`.
    ScaleAndOffset,
    /// Of each unit the scales of its two halves.
    TwoScales,
}

/// A format of weights whose blocks of `BYTES` bytes become units of words; a stretch has `BLOCKS` of them.
pub(crate) trait WordFormat<const BYTES: usize, const BLOCKS: usize> {
    /// What [`Self::pairs`] gives.
    const PAIRS: Pairs;

    /// The sixteen numbers of a stretch, in order of its units.
    fn pairs<S: WordLanes>(s: S, blocks: &[[u8; BYTES]; BLOCKS]) -> S::V;

    /// Unit `unit` of a stretch as words.
    fn words<S: WordLanes>(s: S, blocks: &[[u8; BYTES]; BLOCKS], unit: usize) -> S::W;

    /// Scale and offset of a block that is one unit, and its words.
    fn single<S: WordLanes>(s: S, block: &[u8; BYTES]) -> ([f32; 2], S::W);
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
            | Quant::Q4_K
            | Quant::Q5_K
            | Quant::Q6_K
    )
}

/// Runs `task` compiled for `quant`.
///
/// # Panics
/// If the format has no integer path ([`has_words`]).
#[inline(always)]
pub(crate) fn for_words<T: ForWords>(quant: Quant, task: T) {
    match quant {
        Quant::Q8_0 => task.run::<small::Q8_0, 34, STRETCH>(),
        Quant::Q4_0 => task.run::<small::Q4_0, 18, STRETCH>(),
        Quant::Q4_1 => task.run::<small::Q4_1, 20, STRETCH>(),
        Quant::Q5_0 => task.run::<small::Q5_0, 22, STRETCH>(),
        Quant::Q5_1 => task.run::<small::Q5_1, 24, STRETCH>(),
        Quant::Q4_K => task.run::<k::Q4K, 144, 1>(),
        Quant::Q5_K => task.run::<k::Q5K, 176, 1>(),
        Quant::Q6_K => task.run::<k::Q6K, 210, 1>(),
        _ => unreachable!("{quant} has no integer path"),
    }
}

/// `N` bytes at `at`; the compiler removes the check where both are constant.
#[inline(always)]
fn cut<const N: usize>(block: &[u8], at: usize) -> &[u8; N] {
    match block[at..].first_chunk() {
        Some(cut) => cut,
        None => unreachable!("a block of fixed size holds the cut"),
    }
}
