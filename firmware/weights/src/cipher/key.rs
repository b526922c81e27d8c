//! Keys that follow from the owner's.

use alloc::boxed::Box;
use core::fmt;

use aes_gcm::{Aes256Gcm, KeyInit as _};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::id::{File, ImageId};
use super::leaf::Cipher;

/// Bytes of every key.
pub const KEY_BYTES: usize = 32;
const SALT: &[u8] = b"vial sealed weights 1";

/// What the owner keeps. Wiped when it is dropped, never shown, and never copied by being moved.
#[derive(Clone)]
pub struct OwnerKey(Key);

/// The owner's key for one image. Wiped when it is dropped, never shown, and never copied by being moved.
#[derive(Clone)]
pub struct ImageKey(Key);

/// Bytes that stay where they are.
type Key = Box<Zeroizing<[u8; KEY_BYTES]>>;

impl OwnerKey {
    /// The key of these bytes, which must be random.
    #[must_use]
    pub fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        Self(boxed(bytes))
    }

    /// What an appliance of that image is given.
    #[must_use]
    pub fn image_key(&self, id: &ImageId) -> ImageKey {
        ImageKey(boxed(&derived(&self.0, &[b"image key", &id.0])))
    }
}

impl ImageKey {
    /// The key of these bytes. Of whoever says so: compare [`Self::check`] with the manifest.
    #[must_use]
    pub fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        Self(boxed(bytes))
    }

    /// Its bytes, to be released to an appliance that was accepted.
    #[must_use]
    pub fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// What the manifest carries of it: fixes the key, and tells nothing of it.
    #[must_use]
    pub fn check(&self, id: &ImageId) -> [u8; 32] {
        *derived(&self.0, &[b"key check", &id.0])
    }

    /// What encrypts the leaves of a file.
    #[must_use]
    pub fn cipher(&self, id: ImageId, file: File) -> Cipher {
        let key = derived(&self.0, &[b"leaf key", &id.0, &file.number().to_le_bytes()]);
        Cipher { aead: Aes256Gcm::new(&(*key).into()), id, file }
    }
}

/// Filled where it stays.
fn boxed(bytes: &[u8; KEY_BYTES]) -> Key {
    let mut key = Key::default();
    key.copy_from_slice(bytes);
    key
}

/// HKDF-SHA-256 over the parts, which are of fixed lengths. Spec: RFC 5869.
fn derived(from: &[u8; KEY_BYTES], info: &[&[u8]]) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    // One hash long: HKDF gives up to 255.
    let _expanded = Hkdf::<Sha256>::new(Some(SALT), from).expand_multi_info(info, key.as_mut_slice());
    key
}

impl fmt::Debug for OwnerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerKey(..)")
    }
}

impl fmt::Debug for ImageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImageKey(..)")
    }
}
