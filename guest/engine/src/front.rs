//! A file of weights of which the front is in memory and checked.

use alloc::vec::Vec;
use core::ops::Range;
use vial_model::weights::{Resident, WeightsError};
use vial_weights::tree::LeafMismatch;
use vial_weights::{LEAF_BYTES, Lanes};

use crate::checked::Checked;
use crate::streamed::Sealed;

/// A file that is read from its start.
///
/// Invariant: every byte of `bytes` was compared with the tree after it was copied here, and then decrypted if the file is
/// encrypted; nobody else can write it.
#[derive(Debug)]
pub struct Front {
    file: Sealed,
    bytes: Vec<u8>,
    /// Bytes asked for.
    requested: u64,
}

impl Front {
    /// The file on a disk.
    #[must_use]
    pub fn new(file: Sealed) -> Self {
        Self { file, bytes: Vec::new(), requested: 0 }
    }

    /// Takes memory for all of it. `None` if there is not so much.
    #[must_use]
    pub fn reserve(&mut self) -> Option<()> {
        let rest = self.file.tree.file_bytes() - self.checked_bytes();
        self.bytes.try_reserve_exact(usize::try_from(rest).ok()?).ok()
    }

    /// Where the file lies, what it must be, and what opens it.
    #[must_use]
    pub fn sealed(&self) -> Sealed {
        self.file.clone()
    }

    /// Bytes that are in memory and checked.
    #[must_use]
    pub fn checked_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The same, and leaves that are.
    #[must_use]
    pub fn checked(&self) -> Checked {
        Checked { bytes: self.checked_bytes(), leaves: self.checked_bytes().div_ceil(LEAF_BYTES) }
    }

    /// Bytes of the file.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.file.tree.file_bytes()
    }

    /// Whether all of them are.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.checked_bytes() == self.file.tree.file_bytes()
    }

    /// The file, once it is whole.
    #[must_use]
    pub fn whole(&self) -> Option<Resident<'_>> {
        self.is_whole().then(|| Resident::new(&self.bytes))
    }

    /// Refuses a range outside the file.
    pub(crate) fn has(&self, range: &Range<u64>) -> Result<(), WeightsError> {
        let file_bytes = self.file.tree.file_bytes();
        let is_inside = range.end <= file_bytes;
        if is_inside { Ok(()) } else { Err(WeightsError::Outside { range: range.clone(), file_bytes }) }
    }

    /// The bytes of a range that has been checked.
    pub(crate) fn bytes(&self, range: Range<u64>) -> &[u8] {
        let place = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        place.and_then(|(start, end)| self.bytes.get(start..end)).unwrap_or_default()
    }

    /// Place on the disk and length of what is to be read next, at most `most` bytes; `None` if all was asked for.
    pub(crate) fn next_read(&self, most: usize) -> Option<(u64, usize)> {
        let rest = self.file.tree.file_bytes() - self.requested;
        let len = usize::try_from(rest).unwrap_or(usize::MAX).min(most);
        (len > 0).then_some((self.file.disk_offset + self.requested, len))
    }

    /// Lets nothing more be asked for.
    pub(crate) fn ask_no_more(&mut self) {
        self.requested = self.file.tree.file_bytes();
    }

    /// Takes note of a read of so many bytes.
    pub(crate) fn asked(&mut self, len: usize) {
        self.requested += len as u64;
    }

    /// The leaf that comes next.
    pub(crate) fn next_leaf(&self) -> u64 {
        self.checked_bytes() / LEAF_BYTES
    }

    /// Lets `copy` write the next `len` bytes, and checks and opens them; drops them again if they differ.
    pub(crate) fn take(
        &mut self,
        lanes: Lanes,
        len: usize,
        copy: impl FnOnce(&mut [u8]),
    ) -> Result<(), WeightsError> {
        let (start, first) = (self.bytes.len(), self.next_leaf());
        self.bytes.resize(start + len, 0);
        copy(&mut self.bytes[start..]);
        let leaf_bytes = usize::try_from(LEAF_BYTES).unwrap_or(usize::MAX);
        let mut leaves = (first..).zip(self.bytes[start..].chunks_mut(leaf_bytes));
        let differs = leaves.find_map(|(leaf, bytes)| self.file.open(lanes, leaf, bytes).err());
        let Some(LeafMismatch { leaf }) = differs else { return Ok(()) };
        self.bytes.truncate(start);
        Err(WeightsError::Differs { leaf })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vial_weights::Tree;
    use vial_weights::cipher::{Decryptor, File, ImageId, OwnerKey};
    use vial_weights::tree::TreeBuilder;

    const LEAF: usize = 128 << 10;

    /// A file of two leaves and a half at place 4096 of a disk.
    fn file() -> (Vec<u8>, Front) {
        sealed(&(0..=250_u8).cycle().take(5 * LEAF / 2).collect::<Vec<u8>>())
    }

    fn sealed(bytes: &[u8]) -> (Vec<u8>, Front) {
        let bytes = bytes.to_vec();
        let mut tree = TreeBuilder::new(Lanes::Baseline, bytes.len() as u64);
        tree.add(&bytes);
        let (values, root) = tree.finish().unwrap();
        let tree = Tree::new(values.leak(), bytes.len() as u64, &root).unwrap();
        (bytes, Front::new(Sealed { tree, disk_offset: 4096, decryptor: None }))
    }

    fn take(front: &mut Front, bytes: &[u8]) -> Result<(), WeightsError> {
        front.take(Lanes::Baseline, bytes.len(), |to| to.copy_from_slice(bytes))
    }

    #[test]
    fn a_file_is_asked_for_in_order_and_once() {
        let (bytes, mut front) = file();
        let mut asked = Vec::new();
        while let Some((offset, len)) = front.next_read(LEAF) {
            front.asked(len);
            asked.push((offset, len));
        }
        assert_eq!(asked, [(4096, LEAF), (4096 + LEAF as u64, LEAF), (4096 + 2 * LEAF as u64, LEAF / 2)]);
        assert_eq!(asked.iter().map(|(_, len)| len).sum::<usize>(), bytes.len());
        let (_, mut front) = file();
        front.ask_no_more();
        assert_eq!(front.next_read(LEAF), None);
    }

    #[test]
    fn what_was_taken_is_there_and_a_whole_file_says_so() {
        let (bytes, mut front) = file();
        take(&mut front, &bytes[..2 * LEAF]).unwrap();
        assert_eq!((front.checked_bytes(), front.next_leaf()), (2 * LEAF as u64, 2));
        assert_eq!(front.bytes(3..9), &bytes[3..9]);
        assert!(front.bytes(0..bytes.len() as u64).is_empty() && front.whole().is_none());
        take(&mut front, &bytes[2 * LEAF..]).unwrap();
        assert!(front.is_whole() && front.whole().is_some());
        let range = 0..bytes.len() as u64 + 1;
        assert!(matches!(front.has(&range), Err(WeightsError::Outside { .. })));
    }

    #[test]
    fn an_encrypted_file_is_checked_as_it_lies_and_then_in_clear() {
        let (plain, _) = file();
        let id = ImageId::new(&[1; 32], None);
        let cipher = || OwnerKey::new(&[2; 32]).image_key(&id).cipher(id, File::Model);
        let mut bytes = plain.clone();
        let mut tags = Vec::new();
        for (leaf, bytes) in (0..).zip(bytes.chunks_mut(LEAF)) {
            tags.extend(cipher().encrypt(leaf, bytes).unwrap());
        }
        let of = |tags: Vec<u8>| {
            let decryptor = Decryptor::new(cipher(), tags.leak(), plain.len() as u64).unwrap();
            let (_, front) = sealed(&bytes);
            Front::new(Sealed { decryptor: Some(decryptor), ..front.sealed() })
        };
        let mut front = of(tags.clone());
        take(&mut front, &bytes[..2 * LEAF]).unwrap();
        take(&mut front, &bytes[2 * LEAF..]).unwrap();
        assert!(front.bytes(0..plain.len() as u64) == plain);
        let mut changed = bytes.clone();
        changed[LEAF + 9] ^= 1;
        assert_eq!(take(&mut of(tags.clone()), &changed[..2 * LEAF]), Err(WeightsError::Differs { leaf: 1 }));
        tags[16 + 3] ^= 1;
        assert_eq!(take(&mut of(tags), &bytes[..2 * LEAF]), Err(WeightsError::Differs { leaf: 1 }));
    }

    #[test]
    fn a_leaf_that_differs_is_named_and_nothing_of_its_read_stays() {
        let (mut bytes, mut front) = file();
        bytes[LEAF + 7] ^= 1;
        assert_eq!(take(&mut front, &bytes[..2 * LEAF]), Err(WeightsError::Differs { leaf: 1 }));
        assert_eq!(front.checked_bytes(), 0);
    }
}
