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

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use minicbor::{Decoder, Encoder};

use crate::header::FORMAT_VERSION;
use crate::sha384;
use crate::tree::LEAF_BYTES;

/// Longest manifest in bytes.
pub const MANIFEST_MAX: usize = 4096;
/// Longest text of a manifest in bytes.
const TEXT_MAX: usize = 512;
const FIELDS: u64 = 13;

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
}

/// The sealed GGUF file.
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
                write!(f, "manifest version: found {found}, expected {FORMAT_VERSION}")
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
        let manifest = Fields(Decoder::new(bytes)).manifest()?;
        if manifest.encode() != bytes { Err(ManifestError::Form) } else { Ok(manifest) }
    }

    fn write(&self, out: &mut Encoder<Vec<u8>>) -> Encoded {
        out.map(FIELDS.saturating_add(u64::from(self.publisher.is_some())))?.u8(0)?.u32(FORMAT_VERSION)?;
        for (key, digest) in (1..).zip([self.firmware, self.kernel, self.engine, self.bundle]) {
            out.u8(key)?.bytes(&digest)?;
        }
        out.u8(5)?.str(&self.model)?.u8(6)?.str(&self.architecture)?;
        out.u8(7)?.bytes(&self.weights.root)?.u8(8)?.bytes(&self.weights.sha256)?;
        out.u8(9)?.u64(self.weights.bytes)?.u8(10)?.u64(LEAF_BYTES)?;
        out.u8(11)?.u32(self.policy.max_streams)?.u8(12)?.u32(self.policy.max_context)?;
        if let Some(publisher) = &self.publisher {
            out.u8(13)?.bytes(publisher)?;
        }
        Ok(())
    }
}

/// The fields of a manifest in their order.
struct Fields<'a>(Decoder<'a>);

impl Fields<'_> {
    fn manifest(&mut self) -> Result<Manifest, ManifestError> {
        let fields = self.0.map().ok().flatten().ok_or(ManifestError::Field { name: "map" })?;
        let found = self.key(0, "version")?.number("version")?;
        if found != FORMAT_VERSION {
            return Err(ManifestError::Version { found });
        }
        let manifest = Manifest {
            firmware: self.key(1, "firmware")?.bytes("firmware")?,
            kernel: self.key(2, "kernel")?.bytes("kernel")?,
            engine: self.key(3, "engine")?.bytes("engine")?,
            bundle: self.key(4, "bundle")?.bytes("bundle")?,
            model: self.key(5, "model")?.text("model")?,
            architecture: self.key(6, "architecture")?.text("architecture")?,
            weights: self.weights()?,
            policy: self.policy()?,
            publisher: self.publisher(fields)?,
        };
        let is_end = self.0.position() == self.0.input().len();
        if is_end { Ok(manifest) } else { Err(ManifestError::Form) }
    }

    fn weights(&mut self) -> Result<Weights, ManifestError> {
        let weights = Weights {
            root: self.key(7, "weights root")?.bytes("weights root")?,
            sha256: self.key(8, "weights sha256")?.bytes("weights sha256")?,
            bytes: self.key(9, "weights bytes")?.long("weights bytes")?,
        };
        let leaf_bytes = self.key(10, "leaf bytes")?.long("leaf bytes")?;
        if leaf_bytes != LEAF_BYTES {
            return Err(ManifestError::Field { name: "leaf bytes" });
        }
        Ok(weights)
    }

    fn policy(&mut self) -> Result<Policy, ManifestError> {
        Ok(Policy {
            max_streams: self.key(11, "max_streams")?.number("max_streams")?,
            max_context: self.key(12, "max_context")?.number("max_context")?,
        })
    }

    fn publisher(&mut self, fields: u64) -> Result<Option<[u8; 32]>, ManifestError> {
        match fields.checked_sub(FIELDS) {
            Some(0) => Ok(None),
            Some(1) => Ok(Some(self.key(13, "publisher")?.bytes("publisher")?)),
            _ => Err(ManifestError::Field { name: "map" }),
        }
    }

    fn key(&mut self, key: u8, name: &'static str) -> Result<&mut Self, ManifestError> {
        let found = self.0.u8();
        if found.is_ok_and(|found| found == key) { Ok(self) } else { Err(ManifestError::Field { name }) }
    }

    fn bytes<const N: usize>(&mut self, name: &'static str) -> Result<[u8; N], ManifestError> {
        let bytes = self.0.bytes().ok().and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or(ManifestError::Field { name })
    }

    fn text(&mut self, name: &'static str) -> Result<String, ManifestError> {
        let text = self.0.str().ok().filter(|text| text.len() <= TEXT_MAX);
        Ok(text.ok_or(ManifestError::Field { name })?.to_string())
    }

    fn number(&mut self, name: &'static str) -> Result<u32, ManifestError> {
        self.0.u32().map_err(|_| ManifestError::Field { name })
    }

    fn long(&mut self, name: &'static str) -> Result<u64, ManifestError> {
        self.0.u64().map_err(|_| ManifestError::Field { name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            firmware: [1; 48],
            kernel: [2; 48],
            engine: [3; 48],
            bundle: [4; 48],
            model: "Model".to_string(),
            architecture: "llama".to_string(),
            weights: Weights { root: [5; 32], sha256: [6; 32], bytes: 1 << 33 },
            policy: Policy { max_streams: 8, max_context: 4096 },
            publisher: Some([7; 32]),
        }
    }

    #[test]
    fn a_manifest_survives_its_encoding() {
        let unsigned = Manifest { publisher: None, ..manifest() };
        for manifest in [manifest(), unsigned] {
            assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest));
        }
    }

    #[test]
    fn a_cut_manifest_is_refused_at_every_length() {
        let bytes = manifest().encode();
        for end in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn every_changed_byte_is_refused_or_changes_the_digest() {
        let bytes = manifest().encode();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_ne!(Manifest::decode(&changed), Ok(manifest()), "byte {at}");
        }
    }

    #[test]
    fn long_forms_trailing_bytes_other_versions_and_leaves_are_refused() {
        let bytes = manifest().encode();
        assert_eq!(Manifest::decode(&[&bytes[..], &[0]].concat()), Err(ManifestError::Form));
        let long = [&bytes[..2], &[0x18, 1], &bytes[3..]].concat();
        assert_eq!(Manifest::decode(&long), Err(ManifestError::Form));
        let version = [&bytes[..2], &[2], &bytes[3..]].concat();
        assert_eq!(Manifest::decode(&version), Err(ManifestError::Version { found: 2 }));
        let found = MANIFEST_MAX + 1;
        assert_eq!(Manifest::decode(&alloc::vec![0; found]), Err(ManifestError::Length { found }));
        let leaf = bytes.windows(6).position(|window| window == [10, 0x1A, 0, 2, 0, 0]).unwrap();
        let mut other_leaf = bytes;
        other_leaf[leaf + 3] = 1;
        assert_eq!(Manifest::decode(&other_leaf), Err(ManifestError::Field { name: "leaf bytes" }));
    }
}
