//! Scales of weights, looked at once before the first use of the tensor they belong to.

use alloc::collections::BTreeSet;
use core::ops::Range;
use vial_tensor::{Isa, Quant, first_not_finite};

use super::PassError;
use super::layout::Matrix;
use crate::weights::Weights;

/// Which tensors of one file have been found to hold finite scales only.
#[derive(Debug, Default)]
pub(super) struct Scales {
    /// Where they start.
    finite: BTreeSet<u64>,
}

impl Scales {
    /// Requires the matrices, and the first time looks at their scales.
    pub(super) fn require<'m>(
        &mut self,
        isa: Isa,
        weights: &mut impl Weights,
        matrices: impl Iterator<Item = &'m Matrix>,
    ) -> Result<(), PassError> {
        for matrix in matrices {
            if self.finite.contains(&matrix.range.start) {
                weights.require(matrix.range.clone())?;
            } else {
                require_finite(isa, weights, matrix.kind, matrix.range.clone())?;
                self.finite.insert(matrix.range.start);
            }
        }
        Ok(())
    }
}

/// Requires some rows of that format and looks at their scales.
pub(super) fn require_finite(
    isa: Isa,
    weights: &mut impl Weights,
    kind: Quant,
    range: Range<u64>,
) -> Result<(), PassError> {
    weights.require(range.clone())?;
    match first_not_finite(isa, kind, weights.bytes(range.clone())) {
        Some(block) => Err(PassError::Scale { kind, at: range.start + (block * kind.block_bytes()) as u64 }),
        None => Ok(()),
    }
}
