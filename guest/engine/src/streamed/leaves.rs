//! Whole leaves of the file.

use core::ops::Range;
use vial_user::virtio::block::SECTOR_BYTES;
use vial_weights::{LEAF_BYTES, Tree};

/// A run of whole leaves of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leaves {
    /// Byte of the file that it begins with.
    pub(super) start: u64,
    /// Its bytes; the file's last leaf may be shorter.
    pub(super) len: usize,
}

impl Leaves {
    /// Those that hold a range of a file of `file_bytes`.
    pub(super) fn of(range: &Range<u64>, file_bytes: u64) -> Self {
        let start = range.start / LEAF_BYTES * LEAF_BYTES;
        let end = range.end.next_multiple_of(LEAF_BYTES).min(file_bytes);
        Self { start, len: usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX) }
    }

    /// The first of them.
    pub(super) fn first(&self) -> u64 {
        self.start / LEAF_BYTES
    }

    /// At most `most` bytes of them, from byte `at` on; both are whole leaves.
    pub(super) fn part(&self, at: usize, most: usize) -> Self {
        Self { start: self.start + at as u64, len: (self.len - at).min(most) }
    }

    /// Where a byte of the file lies in them.
    pub(super) fn place(&self, byte: u64) -> usize {
        usize::try_from(byte - self.start).unwrap_or(usize::MAX)
    }
}

/// Where a file lies on its disk, and what it must be.
#[derive(Clone, Copy, Debug)]
pub struct Sealed {
    /// Its hash tree.
    pub tree: Tree<'static>,
    /// First byte of the file on the disk.
    pub disk_offset: u64,
}

impl Sealed {
    /// Where leaves lie on the disk, in whole sectors.
    pub(super) fn on_disk(&self, leaves: Leaves) -> (u64, usize) {
        let sector = usize::try_from(SECTOR_BYTES).unwrap_or(usize::MAX);
        (self.disk_offset + leaves.start, leaves.len.next_multiple_of(sector))
    }
}
