//! Weight matrices as they lie in the file.

use core::fmt;

use crate::Quant;

/// A weight matrix `[rows, cols]`, row-major, in its file format.
///
/// Holding one proves that `bytes` is exactly `rows` rows of `cols` elements in whole blocks. It does not
/// prove that the bytes were checked against the weights root: that is the caller's duty.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    quant: Quant,
    rows: usize,
    cols: usize,
    row_bytes: usize,
    bytes: &'a [u8],
}

/// Why bytes are not a matrix of the stated shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShapeError {
    /// A row is empty or not whole blocks of the format.
    Columns {
        /// The format.
        quant: Quant,
        /// Columns asked for.
        cols: usize,
    },
    /// The byte count is not that of the shape.
    Bytes {
        /// Bytes of the shape (`None`: more than memory can hold).
        expected: Option<usize>,
        /// Bytes given.
        found: usize,
    },
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Columns { quant, cols } => {
                write!(
                    f,
                    "rows of {cols} elements are not whole {quant} blocks of {}",
                    quant.block_elements()
                )
            }
            Self::Bytes { expected: Some(expected), found } => {
                write!(f, "matrix needs {expected} bytes, found {found}")
            }
            Self::Bytes { expected: None, found } => {
                write!(f, "matrix needs more bytes than memory can hold, found {found}")
            }
        }
    }
}

impl core::error::Error for ShapeError {}

impl<'a> Matrix<'a> {
    /// Checks that `bytes` holds `rows` rows of `cols` elements.
    ///
    /// # Errors
    /// [`ShapeError::Columns`] if `cols` is zero or not whole blocks, [`ShapeError::Bytes`] if the length of
    /// `bytes` differs from the shape's.
    pub fn new(quant: Quant, rows: usize, cols: usize, bytes: &'a [u8]) -> Result<Self, ShapeError> {
        let row_bytes = match quant.row_bytes(cols) {
            Some(row_bytes) if cols > 0 => row_bytes,
            _ => return Err(ShapeError::Columns { quant, cols }),
        };
        let expected = row_bytes.checked_mul(rows);
        if expected != Some(bytes.len()) {
            return Err(ShapeError::Bytes { expected, found: bytes.len() });
        }
        Ok(Self { quant, rows, cols, row_bytes, bytes })
    }

    /// Format of the elements.
    #[must_use]
    pub const fn quant(&self) -> Quant {
        self.quant
    }

    /// Rows: the length of a product.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Columns: the length of an input.
    #[must_use]
    pub const fn cols(&self) -> usize {
        self.cols
    }

    /// Bytes of one row.
    #[must_use]
    pub const fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// The bytes of row `row`.
    ///
    /// # Panics
    /// If `row` is not below [`Self::rows`].
    #[must_use]
    #[inline]
    pub fn row(&self, row: usize) -> &'a [u8] {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        &self.bytes[row * self.row_bytes..][..self.row_bytes]
    }
}

impl fmt::Debug for Matrix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Matrix {} [{}, {}]", self.quant, self.rows, self.cols)
    }
}

#[cfg(test)]
mod tests {
    use super::{Matrix, ShapeError};
    use crate::Quant;

    #[test]
    fn a_matrix_of_the_right_size_is_accepted() {
        let bytes = [7; 3 * 40];
        let matrix = Matrix::new(Quant::Q4_1, 3, 64, &bytes).unwrap();
        assert_eq!(matrix.row(2).len(), 40);
    }

    #[test]
    fn wrong_shapes_are_named() {
        let bytes = [0; 40];
        let columns = Matrix::new(Quant::Q4_1, 1, 33, &bytes).unwrap_err();
        assert_eq!(columns, ShapeError::Columns { quant: Quant::Q4_1, cols: 33 });
        for quant in Quant::ALL.into_iter().filter(|quant| quant.block_elements() > 1) {
            for cols in [2 * quant.block_elements() - 1, 2 * quant.block_elements() + 1] {
                let beside = Matrix::new(quant, 1, cols, &bytes).unwrap_err();
                assert_eq!(beside, ShapeError::Columns { quant, cols });
            }
        }
        let empty = Matrix::new(Quant::Q4_1, 1, 0, &[]).unwrap_err();
        assert_eq!(empty, ShapeError::Columns { quant: Quant::Q4_1, cols: 0 });
        let short = Matrix::new(Quant::Q4_1, 3, 64, &bytes).unwrap_err();
        assert_eq!(short, ShapeError::Bytes { expected: Some(120), found: 40 });
        let huge = Matrix::new(Quant::F32, usize::MAX, 64, &bytes).unwrap_err();
        assert_eq!(huge, ShapeError::Bytes { expected: None, found: 40 });
    }
}
