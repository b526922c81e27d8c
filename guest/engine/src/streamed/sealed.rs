//! A file on a disk.

use vial_plan::Leaves;
use vial_user::virtio::block::SECTOR_BYTES;
use vial_weights::Tree;

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
