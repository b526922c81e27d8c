//! Where a pass gets its weights: asked for range by range, so that they can arrive while it runs.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;
use vial_tensor::Team;

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
    /// More is required at once than there is room for.
    #[error("weights {}..{} do not fit into the {room_bytes} bytes there are for what is used at once", range.start, range.end)]
    Room {
        /// The range that has no room.
        range: Range<u64>,
        /// Bytes for all that is required at once.
        room_bytes: u64,
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
    /// Brings ranges of the file into memory, all at once, and checks them against what was sealed, with what cpus `team` has.
    /// What was required before may go, but for what is kept.
    ///
    /// # Errors
    /// The leaf that cannot be read or differs; nothing may then be computed on it.
    fn require(&mut self, team: &Team<'_>, ranges: &[Range<u64>]) -> Result<(), WeightsError>;

    /// The same for a range that stays from then on: vectors, which are small and used between products.
    ///
    /// # Errors
    /// As [`Self::require`].
    fn keep(&mut self, range: Range<u64>) -> Result<(), WeightsError>;

    /// Tells what will be required next in turn, of what no pass requires for certain: rows of the embedding, experts. May be
    /// read at once, and is not promised to be required.
    fn announce(&mut self, ranges: &[Range<u64>]) {
        let _ = ranges;
    }

    /// Most bytes that there is room for at once. Larger matrices are required some rows at a time.
    fn most(&self) -> u64;

    /// The bytes of a range that was required last, or is kept.
    ///
    /// # Panics
    /// May panic where the range is neither.
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
    fn require(&mut self, _: &Team<'_>, ranges: &[Range<u64>]) -> Result<(), WeightsError> {
        ranges.iter().try_for_each(|range| self.keep(range.clone()))
    }

    fn keep(&mut self, range: Range<u64>) -> Result<(), WeightsError> {
        match self.slice(&range) {
            Some(_) => Ok(()),
            None => Err(WeightsError::Outside { range, file_bytes: self.file.len() as u64 }),
        }
    }

    fn most(&self) -> u64 {
        u64::MAX
    }

    fn bytes(&self, range: Range<u64>) -> &[u8] {
        self.slice(&range).unwrap_or_default()
    }
}

/// The least that [`Weights`] promises: room for so many bytes, and nothing of what was required before. For tests.
#[derive(Debug)]
pub struct Narrow<'a> {
    file: Resident<'a>,
    most: u64,
    /// By where they start.
    kept: BTreeMap<u64, Vec<u8>>,
    required: BTreeMap<u64, Vec<u8>>,
    /// All that was ever required, in turn.
    pub asked: Vec<Range<u64>>,
    /// All that was ever announced, in turn.
    pub announced: Vec<Range<u64>>,
}

impl<'a> Narrow<'a> {
    /// Weights out of a whole file with room for `most` bytes, or one range that is longer.
    #[must_use]
    pub fn new(file: &'a [u8], most: u64) -> Self {
        Self {
            file: Resident::new(file),
            most,
            kept: BTreeMap::new(),
            required: BTreeMap::new(),
            asked: Vec::new(),
            announced: Vec::new(),
        }
    }
}

impl Weights for Narrow<'_> {
    fn require(&mut self, team: &Team<'_>, ranges: &[Range<u64>]) -> Result<(), WeightsError> {
        let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        assert!(ranges.len() == 1 || bytes <= self.most, "{bytes} bytes of {}", self.most);
        self.file.require(team, ranges)?;
        let copy = |range: &Range<u64>| (range.start, self.file.bytes(range.clone()).to_vec());
        self.required = ranges.iter().map(copy).collect();
        self.asked.extend_from_slice(ranges);
        Ok(())
    }

    fn keep(&mut self, range: Range<u64>) -> Result<(), WeightsError> {
        self.file.keep(range.clone())?;
        self.kept.entry(range.start).or_insert_with(|| self.file.bytes(range).to_vec());
        Ok(())
    }

    fn announce(&mut self, ranges: &[Range<u64>]) {
        self.announced.extend_from_slice(ranges);
    }

    fn most(&self) -> u64 {
        self.most
    }

    fn bytes(&self, range: Range<u64>) -> &[u8] {
        let found = self.required.get(&range.start).or_else(|| self.kept.get(&range.start));
        found.map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vial_tensor::Alone;

    #[test]
    fn what_is_required_goes_with_the_next_and_what_is_kept_stays() {
        let mut weights = Narrow::new(&[1, 2, 3, 4], 2);
        weights.keep(0..1).unwrap();
        weights.require(&Team::new(1, &Alone), &[1..2, 2..3]).unwrap();
        assert_eq!((weights.bytes(0..1), weights.bytes(2..3)), (&[1][..], &[3][..]));
        weights.require(&Team::new(1, &Alone), core::slice::from_ref(&(3..4))).unwrap();
        assert_eq!((weights.bytes(0..1), weights.bytes(2..3)), (&[1][..], &[][..]));
    }

    #[test]
    fn a_range_outside_the_file_is_refused() {
        let mut weights = Resident::new(&[1, 2, 3]);
        assert_eq!(weights.require(&Team::new(1, &Alone), &[0..1, 1..3]), Ok(()));
        assert_eq!(weights.bytes(1..3), [2, 3]);
        assert_eq!(
            weights.require(&Team::new(1, &Alone), &[0..1, 2..4]),
            Err(WeightsError::Outside { range: 2..4, file_bytes: 3 })
        );
    }
}
