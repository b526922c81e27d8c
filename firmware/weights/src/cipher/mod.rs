//! Encrypted leaves: AES-256-GCM under keys that follow from the owner's key and from what is encrypted.
//!
//! - [`OwnerKey`]: 32 random bytes that the owner keeps; no image and no appliance ever has them;
//! - [`ImageId`]: which plaintext: both files' roots;
//! - [`ImageKey`]: the owner's key for one image: what an appliance is given. It opens no other image;
//! - [`Cipher`]: the leaves of one file under it; [`Decryptor`]: the same with their tags.
//!
//! ```text
//! image id  = SHA-256("vial sealed weights image 1" ‖ model's plaintext root ‖ draft model's, or 32 zero bytes)
//! image key = HKDF-SHA-256(owner's key, salt "vial sealed weights 1", info "image key" ‖ image id)
//! file key  = HKDF-SHA-256(image key, info "leaf key" ‖ image id ‖ file)
//! key check = HKDF-SHA-256(image key, info "key check" ‖ image id)
//! leaf      : nonce = number (8, little endian) ‖ 4 zero bytes
//!             associated data = "vial sealed leaf" ‖ image id ‖ file (8, little endian) ‖ number (8, little endian)
//! ```
//!
//! A leaf keeps its length and its place; its tag of 16 bytes lies in a part of the image of its own.
//!
//! Invariant: a file key and a nonce fix plaintext and associated data, since the key follows from the roots of all plaintext. So no
//! nonce is ever used for two messages, and two builds give equal bytes. GCM does not commit to its key: with a key of one's own
//! choice one finds tags for any ciphertext. So the manifest carries the key check, which is compared first.

mod id;
mod key;
mod leaf;
#[cfg(test)]
mod tests;

pub use id::{File, ImageId};
pub use key::{ImageKey, KEY_BYTES, OwnerKey};
pub use leaf::{Cipher, Decryptor, TAG_BYTES, tags_bytes};
