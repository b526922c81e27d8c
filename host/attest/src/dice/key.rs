//! Keys of layers, as COSE has them.

use alloc::vec::Vec;

use coset::iana::{self, EnumI64 as _};
use coset::{CborSerializable as _, CoseKey, KeyType, Label};
use p384::ecdsa::signature::Verifier as _;
use sha2::{Digest as _, Sha256};

use super::FORM;
use crate::malformed::Malformed;

/// A public key of one of the profile's algorithms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    verifier: Verifier,
    bytes: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Verifier {
    Ed25519(ed25519_dalek::VerifyingKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
}

impl Key {
    /// Reads a `COSE_Key`.
    ///
    /// # Errors
    /// Malformed, or of another algorithm.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let key = CoseKey::from_slice(bytes).map_err(|_| FORM.malformed("key"))?;
        let verifier = verifier(&key).ok_or(FORM.malformed("key"))?;
        Ok(Self { verifier, bytes: bytes.to_vec() })
    }

    /// SHA-256 of the `COSE_Key`, by which a policy names it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.bytes).into()
    }

    /// Whether it signed a message, by the algorithm that the message names.
    pub(crate) fn has_signed(&self, algorithm: iana::Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (&self.verifier, algorithm) {
            (Verifier::Ed25519(key), iana::Algorithm::EdDSA) => {
                ed25519_dalek::Signature::from_slice(signature)
                    .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
            }
            (Verifier::P256(key), iana::Algorithm::ES256) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            (Verifier::P384(key), iana::Algorithm::ES384) => p384::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            _ => false,
        }
    }
}

fn verifier(key: &CoseKey) -> Option<Verifier> {
    if key.kty == KeyType::Assigned(iana::KeyType::OKP) {
        let curve = iana::EllipticCurve::Ed25519.to_i64().into();
        let x = param(key, iana::OkpKeyParameter::X.to_i64())?.as_bytes()?.as_slice().try_into().ok()?;
        let is_right = param(key, iana::OkpKeyParameter::Crv.to_i64())?.as_integer() == Some(curve);
        return ed25519_dalek::VerifyingKey::from_bytes(x).ok().filter(|_| is_right).map(Verifier::Ed25519);
    }
    let point = key.to_sec1_octet_string().ok()?;
    let algorithm = key.alg.clone();
    let p256 = || p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok().map(Verifier::P256);
    let p384 = || p384::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok().map(Verifier::P384);
    match param(key, iana::Ec2KeyParameter::Crv.to_i64())?.as_integer().map(i128::from)? {
        1 if is_for(algorithm.as_ref(), iana::Algorithm::ES256) => p256(),
        2 if is_for(algorithm.as_ref(), iana::Algorithm::ES384) => p384(),
        _ => None,
    }
}

/// A key may name the one algorithm that it is for.
fn is_for(named: Option<&coset::Algorithm>, algorithm: iana::Algorithm) -> bool {
    named.is_none_or(|named| *named == coset::RegisteredLabelWithPrivate::Assigned(algorithm))
}

fn param(key: &CoseKey, label: i64) -> Option<&coset::cbor::Value> {
    let mut found = key.params.iter().filter(|(one, _)| *one == Label::Int(label));
    found.next().map(|(_, value)| value)
}
