//! Leaves of one file, encrypted where they lie.

use alloc::sync::Arc;
use core::fmt;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::AeadInOut as _;

use super::id::{File, ImageId};
use crate::tree::{LeafMismatch, TreeError, leaves};

/// Bytes of a leaf's tag.
pub const TAG_BYTES: usize = 16;
const LABEL: &[u8; 16] = b"vial sealed leaf";
/// Bytes of associated data: label, image id, file, leaf.
const ASSOCIATED_BYTES: usize = 16 + 32 + 8 + 8;

type Tag = [u8; TAG_BYTES];

/// Encrypts and decrypts the leaves of one file. Its key is wiped when it is dropped.
pub struct Cipher {
    pub(super) aead: Aes256Gcm,
    pub(super) id: ImageId,
    pub(super) file: File,
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cipher").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Cipher {
    /// Encrypts leaf `leaf` in its place; gives its tag. `None` for more bytes than any leaf has.
    #[must_use]
    pub fn encrypt(&self, leaf: u64, bytes: &mut [u8]) -> Option<Tag> {
        let associated = self.associated(leaf);
        let tag = self.aead.encrypt_inout_detached(&nonce(leaf).into(), &associated, bytes.into());
        tag.ok().map(Into::into)
    }

    /// Decrypts leaf `leaf` in its place. The bytes must be private: a copy nobody else can write.
    ///
    /// # Errors
    /// They, or the tag, are not what was sealed; the bytes are then as they were.
    pub fn decrypt(&self, leaf: u64, bytes: &mut [u8], tag: &Tag) -> Result<(), LeafMismatch> {
        let (associated, tag) = (self.associated(leaf), (*tag).into());
        let opened = self.aead.decrypt_inout_detached(&nonce(leaf).into(), &associated, bytes.into(), &tag);
        opened.map_err(|_| LeafMismatch { leaf })
    }

    fn associated(&self, leaf: u64) -> [u8; ASSOCIATED_BYTES] {
        let numbers = [self.file.number(), leaf].into_iter().flat_map(u64::to_le_bytes);
        let mut bytes = LABEL.iter().copied().chain(self.id.0).chain(numbers);
        core::array::from_fn(|_| bytes.next().unwrap_or_default())
    }
}

fn nonce(leaf: u64) -> [u8; 12] {
    let mut number = leaf.to_le_bytes().into_iter();
    core::array::from_fn(|_| number.next().unwrap_or_default())
}

/// A file's leaves with their tags, which nobody vouches for: a tag that was changed is refused as a leaf that was.
#[derive(Clone, Debug)]
pub struct Decryptor<'a> {
    cipher: Arc<Cipher>,
    tags: &'a [Tag],
}

impl<'a> Decryptor<'a> {
    /// The leaves of a file of `file_bytes` with these tags.
    ///
    /// # Errors
    /// There is not one tag a leaf.
    pub fn new(cipher: Cipher, tags: &'a [u8], file_bytes: u64) -> Result<Self, TreeError> {
        let (found, expected) = (u64::try_from(tags.len()).unwrap_or(u64::MAX), tags_bytes(file_bytes));
        let (tags, _) = tags.as_chunks::<TAG_BYTES>();
        let is_whole = found == expected;
        is_whole.then(|| Self { cipher: Arc::new(cipher), tags }).ok_or(TreeError::Tags { found, expected })
    }

    /// Decrypts leaf `leaf` in its place. The bytes must be private: a copy nobody else can write.
    ///
    /// # Errors
    /// They, or the tag, are not what was sealed.
    pub fn decrypt(&self, leaf: u64, bytes: &mut [u8]) -> Result<(), LeafMismatch> {
        let tag = usize::try_from(leaf).ok().and_then(|leaf| self.tags.get(leaf));
        self.cipher.decrypt(leaf, bytes, tag.ok_or(LeafMismatch { leaf })?)
    }
}

/// Bytes of the tags of a file of `file_bytes`.
#[must_use]
pub fn tags_bytes(file_bytes: u64) -> u64 {
    leaves(file_bytes).saturating_mul(16)
}
