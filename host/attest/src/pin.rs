//! A key as clients pin it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base64ct::{Base64, Encoding as _};
use sha2::{Digest as _, Sha256};

/// Spec: RFC 8410 §4: what stands before an Ed25519 key in its SubjectPublicKeyInfo.
const ED25519: [u8; 12] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The pin of a channel key: `sha256//` and the base64 of the SHA-256 of its SubjectPublicKeyInfo, which is what
/// `curl --pinnedpubkey` takes.
#[must_use]
pub fn pin(channel_key: &[u8; 32]) -> String {
    let digest = Sha256::new().chain_update(ED25519).chain_update(channel_key).finalize();
    format!("sha256//{}", Base64::encode_string(&digest))
}

/// Bytes of a text in base64.
#[must_use]
pub fn base64(text: &str) -> Option<Vec<u8>> {
    Base64::decode_vec(text).ok()
}
