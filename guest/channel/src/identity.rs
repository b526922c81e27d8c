//! The appliance's key. It never leaves memory, and lives as long as the start that made it.

use core::fmt;

use ed25519_dalek::{Signer as _, SigningKey};

/// An Ed25519 key. Its secret half is wiped when it is dropped, and never shown.
pub struct Identity(SigningKey);

impl Identity {
    /// The key that 32 random bytes make.
    #[must_use]
    pub fn new(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half: the *channel key* that reports bind.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs a message (RFC 8032).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    pub(crate) fn key(&self) -> &SigningKey {
        &self.0
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Identity(..)")
    }
}
