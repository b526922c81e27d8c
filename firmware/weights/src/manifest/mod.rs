//! The manifest: what is sealed, as canonical CBOR (RFC 8949 §4.2.1: shortest forms, keys ascending, no tags).
//!
//! | key | field | type |
//! |---|---|---|
//! | 0 | format version | uint |
//! | 1, 2, 3, 4 | SHA-384 of firmware, kernel, engine, agent bundle | bytes(48) |
//! | 5 | model name | text |
//! | 6 | architecture | text |
//! | 7 | weights root (BLAKE3) | bytes(32) |
//! | 8 | weights SHA-256 | bytes(32) |
//! | 9 | weights length | uint |
//! | 10 | leaf length | uint |
//! | 11 | most streams at once | uint |
//! | 12 | most tokens of a context | uint |
//! | 13 | publisher's Ed25519 key, if any | bytes(32) |
//! | 14 | draft model's name, if there is one (format version 2) | text |
//! | 15, 16, 17 | its weights root, SHA-256 and length | as 7, 8, 9 |
//! | 18 | how leaves are encrypted, if they are (format version 3): 1 for AES-256-GCM as in [`crate::cipher`] | uint |
//! | 19 | BLAKE3 of the model's plaintext | bytes(32) |
//! | 20 | BLAKE3 of the draft model's plaintext, if there is one | bytes(32) |
//! | 21 | what fixes the image key and tells nothing of it | bytes(32) |
//!
//! Of encrypted weights the root is over what lies on the disk, and SHA-256 is the plaintext's.

mod read;
#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;
use minicbor::Encoder;

use crate::cipher::{ImageId, ImageKey};
use crate::header::{FORMAT_VERSION, version};
use crate::sha384;
use crate::tree::LEAF_BYTES;
use read::Fields;

/// Longest manifest in bytes.
pub const MANIFEST_MAX: usize = 4096;
/// Longest text of a manifest in bytes.
const TEXT_MAX: usize = 512;
/// Fields that every manifest has.
const FIELDS: u64 = 13;
/// Fields of a draft model.
const DRAFT_FIELDS: u64 = 4;
/// Fields of encrypted weights, and one more with a draft model.
const ENCRYPTION_FIELDS: u64 = 3;
/// AES-256-GCM.
const ALGORITHM: u32 = 1;

/// What is sealed. Its digest stands in the launch page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// SHA-384 of the firmware ELF.
    pub firmware: [u8; 48],
    /// SHA-384 of the kernel ELF.
    pub kernel: [u8; 48],
    /// SHA-384 of the engine ELF.
    pub engine: [u8; 48],
    /// SHA-384 of the agent bundle's blob.
    pub bundle: [u8; 48],
    /// The model's name, from the file's metadata.
    pub model: String,
    /// The model's architecture, from the file's metadata.
    pub architecture: String,
    /// The weights.
    pub weights: Weights,
    /// What the appliance allows.
    pub policy: Policy,
    /// Who signed it.
    pub publisher: Option<[u8; 32]>,
    /// The model that drafts for the other, if there is one.
    pub draft: Option<Draft>,
    /// How weights are encrypted, if they are.
    pub encryption: Option<Encryption>,
}

/// What the manifest says of encrypted weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// BLAKE3 of the model's file before it was encrypted. The word of whoever had the key.
    pub plaintext_root: [u8; 32],
    /// The same of the draft model, if there is one.
    pub draft_plaintext_root: Option<[u8; 32]>,
    /// [`ImageKey::check`] of the key.
    pub key_check: [u8; 32],
}

impl Encryption {
    /// Names the plaintext.
    #[must_use]
    pub fn image_id(&self) -> ImageId {
        ImageId::new(&self.plaintext_root, self.draft_plaintext_root.as_ref())
    }

    /// Whether that is the key: no other opens anything.
    #[must_use]
    pub fn is_opened_by(&self, key: &ImageKey) -> bool {
        // Whoever learns from the time that this takes learns of a hash of their own guess.
        key.check(&self.image_id()) == self.key_check
    }
}

/// The sealed draft model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Its name, from the file's metadata.
    pub model: String,
    /// Its weights.
    pub weights: Weights,
}

/// A sealed GGUF file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// BLAKE3 of the file.
    pub root: [u8; 32],
    /// SHA-256 of the file: the digest that model hubs show.
    pub sha256: [u8; 32],
    /// Bytes of the file.
    pub bytes: u64,
}

/// Limits that the measurement commits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Most requests generated at once.
    pub max_streams: u32,
    /// Most tokens of prompt and answer together.
    pub max_context: u32,
}

/// Why a manifest is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestError {
    /// Longer than [`MANIFEST_MAX`].
    Length {
        /// Its bytes.
        found: usize,
    },
    /// A field that is missing, of another type, or out of range.
    Field {
        /// Its name.
        name: &'static str,
    },
    /// Another format version.
    Version {
        /// The version found.
        found: u32,
    },
    /// The fields are right and the bytes are not the canonical ones.
    Form,
}

impl core::fmt::Display for ManifestError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Length { found } => {
                write!(f, "manifest: found {found} bytes, expected at most {MANIFEST_MAX}")
            }
            Self::Field { name } => write!(f, "manifest {name}: not what the format says"),
            Self::Version { found } => {
                write!(f, "manifest version: found {found}, expected 1 to {FORMAT_VERSION}")
            }
            Self::Form => f.write_str("manifest: found other bytes than its canonical form"),
        }
    }
}

impl core::error::Error for ManifestError {}

type Encoded = Result<(), minicbor::encode::Error<core::convert::Infallible>>;

impl Manifest {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new(Vec::new());
        // Writing to a `Vec` cannot fail.
        let _infallible: Encoded = self.write(&mut out);
        out.into_writer()
    }

    /// SHA-384 of its bytes: the manifest digest.
    #[must_use]
    pub fn digest(&self) -> [u8; 48] {
        sha384(&self.encode())
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// The field that is wrong, or bytes that are not the canonical ones.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MANIFEST_MAX {
            return Err(ManifestError::Length { found: bytes.len() });
        }
        let manifest = Fields::new(bytes).manifest()?;
        if manifest.encode() != bytes { Err(ManifestError::Form) } else { Ok(manifest) }
    }

    fn write(&self, out: &mut Encoder<Vec<u8>>) -> Encoded {
        out.map(self.fields())?.u8(0)?.u32(version(self.draft.is_some(), self.encryption.is_some()))?;
        for (key, digest) in (1..).zip([self.firmware, self.kernel, self.engine, self.bundle]) {
            out.u8(key)?.bytes(&digest)?;
        }
        out.u8(5)?.str(&self.model)?.u8(6)?.str(&self.architecture)?;
        self.weights.write(7, out)?;
        out.u8(10)?.u64(LEAF_BYTES)?;
        out.u8(11)?.u32(self.policy.max_streams)?.u8(12)?.u32(self.policy.max_context)?;
        if let Some(publisher) = &self.publisher {
            out.u8(13)?.bytes(publisher)?;
        }
        if let Some(draft) = &self.draft {
            out.u8(14)?.str(&draft.model)?;
            draft.weights.write(15, out)?;
        }
        self.encryption.as_ref().map_or(Ok(()), |encryption| encryption.write(out))
    }

    fn fields(&self) -> u64 {
        let draft = if self.draft.is_some() { DRAFT_FIELDS } else { 0 };
        let encryption = self.encryption.as_ref().map_or(0, Encryption::fields);
        [u64::from(self.publisher.is_some()), draft, encryption].into_iter().fold(FIELDS, u64::saturating_add)
    }
}

impl Encryption {
    fn fields(&self) -> u64 {
        ENCRYPTION_FIELDS.saturating_add(u64::from(self.draft_plaintext_root.is_some()))
    }

    fn write(&self, out: &mut Encoder<Vec<u8>>) -> Encoded {
        out.u8(18)?.u32(ALGORITHM)?.u8(19)?.bytes(&self.plaintext_root)?;
        if let Some(root) = &self.draft_plaintext_root {
            out.u8(20)?.bytes(root)?;
        }
        out.u8(21)?.bytes(&self.key_check)?;
        Ok(())
    }
}

impl Weights {
    /// Writes its three fields, the first under `key`.
    fn write(&self, key: u8, out: &mut Encoder<Vec<u8>>) -> Encoded {
        out.u8(key)?.bytes(&self.root)?;
        out.u8(key.saturating_add(1))?.bytes(&self.sha256)?;
        out.u8(key.saturating_add(2))?.u64(self.bytes)?;
        Ok(())
    }
}
