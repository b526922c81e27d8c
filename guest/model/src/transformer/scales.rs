//! Scales of weights, looked at once before the first use of the tensor they belong to.

use alloc::collections::BTreeSet;
use core::ops::Range;
use vial_tensor::{Isa, Quant, first_not_finite};

use super::layout::Matrix;
use super::{Engine, PassError};
use crate::weights::Weights;

/// Which tensors of one file have been found to hold finite scales only.
#[derive(Debug, Default)]
pub(super) struct Scales {
    /// Where they start.
    finite: BTreeSet<u64>,
}

impl Scales {
    /// Requires matrices together, and looks at the scales of those that are here for the first time.
    pub(super) fn require<const N: usize>(
        &mut self,
        engine: Engine<'_>,
        weights: &mut impl Weights,
        matrices: [&Matrix; N],
    ) -> Result<(), PassError> {
        weights.require(engine.team, &matrices.map(|matrix| matrix.range.clone()))?;
        matrices.into_iter().try_for_each(|matrix| self.look(engine.isa, weights, matrix))
    }

    /// The same for a vector that is to stay.
    pub(super) fn keep(
        &mut self,
        isa: Isa,
        weights: &mut impl Weights,
        vector: &Matrix,
    ) -> Result<(), PassError> {
        weights.keep(vector.range.clone())?;
        self.look(isa, weights, vector)
    }

    fn look(&mut self, isa: Isa, weights: &impl Weights, matrix: &Matrix) -> Result<(), PassError> {
        if !self.finite.contains(&matrix.range.start) {
            look(isa, weights, matrix.kind, &matrix.range)?;
            self.finite.insert(matrix.range.start);
        }
        Ok(())
    }
}

/// Requires a row of that format and looks at its scales.
pub(super) fn require_finite(
    engine: Engine<'_>,
    weights: &mut impl Weights,
    kind: Quant,
    row: Range<u64>,
) -> Result<(), PassError> {
    weights.require(engine.team, core::slice::from_ref(&row))?;
    look(engine.isa, weights, kind, &row)
}

fn look(isa: Isa, weights: &impl Weights, kind: Quant, range: &Range<u64>) -> Result<(), PassError> {
    match first_not_finite(isa, kind, weights.bytes(range.clone())) {
        Some(block) => Err(PassError::Scale { kind, at: range.start + (block * kind.block_bytes()) as u64 }),
        None => Ok(()),
    }
}
