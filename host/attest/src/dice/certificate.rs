//! Certificates of layers: who starts what, in which mode.

use alloc::string::String;
use alloc::vec::Vec;

use coset::cbor::Value;
use coset::cwt::{ClaimName, ClaimsSet};
use coset::{Algorithm, CborSerializable as _, CoseSign1, RegisteredLabelWithPrivate};

use super::FORM;
use super::key::Key;
use crate::malformed::Malformed;

/// Claims of the profile, §"CBOR certificates".
const CODE: i64 = -4_670_545;
const CONFIGURATION: i64 = -4_670_547;
const AUTHORITY: i64 = -4_670_549;
const MODE: i64 = -4_670_551;
const KEY: i64 = -4_670_552;
const USAGE: i64 = -4_670_553;
/// Key usage: signing certificates (bit 5).
const CERTIFICATE_SIGN: u8 = 0x20;
/// Bytes of the profile's hash, SHA-512.
const HASH_BYTES: usize = 64;

/// How a layer was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Secure boot is not set up.
    NotConfigured,
    /// As its maker means it.
    Normal,
    /// Somebody may look inside.
    Debug,
    /// For repair.
    Recovery,
}

impl Mode {
    /// Its name in policies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotConfigured => "not-configured",
            Self::Normal => "normal",
            Self::Debug => "debug",
            Self::Recovery => "recovery",
        }
    }
}

/// What a certificate says of the layer that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Hash of its code.
    pub code: [u8; HASH_BYTES],
    /// Hash of its configuration.
    pub configuration: [u8; HASH_BYTES],
    /// Hash of who may sign its code.
    pub authority: [u8; HASH_BYTES],
    /// How it was started.
    pub mode: Mode,
}

/// A certificate. Parsing proves its form, not who signed it.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    signed: CoseSign1,
    /// Name of the layer that signed.
    pub issuer: String,
    /// Name of the layer that it is for.
    pub subject: String,
    /// Key of that layer.
    pub key: Key,
    claims: ClaimsSet,
}

impl Certificate {
    /// Reads a `COSE_Sign1` of CWT claims; nothing may follow it.
    ///
    /// # Errors
    /// The field that is missing or malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let signed = CoseSign1::from_slice(bytes).map_err(|_| FORM.malformed("certificate"))?;
        let payload = signed.payload.as_deref().ok_or(FORM.malformed("payload"))?;
        let claims = ClaimsSet::from_slice(payload).map_err(|_| FORM.malformed("claims"))?;
        let usage = bytes_of(&claims, USAGE, "key usage")?;
        FORM.expect(is_for_certificates(usage), "key usage")?;
        Ok(Self {
            issuer: claims.issuer.clone().ok_or(FORM.malformed("issuer"))?,
            subject: claims.subject.clone().ok_or(FORM.malformed("subject"))?,
            key: Key::parse(bytes_of(&claims, KEY, "subject's key")?)?,
            claims,
            signed,
        })
    }

    /// Whether a key signed it.
    #[must_use]
    pub fn is_signed_by(&self, key: &Key) -> bool {
        is_signed_by(&self.signed, key)
    }

    /// What it says of its layer.
    ///
    /// # Errors
    /// A claim of the profile that is missing or malformed.
    pub fn layer(&self) -> Result<Layer, Malformed> {
        let hash = |claim, field| {
            let bytes = bytes_of(&self.claims, claim, field)?;
            bytes.try_into().map_err(|_| FORM.malformed(field))
        };
        Ok(Layer {
            code: hash(CODE, "code hash")?,
            configuration: hash(CONFIGURATION, "configuration hash")?,
            authority: hash(AUTHORITY, "authority hash")?,
            mode: mode(bytes_of(&self.claims, MODE, "mode")?)?,
        })
    }
}

/// Whether a key signed a message, by the algorithm that its protected header names.
pub(crate) fn is_signed_by(signed: &CoseSign1, key: &Key) -> bool {
    let Some(Algorithm::Assigned(algorithm)) = signed.protected.header.alg else { return false };
    let is_signed = |signature: &[u8], message: &[u8]| {
        if key.has_signed(algorithm, message, signature) { Ok(()) } else { Err(()) }
    };
    signed.verify_signature(&[], is_signed).is_ok()
}

fn bytes_of<'a>(claims: &'a ClaimsSet, claim: i64, field: &'static str) -> Result<&'a [u8], Malformed> {
    let name: ClaimName = RegisteredLabelWithPrivate::PrivateUse(claim);
    let found = claims.rest.iter().find(|(one, _)| *one == name);
    found.and_then(|(_, value)| Value::as_bytes(value)).map(Vec::as_slice).ok_or(FORM.malformed(field))
}

/// Bits of the first byte; zeros may follow.
fn is_for_certificates(usage: &[u8]) -> bool {
    matches!(usage, [CERTIFICATE_SIGN, rest @ ..] if rest.iter().all(|&byte| byte == 0))
}

fn mode(bytes: &[u8]) -> Result<Mode, Malformed> {
    match bytes {
        [0] => Ok(Mode::NotConfigured),
        [1] => Ok(Mode::Normal),
        [2] => Ok(Mode::Debug),
        [3] => Ok(Mode::Recovery),
        _ => Err(FORM.malformed("mode")),
    }
}
