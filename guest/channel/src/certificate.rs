//! Certificates that carry evidence: the appliance's own signature over its own key, and in an extension what a verifier
//! needs to know whose key it is.
//!
//! The extension is TCG's conceptual message wrapper (DICE Attestation Architecture, OID 2.23.133.5.4.9); its value is that of
//! RFC 9999, section 6: a CHOICE, here the OCTET STRING with a CBOR record of media type, bytes and kind.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr as _;
use core::time::Duration;

use der::asn1::{GeneralizedTime, ObjectIdentifier, OctetString};
use der::{Decode as _, Encode as _};
use ed25519_dalek::{Signature, VerifyingKey};
use minicbor::{Decoder, Encoder};
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder as _, CertificateBuilder};
use x509_cert::ext::Extension;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfo, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};
use x509_cert::{Certificate, TbsCertificate};

use crate::identity::Identity;

/// Spec: TCG DICE Attestation Architecture, tcg-dice-conceptual-message-wrapper.
pub const CONCEPTUAL_MESSAGE_WRAPPER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.5.4.9");
/// What our evidence is called in the wrapper.
pub const EVIDENCE_TYPE: &str = "application/vnd.vial.evidence+json";
/// Spec: RFC 9999, cm-type: bit 2 stands for evidence.
const IS_EVIDENCE: u32 = 1 << 2;
/// Spec: RFC 8410: Ed25519.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// The certificate's subject and issuer: names say nothing here, the key does.
const NAME: &str = "CN=vial appliance";
/// Seconds of 2020-01-01: appliances have no clock that anybody could trust.
const NOT_BEFORE: u64 = 1_577_836_800;

/// Why a certificate is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOurs {
    /// Not one certificate in DER of X.509.
    Form,
    /// Its key is no Ed25519 key.
    Key,
    /// Its own key did not sign it.
    Signature,
    /// It has no evidence in the form above, or twice.
    Evidence,
}

impl fmt::Display for NotOurs {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Form => "certificate: found something else, expected one certificate of X.509",
            Self::Key => "certificate's key: found another kind, expected Ed25519",
            Self::Signature => "certificate's signature: found another key's, expected its own",
            Self::Evidence => "certificate's evidence: found none in the wrapper of RFC 9999, expected one",
        })
    }
}

impl core::error::Error for NotOurs {}

/// What a certificate says. From the network: untrusted, until evidence is verified that binds the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The key that whoever shows this certificate must have.
    pub key: [u8; 32],
    /// Evidence as JSON, made with a nonce of the appliance's own.
    pub evidence: Vec<u8>,
}

struct Profile<'a> {
    name: Name,
    evidence: &'a [u8],
}

impl BuilderProfile for Profile<'_> {
    fn get_issuer(&self, subject: &Name) -> Name {
        subject.clone()
    }

    fn get_subject(&self) -> Name {
        self.name.clone()
    }

    fn build_extensions(
        &self,
        _subject: SubjectPublicKeyInfoRef<'_>,
        _issuer: SubjectPublicKeyInfoRef<'_>,
        _tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        let value = OctetString::new(wrapped(self.evidence))?.to_der()?;
        let extn_value = OctetString::new(value)?;
        Ok(vec![Extension { extn_id: CONCEPTUAL_MESSAGE_WRAPPER, critical: false, extn_value }])
    }
}

/// A certificate of `identity` that carries `evidence`, in DER.
///
/// # Errors
/// Evidence longer than DER can say.
pub fn make(identity: &Identity, evidence: &[u8]) -> builder::Result<Vec<u8>> {
    let profile = Profile { name: Name::from_str(NAME)?, evidence };
    let key = SubjectPublicKeyInfo::from_key(&identity.key().verifying_key())?;
    let not_before = GeneralizedTime::from_unix_duration(Duration::from_secs(NOT_BEFORE))?;
    // Spec: RFC 5280 §4.1.2.5: no well-defined end.
    let validity = Validity::new(Time::GeneralTime(not_before), Time::INFINITY);
    let certificate = CertificateBuilder::new(profile, SerialNumber::from(1_u8), validity, key)?;
    Ok(certificate.build::<_, Signature>(identity.key())?.to_der()?)
}

/// Reads a certificate that [`make`] made.
///
/// # Errors
/// It is none.
pub fn read(bytes: &[u8]) -> Result<Said, NotOurs> {
    let certificate = Certificate::from_der(bytes).map_err(|_| NotOurs::Form)?;
    let tbs = certificate.tbs_certificate();
    let key = key(tbs.subject_public_key_info()).ok_or(NotOurs::Key)?;
    let signed = tbs.to_der().map_err(|_| NotOurs::Form)?;
    let signature = certificate.signature().as_bytes().ok_or(NotOurs::Signature)?;
    verify(&key, &signed, signature).ok_or(NotOurs::Signature)?;
    let mut wrappers = tbs.extensions().into_iter().flatten();
    let mut wrappers = wrappers.by_ref().filter(|it| it.extn_id == CONCEPTUAL_MESSAGE_WRAPPER);
    let (Some(wrapper), None) = (wrappers.next(), wrappers.next()) else { return Err(NotOurs::Evidence) };
    let evidence = unwrapped(wrapper.extn_value.as_bytes()).ok_or(NotOurs::Evidence)?;
    Ok(Said { key, evidence })
}

/// Whether `key` signed `message`: strictly, so that no two signatures of one message hold. `None` if not.
#[must_use]
pub fn verify(key: &[u8; 32], message: &[u8], signature: &[u8]) -> Option<()> {
    let key = VerifyingKey::from_bytes(key).ok()?;
    let signature = Signature::from_slice(signature).ok()?;
    key.verify_strict(message, &signature).ok()
}

fn key(info: &SubjectPublicKeyInfo<der::Any, der::asn1::BitString>) -> Option<[u8; 32]> {
    let is_known = info.algorithm.oid == ED25519 && info.algorithm.parameters.is_none();
    let bytes = info.subject_public_key.as_bytes().filter(|_| is_known)?;
    bytes.try_into().ok()
}

fn wrapped(evidence: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    // Writing to memory does not fail.
    let _written = encoder
        .array(3)
        .and_then(|it| it.str(EVIDENCE_TYPE))
        .and_then(|it| it.bytes(evidence))
        .and_then(|it| it.u32(IS_EVIDENCE));
    encoder.into_writer()
}

fn unwrapped(value: &[u8]) -> Option<Vec<u8>> {
    let record = OctetString::from_der(value).ok()?;
    let mut decoder = Decoder::new(record.as_bytes());
    let is_record = decoder.array().ok()? == Some(3) && decoder.str().ok()? == EVIDENCE_TYPE;
    let evidence = decoder.bytes().ok().filter(|_| is_record)?.to_vec();
    let is_whole = decoder.u32().ok()? == IS_EVIDENCE && decoder.position() == record.as_bytes().len();
    is_whole.then_some(evidence)
}
