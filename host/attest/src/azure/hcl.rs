//! The report that Azure's paravisor (HCL) leaves in its TPM: a header, the TEE's report, and what that binds.
//!
//! Spec: Microsoft, "Guest attestation for confidential VMs", attestation report format.

use alloc::vec::Vec;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use rsa::{BoxedUint, PublicKey};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::malformed::{Form, Malformed};

const FORM: Form = Form("HCL report");
const MAGIC: &[u8; 4] = b"HCLA";
/// Bytes of the whole area; zeros fill it up.
const BYTES: usize = 2600;
/// Header before the TEE's report.
const REPORT_AT: usize = 0x20;
/// Area of the TEE's report.
const REPORT_BYTES: usize = 1184;
/// Header of what the report binds.
const RUNTIME_AT: usize = REPORT_AT + REPORT_BYTES;
/// What is bound.
const DATA_AT: usize = RUNTIME_AT + 20;
/// Numbers of the reports' kinds.
const SNP: u32 = 2;
const TDX: u32 = 4;
/// Name of the TPM's attestation key.
const KEY_ID: &str = "HCLAkPub";
/// Bits of that key.
const KEY_BITS: u32 = 2048;

/// Which TEE is below the paravisor, and its report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inner {
    /// SEV-SNP.
    Snp(Vec<u8>),
    /// TDX's local report, whose `REPORTDATA` a quote repeats.
    Tdx,
}

/// What Azure says of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Configuration {
    /// Whether it has a console, by which the cloud may speak with it.
    pub console_enabled: bool,
    /// Whether firmware starts signed loaders alone.
    pub secure_boot: bool,
}

/// A report that was read. Proves nothing until its TEE's report is authentic and binds [`HclReport::bound`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HclReport {
    pub(crate) inner: Inner,
    /// SHA-256 of what the TEE's report binds, as it stands there.
    pub bound: [u8; 64],
    /// Key of the TPM's quotes.
    pub key: PublicKey,
    /// What Azure says of the machine.
    pub configuration: Configuration,
}

#[derive(Deserialize)]
struct Runtime<'a> {
    #[serde(borrow)]
    keys: Vec<Key<'a>>,
    #[serde(rename = "vm-configuration")]
    configuration: Configuration,
}

#[derive(Deserialize)]
struct Key<'a> {
    kid: &'a str,
    kty: &'a str,
    n: &'a str,
    e: &'a str,
}

impl HclReport {
    /// Reads a report.
    ///
    /// # Errors
    /// The field that is malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        FORM.expect(bytes.len() == BYTES, "length")?;
        let data = data(bytes)?;
        let runtime: Runtime<'_> =
            serde_json::from_slice(data).map_err(|_| FORM.malformed("runtime data"))?;
        let mut bound = [0; 64];
        bound.iter_mut().zip(Sha256::digest(data)).for_each(|(to, from)| *to = from);
        let inner = match number(bytes, RUNTIME_AT + 8) {
            SNP => Inner::Snp(slice(bytes, REPORT_AT, REPORT_BYTES).to_vec()),
            TDX => Inner::Tdx,
            _ => return Err(FORM.malformed("report type")),
        };
        Ok(Self { inner, bound, key: key(&runtime)?, configuration: runtime.configuration })
    }
}

/// Checks both headers; gives what is bound. SHA-256 (1) is the one hash that is used.
fn data(bytes: &[u8]) -> Result<&[u8], Malformed> {
    FORM.expect(slice(bytes, 0, 4) == MAGIC, "magic")?;
    FORM.expect(matches!(number(bytes, 4), 1 | 2), "version")?;
    FORM.expect(number(bytes, 12) == 2, "request type")?;
    FORM.expect(slice(bytes, 16, 16).iter().all(|&byte| byte == 0), "reserved bytes")?;
    FORM.expect(number(bytes, RUNTIME_AT + 4) == 1, "runtime data version")?;
    FORM.expect(number(bytes, RUNTIME_AT + 12) == 1, "hash")?;
    let len = usize::try_from(number(bytes, RUNTIME_AT + 16)).unwrap_or(BYTES);
    let size = usize::try_from(number(bytes, RUNTIME_AT)).unwrap_or(BYTES);
    let whole = usize::try_from(number(bytes, 8)).unwrap_or(BYTES);
    FORM.expect(Some(size) == len.checked_add(20) && Some(whole) == size.checked_add(RUNTIME_AT), "size")?;
    let (data, rest) = slice(bytes, DATA_AT, BYTES).split_at_checked(len).ok_or(FORM.malformed("size"))?;
    FORM.expect(rest.iter().all(|&byte| byte == 0), "padding")?;
    Ok(data)
}

fn key(runtime: &Runtime<'_>) -> Result<PublicKey, Malformed> {
    let malformed = FORM.malformed("attestation key");
    let mut named = runtime.keys.iter().filter(|key| key.kid == KEY_ID && key.kty == "RSA");
    let (Some(key), None) = (named.next(), named.next()) else { return Err(malformed) };
    let number = |text: &str, bits: u32| {
        let bytes = Base64UrlUnpadded::decode_vec(text).ok()?;
        BoxedUint::from_be_slice(&bytes, bits).ok()
    };
    let parts = number(key.n, KEY_BITS).zip(number(key.e, 64));
    parts.and_then(|(n, e)| PublicKey::new(n, e).ok()).ok_or(malformed)
}

fn number(bytes: &[u8], at: usize) -> u32 {
    slice(bytes, at, 4).first_chunk().copied().map_or(0, u32::from_le_bytes)
}

/// Every offset above lies inside the fixed length.
fn slice(bytes: &[u8], at: usize, len: usize) -> &[u8] {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.get(..len).unwrap_or(rest)
}
