//! The publisher's signature over a manifest: Ed25519 (RFC 8032) over a tag and the manifest digest.

use alloc::vec::Vec;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

/// Separates this use of a publisher's key from every other.
const TAG: &[u8] = b"vial manifest signature v1\0";
/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// A publisher's signing key.
#[derive(Clone, Debug)]
pub struct PublisherKey(SigningKey);

impl PublisherKey {
    /// The key of these 32 secret bytes.
    #[must_use]
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    /// Its public half, as the manifest names it.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs a manifest digest.
    #[must_use]
    pub fn sign(&self, manifest_digest: &[u8; 48]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(&message(manifest_digest)).to_bytes()
    }

    /// Signs a `Sig_structure` of COSE (RFC 9052 §4.4). It begins with a name of its own, so that it is never mistaken for a
    /// manifest.
    #[must_use]
    pub fn sign_cose(&self, structure: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(structure).to_bytes()
    }
}

/// Whether `signature` is the publisher's over that manifest.
#[must_use]
pub fn is_valid(public: &[u8; 32], manifest_digest: &[u8; 48], signature: &[u8]) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(public) else { return false };
    let Ok(signature) = Signature::from_slice(signature) else { return false };
    key.verify_strict(&message(manifest_digest), &signature).is_ok()
}

fn message(manifest_digest: &[u8; 48]) -> Vec<u8> {
    [TAG, manifest_digest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_key_and_manifest_only() {
        let (key, other) = (PublisherKey::from_secret(&[7; 32]), PublisherKey::from_secret(&[8; 32]));
        let signature = key.sign(&[1; 48]);
        assert!(is_valid(&key.public(), &[1; 48], &signature));
        assert!(!is_valid(&other.public(), &[1; 48], &signature));
        assert!(!is_valid(&key.public(), &[2; 48], &signature));
        assert!(!is_valid(&key.public(), &[1; 48], &signature[..63]));
        let mut changed = signature;
        changed[63] ^= 1;
        assert!(!is_valid(&key.public(), &[1; 48], &changed));
    }
}
