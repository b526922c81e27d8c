//! What is encrypted.

use sha2::{Digest as _, Sha256};

const TAG: &[u8] = b"vial sealed weights image 1";

/// Which file of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// The model's.
    Model,
    /// The draft model's.
    Draft,
}

impl File {
    /// Its number.
    pub(super) const fn number(self) -> u64 {
        match self {
            Self::Model => 0,
            Self::Draft => 1,
        }
    }
}

/// Names the plaintext of an image: all files together, so that keys that follow from it meet no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageId(pub(super) [u8; 32]);

impl ImageId {
    /// Of a model and perhaps a draft model, by BLAKE3 of their files.
    #[must_use]
    pub fn new(model: &[u8; 32], draft: Option<&[u8; 32]>) -> Self {
        let hash = Sha256::new().chain_update(TAG).chain_update(model);
        Self(hash.chain_update(draft.unwrap_or(&[0; 32])).finalize().into())
    }
}
