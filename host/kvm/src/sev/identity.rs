//! The ID block: what an owner signs, so that the secure processor starts this guest under the owner's name and no other.
//!
//! Spec: AMD 56860 rev 1.58 §8.18 (`SNP_LAUNCH_FINISH`: ID block, ID authentication), §10 (keys and signatures).

use p384::SecretKey;
use p384::ecdsa::signature::Signer as _;
use p384::ecdsa::{Signature, SigningKey};
use vial_launch::LaunchDigest;

use crate::sev::pages::Pages;
use crate::sev::policy::Policy;

/// Bytes of the block.
const BLOCK_BYTES: usize = 96;
const AUTH_BYTES: usize = 4096;
/// Version of the block's form.
const VERSION: u32 = 1;
/// ECDSA over P-384 with SHA-384, and the curve.
const ALGORITHM: u32 = 1;
const CURVE_P384: u32 = 2;
/// Bytes of a public key and of a signature; numbers of 72 bytes each, the least significant first.
const KEY_BYTES: usize = 1028;
const SIGNATURE_BYTES: usize = 512;
const NUMBER_BYTES: usize = 72;
/// Bytes of a secret key.
const SECRET_BYTES: usize = 48;

/// What the owner says about the guest. All of it stands in reports, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdBlock {
    /// The launch digest: another guest is refused.
    pub digest: LaunchDigest,
    /// The owner's name for a family of images.
    pub family_id: [u8; 16],
    /// The owner's name for the image.
    pub image_id: [u8; 16],
    /// The guest's security version.
    pub svn: u32,
    /// The guest policy: another one is refused.
    pub policy: Policy,
}

/// An owner's secret key on P-384. Wiped when dropped.
#[derive(Clone, Debug)]
pub struct OwnerKey(SigningKey);

/// Why bytes are no owner's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentityError {
    /// How many bytes there are.
    pub found_bytes: usize,
}

/// An ID block with its signatures, as the secure processor takes them.
#[derive(Clone, Debug)]
pub struct Identity {
    block: [u8; BLOCK_BYTES],
    auth: [u8; AUTH_BYTES],
    has_author: bool,
}

impl core::fmt::Display for IdentityError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let found = self.found_bytes;
        write!(
            f,
            "owner's key: found {found} bytes, expected a P-384 private key, unencrypted, in PEM or as 48 bytes"
        )
    }
}

impl core::error::Error for IdentityError {}

impl OwnerKey {
    /// Reads a key: PEM (PKCS #8 or SEC 1, as openssl writes them), or the number alone, its most significant byte first.
    ///
    /// # Errors
    /// It is neither, or is encrypted, or of another curve.
    pub fn parse(bytes: &[u8]) -> Result<Self, IdentityError> {
        // The crate fills shorter numbers up.
        let raw = || SigningKey::from_slice(bytes).ok().filter(|_| bytes.len() == SECRET_BYTES);
        let key = core::str::from_utf8(bytes).ok().and_then(from_pem).or_else(raw);
        key.map(Self).ok_or(IdentityError { found_bytes: bytes.len() })
    }

    /// The public key as the secure processor takes it; reports name it by its SHA-384.
    #[must_use]
    pub fn public(&self) -> [u8; KEY_BYTES] {
        let point = self.0.verifying_key().to_sec1_point(false);
        let mut out = [0; KEY_BYTES];
        put(&mut out, 0, &CURVE_P384.to_le_bytes());
        for (at, number) in [(4, point.x()), (4 + NUMBER_BYTES, point.y())] {
            put(&mut out, at, &reversed(number.map_or(&[], |number| number.as_slice())));
        }
        out
    }

    /// Deterministic (RFC 6979).
    fn sign(&self, bytes: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let signature: Signature = self.0.sign(bytes);
        let (r, s) = signature.split_bytes();
        let mut out = [0; SIGNATURE_BYTES];
        put(&mut out, 0, &reversed(r.as_slice()));
        put(&mut out, NUMBER_BYTES, &reversed(s.as_slice()));
        out
    }
}

impl Identity {
    /// Signs `block` with `key`; an author's key vouches for that key, so that keys may change and the author stay.
    #[must_use]
    pub fn sign(block: &IdBlock, key: &OwnerKey, author: Option<&OwnerKey>) -> Self {
        let (block, public) = (block.encode(), key.public());
        let mut auth = [0; AUTH_BYTES];
        put(&mut auth, 0x000, &ALGORITHM.to_le_bytes());
        put(&mut auth, 0x040, &key.sign(&block));
        put(&mut auth, 0x240, &public);
        if let Some(author) = author {
            put(&mut auth, 0x004, &ALGORITHM.to_le_bytes());
            put(&mut auth, 0x680, &author.sign(&public));
            put(&mut auth, 0x880, &author.public());
        }
        Self { block, auth, has_author: author.is_some() }
    }

    pub(crate) fn has_author(&self) -> bool {
        self.has_author
    }

    /// Block and authentication, each where the kernel may read it.
    pub(crate) fn pages(&self) -> (Pages, Pages) {
        (Pages::of(&self.block), Pages::of(&self.auth))
    }
}

impl IdBlock {
    fn encode(&self) -> [u8; BLOCK_BYTES] {
        let mut out = [0; BLOCK_BYTES];
        put(&mut out, 0x00, &self.digest);
        put(&mut out, 0x30, &self.family_id);
        put(&mut out, 0x40, &self.image_id);
        put(&mut out, 0x50, &VERSION.to_le_bytes());
        put(&mut out, 0x54, &self.svn.to_le_bytes());
        put(&mut out, 0x58, &self.policy.bits().to_le_bytes());
        out
    }
}

/// The last block of a PEM file: openssl writes a curve's parameters before the key.
fn from_pem(text: &str) -> Option<SigningKey> {
    let block = text.get(text.rfind("-----BEGIN ")?..)?;
    SecretKey::from_pem(block).ok().map(SigningKey::from)
}

fn reversed(number: &[u8]) -> Vec<u8> {
    number.iter().rev().copied().collect()
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    out.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
}
