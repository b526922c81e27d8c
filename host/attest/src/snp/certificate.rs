//! VCEK and VLEK certificates: which key signs a platform's reports, and which versions it follows from.
//!
//! Spec: AMD 57230 (VCEK certificate and KDS interface) rev 1.01 §3.1, table 8.

use alloc::string::String;
use alloc::vec::Vec;

use der::Decode as _;
use der::asn1::{Ia5StringRef, ObjectIdentifier};
use p384::ecdsa::VerifyingKey;

use super::product::Product;
use super::tcb::Tcb;
use crate::x509::Certificate;

/// Everything that AMD adds stands below 1.3.6.1.4.1.3704.1.
const PRODUCT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.2");
const BOOTLOADER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.1");
const TEE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.2");
const SNP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.3");
const MICROCODE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.8");
const FMC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.9");
const CHIP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.4");
const CLOUD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.5");

/// Whose key it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The processor's own (VCEK), by its identity: 64 bytes, on Turin 8.
    Chip(Vec<u8>),
    /// One that AMD gave to a cloud for its processors (VLEK), by the cloud's name.
    Cloud(String),
}

impl Signer {
    /// What AMD calls the key.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Chip(_) => "VCEK",
            Self::Cloud(_) => "VLEK",
        }
    }
}

/// What a certificate says of the key that signs reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endorsement {
    /// Whose key it is.
    pub signer: Signer,
    /// Generation of the processor.
    pub product: Product,
    /// The versions that the key follows from: the platform could not have it with lower ones.
    pub tcb: Tcb,
    pub(crate) key: VerifyingKey,
}

/// An extension that is missing or malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missing(&'static str);

impl core::fmt::Display for Missing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "no {}", self.0)
    }
}

impl Endorsement {
    /// Whether a certificate is of this kind, by its subject.
    pub(crate) fn is_one(certificate: &Certificate) -> bool {
        matches!(certificate.common_name().as_str(), "SEV-VCEK" | "SEV-VLEK")
    }

    /// Reads the extensions.
    pub(crate) fn parse(certificate: &Certificate) -> Result<Self, Missing> {
        let product = text(certificate, PRODUCT, "product name")?;
        let product = Product::from_certificate(product).ok_or(Missing("known product name"))?;
        let key = certificate.fields().subject_public_key_info().subject_public_key.as_bytes();
        let key = key.and_then(|point| VerifyingKey::from_sec1_bytes(point).ok());
        Ok(Self {
            signer: signer(certificate)?,
            product,
            tcb: tcb(certificate, product)?,
            key: key.ok_or(Missing("key on P-384"))?,
        })
    }
}

fn signer(certificate: &Certificate) -> Result<Signer, Missing> {
    if certificate.common_name() == "SEV-VLEK" {
        return Ok(Signer::Cloud(text(certificate, CLOUD, "cloud's name")?.into()));
    }
    let chip = certificate.extension(CHIP).ok_or(Missing("identity of the processor"))?;
    Ok(Signer::Chip(chip.to_vec()))
}

fn tcb(certificate: &Certificate, product: Product) -> Result<Tcb, Missing> {
    let fmc = (product == Product::Turin).then(|| version(certificate, FMC, "FMC version")).transpose()?;
    Ok(Tcb {
        fmc,
        bootloader: version(certificate, BOOTLOADER, "boot loader version")?,
        tee: version(certificate, TEE, "TEE version")?,
        snp: version(certificate, SNP, "SNP version")?,
        microcode: version(certificate, MICROCODE, "microcode version")?,
    })
}

fn version(certificate: &Certificate, oid: ObjectIdentifier, name: &'static str) -> Result<u8, Missing> {
    certificate.extension(oid).and_then(|value| u8::from_der(value).ok()).ok_or(Missing(name))
}

fn text<'a>(
    certificate: &'a Certificate,
    oid: ObjectIdentifier,
    name: &'static str,
) -> Result<&'a str, Missing> {
    let value = certificate.extension(oid).ok_or(Missing(name))?;
    Ia5StringRef::from_der(value).map(|text| text.as_str()).map_err(|_| Missing(name))
}
