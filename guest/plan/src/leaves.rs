//! Whole leaves of a file.

use core::ops::Range;
use vial_weights::LEAF_BYTES;

/// A run of whole leaves of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaves {
    /// Byte of the file that it begins with.
    pub start: u64,
    /// Its bytes; the file's last leaf may be shorter.
    pub len: usize,
}

impl Leaves {
    /// Those that hold a range of a file of `file_bytes`.
    #[must_use]
    pub fn of(range: &Range<u64>, file_bytes: u64) -> Self {
        let start = range.start / LEAF_BYTES * LEAF_BYTES;
        let end = range.end.next_multiple_of(LEAF_BYTES).min(file_bytes);
        Self { start, len: usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX) }
    }

    /// The first of them.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.start / LEAF_BYTES
    }

    /// At most `most` bytes of them, from byte `at` on; both are whole leaves.
    #[must_use]
    pub fn part(&self, at: usize, most: usize) -> Self {
        Self { start: self.start + at as u64, len: (self.len - at).min(most) }
    }

    /// Where a byte of the file lies in them.
    #[must_use]
    pub fn place(&self, byte: u64) -> usize {
        usize::try_from(byte - self.start).unwrap_or(usize::MAX)
    }
}
