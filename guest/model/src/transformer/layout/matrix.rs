//! A matrix of weights in the file.

use core::ops::Range;
use vial_tensor::Quant;

use crate::weights::Weights;

/// A matrix of weights in the file. Its shape and type have been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    /// Where its bytes lie.
    pub range: Range<u64>,
    /// Outputs.
    pub rows: usize,
    /// Inputs; contiguous.
    pub columns: usize,
    /// How its numbers are stored.
    pub kind: Quant,
}

impl Matrix {
    /// Bytes of all of it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Bytes of one row.
    #[must_use]
    pub fn row_bytes(&self) -> u64 {
        self.bytes() / self.rows as u64
    }

    /// Where row `row` lies.
    #[must_use]
    pub fn row(&self, row: usize) -> Range<u64> {
        self.part(row..row + 1).range
    }

    /// Some of its rows.
    #[must_use]
    pub fn part(&self, rows: Range<usize>) -> Self {
        let start = self.range.start + rows.start as u64 * self.row_bytes();
        let end = self.range.start + rows.end as u64 * self.row_bytes();
        Self { range: start..end, rows: rows.len(), columns: self.columns, kind: self.kind }
    }

    /// The matrix over its bytes, which have been required.
    ///
    /// # Panics
    /// Never: the layout has the tensor's own shape and range.
    pub(crate) fn over<'a>(&self, weights: &'a impl Weights) -> vial_tensor::Matrix<'a> {
        let bytes = weights.bytes(self.range.clone());
        #[expect(clippy::expect_used, reason = "the layout was checked against the file's header")]
        vial_tensor::Matrix::new(self.kind, self.rows, self.columns, bytes).expect("a checked shape")
    }
}

/// A matrix and what is added to its products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linear {
    /// The matrix.
    pub weight: Matrix,
    /// One number a row, where the model has them.
    pub bias: Option<Matrix>,
}

/// Matrices of one shape, one an expert, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// All of them as one.
    pub all: Matrix,
    /// Outputs of one.
    pub rows: usize,
}

impl Stack {
    /// The matrix of one expert.
    #[must_use]
    pub fn of(&self, expert: usize) -> Matrix {
        self.all.part(expert * self.rows..(expert + 1) * self.rows)
    }
}
