//! X.509 as AMD issues it: RSA-PSS with SHA-384 throughout.
//!
//! Signatures are checked over the bytes as they came, never over what was parsed and written again.

use alloc::vec::Vec;
use core::time::Duration;

use der::asn1::{BitStringRef, ObjectIdentifier};
use der::{Decode, Reader as _, SliceReader};
use rsa::PublicKey;
use rsa::pss::{Signature, VerifyingKey};
use rsa::signature::Verifier as _;
use sha2::Sha384;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::spki::der::referenced::OwnedToRef as _;
use x509_cert::{Certificate as Parsed, TbsCertificate};

/// RSASSA-PSS with SHA-384, MGF1 with SHA-384 and 48 bytes of salt (RFC 4055 §3.1). AMD leaves the default trailer out of
/// some certificates and writes it into others.
const PSS_SHA384: &[u8] = &[
    0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A, 0x30, 0x34, 0xA0, 0x0F, 0x30, 0x0D,
    0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0xA1, 0x1C, 0x30, 0x1A,
    0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x08, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86,
    0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0xA2, 0x03, 0x02, 0x01, 0x30,
];
/// Where the length of the parameters stands in it, and what it is with a trailer.
const LENGTH_AT: usize = 12;
const LENGTH_WITH_TRAILER: u8 = 0x39;
const TRAILER: &[u8] = &[0xA3, 0x03, 0x02, 0x01, 0x01];

/// Something signed in the way of X.509: what it says, and a signature over these bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    content: Vec<u8>,
    algorithm: Vec<u8>,
    signature: Vec<u8>,
}

impl Signed {
    /// Reads the three parts; nothing may follow.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, der::Error> {
        let mut reader = SliceReader::new(der)?;
        let signed = reader.sequence(|parts| {
            let content = parts.tlv_bytes()?.to_vec();
            let algorithm = parts.sequence(|inner| inner.read_slice(inner.remaining_len()))?.to_vec();
            let signature = BitStringRef::decode(parts)?;
            let signature = signature.as_bytes().map(<[u8]>::to_vec).unwrap_or_default();
            Ok::<_, der::Error>(Self { content, algorithm, signature })
        })?;
        reader.finish()?;
        Ok(signed)
    }

    /// Whether that key signed it, by the one algorithm that AMD uses.
    pub(crate) fn is_signed_by(&self, key: &SubjectPublicKeyInfoOwned) -> bool {
        let Ok(key) = PublicKey::try_from(key.owned_to_ref()) else { return false };
        let Ok(signature) = Signature::try_from(self.signature.as_slice()) else { return false };
        is_pss_sha384(&self.algorithm)
            && VerifyingKey::<Sha384>::new(key).verify(&self.content, &signature).is_ok()
    }
}

fn is_pss_sha384(algorithm: &[u8]) -> bool {
    let short = algorithm == PSS_SHA384;
    short
        || algorithm.strip_suffix(TRAILER).is_some_and(|rest| {
            let expected = PSS_SHA384.iter().enumerate();
            let expected =
                expected.map(|(at, &byte)| if at == LENGTH_AT { LENGTH_WITH_TRAILER } else { byte });
            rest.iter().copied().eq(expected)
        })
}

/// A certificate. Parsing proves its form, not who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    signed: Signed,
    fields: TbsCertificate,
}

impl Certificate {
    /// Reads DER; nothing may follow it.
    ///
    /// # Errors
    /// Not a certificate.
    pub fn parse(der: &[u8]) -> Result<Self, der::Error> {
        let fields = Parsed::from_der(der)?.tbs_certificate().clone();
        Ok(Self { signed: Signed::parse(der)?, fields })
    }

    /// Reads every certificate of a PEM file.
    ///
    /// # Errors
    /// One of them is none.
    pub fn parse_pem(text: &str) -> Result<Vec<Self>, der::Error> {
        pem_documents(text)?.iter().map(|der| Self::parse(der)).collect()
    }

    /// What it says.
    pub(crate) fn fields(&self) -> &TbsCertificate {
        &self.fields
    }

    /// Whether it names itself as its issuer, as roots do.
    pub(crate) fn names_itself(&self) -> bool {
        self.fields.issuer() == self.fields.subject()
    }

    /// Whether `issuer` is named by it and signed it.
    #[must_use]
    pub fn is_issued_by(&self, issuer: &Self) -> bool {
        let is_named = self.fields.issuer() == issuer.fields.subject();
        is_named && self.signed.is_signed_by(issuer.fields.subject_public_key_info())
    }

    /// Whether it is valid at a time, in seconds since 1970.
    #[must_use]
    pub fn is_valid_at(&self, now: u64) -> bool {
        let validity = self.fields.validity();
        let now = Duration::from_secs(now);
        validity.not_before.to_unix_duration() <= now && now <= validity.not_after.to_unix_duration()
    }

    /// The subject's common name.
    #[must_use]
    pub fn common_name(&self) -> alloc::string::String {
        let name = self.fields.subject().common_name();
        name.ok().flatten().map(|name| name.value().into()).unwrap_or_default()
    }

    /// What an extension holds; `None` if there is none of that kind, or more than one.
    pub(crate) fn extension(&self, oid: ObjectIdentifier) -> Option<&[u8]> {
        let mut found = self.fields.extensions()?.iter().filter(|extension| extension.extn_id == oid);
        let only = found.next()?;
        found.next().is_none().then(|| only.extn_value.as_bytes())
    }
}

/// The bytes of every block of a PEM file.
///
/// # Errors
/// A block that is malformed.
pub fn pem_documents(text: &str) -> Result<Vec<Vec<u8>>, der::Error> {
    const END: &str = "-----END CERTIFICATE-----";
    let blocks = text.split_inclusive(END).map(str::trim).filter(|block| !block.is_empty());
    blocks.map(|block| Ok(der::pem::decode_vec(block.as_bytes())?.1)).collect()
}

/// DER documents that stand one after another.
///
/// # Errors
/// One that is cut short.
pub(crate) fn der_documents(bytes: &[u8]) -> Result<Vec<Vec<u8>>, der::Error> {
    let mut reader = SliceReader::new(bytes)?;
    let mut documents = Vec::new();
    while !reader.is_finished() {
        documents.push(reader.tlv_bytes()?.to_vec());
    }
    Ok(documents)
}
