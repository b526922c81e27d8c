//! Reading a manifest, field by field.

use alloc::string::{String, ToString as _};
use minicbor::Decoder;

use super::{
    ALGORITHM, DRAFT_FIELDS, Draft, ENCRYPTION_FIELDS, Encryption, FIELDS, Manifest, ManifestError, Policy,
    TEXT_MAX, Weights,
};
use crate::header::FORMAT_VERSION;
use crate::tree::LEAF_BYTES;

/// What a manifest has of what it may have.
struct Optional {
    has_draft: bool,
    is_encrypted: bool,
    /// Fields but for those.
    others: u64,
}

impl Optional {
    /// As version and number of fields tell.
    fn of(version: u32, fields: u64) -> Self {
        match version {
            1 => Self { has_draft: false, is_encrypted: false, others: fields },
            2 => Self { has_draft: true, is_encrypted: false, others: fields.saturating_sub(DRAFT_FIELDS) },
            _ => {
                let rest = fields.saturating_sub(ENCRYPTION_FIELDS);
                let of_draft = DRAFT_FIELDS.saturating_add(1);
                let has_draft = rest >= FIELDS.saturating_add(of_draft);
                let others = if has_draft { rest.saturating_sub(of_draft) } else { rest };
                Self { has_draft, is_encrypted: true, others }
            }
        }
    }
}

/// The fields of a manifest in their order.
pub(super) struct Fields<'a>(Decoder<'a>);

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(Decoder::new(bytes))
    }

    pub(super) fn manifest(&mut self) -> Result<Manifest, ManifestError> {
        let fields = self.0.map().ok().flatten().ok_or(ManifestError::Field { name: "map" })?;
        let found = self.key(0, "version")?.number("version")?;
        if !(1..=FORMAT_VERSION).contains(&found) {
            return Err(ManifestError::Version { found });
        }
        let Optional { has_draft, is_encrypted, others } = Optional::of(found, fields);
        let manifest = Manifest {
            firmware: self.key(1, "firmware")?.bytes("firmware")?,
            kernel: self.key(2, "kernel")?.bytes("kernel")?,
            engine: self.key(3, "engine")?.bytes("engine")?,
            bundle: self.key(4, "bundle")?.bytes("bundle")?,
            model: self.key(5, "model")?.text("model")?,
            architecture: self.key(6, "architecture")?.text("architecture")?,
            weights: self.weights()?,
            policy: self.policy()?,
            publisher: self.publisher(others)?,
            draft: has_draft.then(|| self.draft()).transpose()?,
            encryption: is_encrypted.then(|| self.encryption(has_draft)).transpose()?,
        };
        let is_end = self.0.position() == self.0.input().len();
        if is_end { Ok(manifest) } else { Err(ManifestError::Form) }
    }

    fn weights(&mut self) -> Result<Weights, ManifestError> {
        let weights = self.file(7, ["weights root", "weights sha256", "weights bytes"])?;
        let leaf_bytes = self.key(10, "leaf bytes")?.long("leaf bytes")?;
        if leaf_bytes != LEAF_BYTES {
            return Err(ManifestError::Field { name: "leaf bytes" });
        }
        Ok(weights)
    }

    /// A file's root, SHA-256 and length, the first under `key`.
    fn file(&mut self, key: u8, [root, sha256, bytes]: [&'static str; 3]) -> Result<Weights, ManifestError> {
        Ok(Weights {
            root: self.key(key, root)?.bytes(root)?,
            sha256: self.key(key.saturating_add(1), sha256)?.bytes(sha256)?,
            bytes: self.key(key.saturating_add(2), bytes)?.long(bytes)?,
        })
    }

    fn draft(&mut self) -> Result<Draft, ManifestError> {
        let model = self.key(14, "draft model")?.text("draft model")?;
        let names = ["draft weights root", "draft weights sha256", "draft weights bytes"];
        Ok(Draft { model, weights: self.file(15, names)? })
    }

    fn encryption(&mut self, has_draft: bool) -> Result<Encryption, ManifestError> {
        if self.key(18, "encryption")?.number("encryption")? != ALGORITHM {
            return Err(ManifestError::Field { name: "encryption" });
        }
        let plaintext_root = self.key(19, "plaintext root")?.bytes("plaintext root")?;
        let name = "draft plaintext root";
        let draft = has_draft.then(|| self.key(20, name)?.bytes(name)).transpose()?;
        let key_check = self.key(21, "key check")?.bytes("key check")?;
        Ok(Encryption { plaintext_root, draft_plaintext_root: draft, key_check })
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
