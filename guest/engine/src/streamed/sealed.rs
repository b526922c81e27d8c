//! A file on a disk.

use vial_plan::Leaves;
use vial_user::virtio::block::SECTOR_BYTES;
use vial_weights::cipher::Decryptor;
use vial_weights::tree::LeafMismatch;
use vial_weights::{Lanes, Tree};

/// Where a file lies on its disk, what it must be, and what opens it where it is encrypted.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Its hash tree, over what lies on the disk.
    pub tree: Tree<'static>,
    /// First byte of the file on the disk.
    pub disk_offset: u64,
    /// What its leaves are decrypted with; nothing if they are not encrypted.
    pub decryptor: Option<Decryptor<'static>>,
}

impl Sealed {
    /// Where leaves lie on the disk, in whole sectors.
    pub(super) fn on_disk(&self, leaves: Leaves) -> (u64, usize) {
        let sector = usize::try_from(SECTOR_BYTES).unwrap_or(usize::MAX);
        (self.disk_offset + leaves.start, leaves.len.next_multiple_of(sector))
    }

    /// Checks a leaf on a private copy, and then decrypts it there.
    ///
    /// # Errors
    /// The copy, or its tag, is not what was sealed: nobody may use it.
    pub(crate) fn open(&self, lanes: Lanes, leaf: u64, bytes: &mut [u8]) -> Result<(), LeafMismatch> {
        self.tree.check(lanes, leaf, bytes)?;
        self.decryptor.as_ref().map_or(Ok(()), |decryptor| decryptor.decrypt(leaf, bytes))
    }
}
