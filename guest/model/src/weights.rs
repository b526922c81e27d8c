//! Where a pass gets its weights: asked for range by range, so that they can arrive while it runs.

use core::ops::Range;

/// Why a range of weights cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The range lies outside the file.
    #[error("weights {}..{} lie outside the file of {file_bytes} bytes", range.start, range.end)]
    Outside {
        /// The range asked for.
        range: Range<u64>,
        /// Bytes of the file.
        file_bytes: u64,
    },
    /// A leaf that is not the one that was sealed.
    #[error("leaf {leaf} of the weights differs from the hash tree: the disk was changed or is failing")]
    Differs {
        /// Number of the leaf.
        leaf: u64,
    },
    /// A leaf that could not be read.
    #[error("leaf {leaf} of the weights could not be read from the disk")]
    Read {
        /// Number of the leaf.
        leaf: u64,
    },
}

/// The bytes of a model file, present and checked once required.
pub trait Weights {
    /// Brings that range of the file into memory and checks it against what was sealed.
    ///
    /// # Errors
    /// The leaf that cannot be read or differs; nothing may then be computed on it.
    fn require(&mut self, range: Range<u64>) -> Result<(), WeightsError>;

    /// The bytes of a range that has been required.
    ///
    /// # Panics
    /// May panic where [`Self::require`] has not succeeded for the range.
    fn bytes(&self, range: Range<u64>) -> &[u8];
}

/// A whole model file in memory.
#[derive(Clone, Copy, Debug)]
pub struct Resident<'a> {
    file: &'a [u8],
}

impl<'a> Resident<'a> {
    /// Weights out of the bytes of a whole file.
    #[must_use]
    pub fn new(file: &'a [u8]) -> Self {
        Self { file }
    }

    fn slice(&self, range: &Range<u64>) -> Option<&'a [u8]> {
        self.file.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
    }
}

impl Weights for Resident<'_> {
    fn require(&mut self, range: Range<u64>) -> Result<(), WeightsError> {
        match self.slice(&range) {
            Some(_) => Ok(()),
            None => Err(WeightsError::Outside { range, file_bytes: self.file.len() as u64 }),
        }
    }

    fn bytes(&self, range: Range<u64>) -> &[u8] {
        self.slice(&range).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_outside_the_file_is_refused() {
        let mut weights = Resident::new(&[1, 2, 3]);
        assert_eq!(weights.require(0..3), Ok(()));
        assert_eq!(weights.bytes(1..3), [2, 3]);
        assert_eq!(weights.require(2..4), Err(WeightsError::Outside { range: 2..4, file_bytes: 3 }));
    }
}
