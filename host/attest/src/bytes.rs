//! Evidence as it comes over the network, into bytes.

use alloc::vec::Vec;
use vial_abi::evidence::{Evidence, FORMAT};
use vial_abi::report::Purpose;

use crate::authentic::{Attached, Statement};
use crate::malformed::{Form, Malformed};
use crate::x509::der_documents;

const FORM: Form = Form("evidence");
/// Longest evidence in bytes of JSON.
const EVIDENCE_MAX: usize = 256 << 10;

/// Evidence whose fields are bytes of the right lengths. Proves nothing yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes {
    /// What the TEE gave.
    pub statement: Statement,
    /// The event log.
    pub event_log: Vec<u8>,
    /// The manifest.
    pub manifest: Vec<u8>,
    /// Why the report was asked for.
    pub purpose: Purpose,
    /// The nonce it says it binds.
    pub nonce: [u8; 64],
    /// The appliance's key it says it binds.
    pub channel_key: [u8; 32],
}

impl Bytes {
    /// Reads the JSON form.
    ///
    /// # Errors
    /// The field that is malformed.
    pub fn parse(json: &[u8]) -> Result<Self, Malformed> {
        if json.len() > EVIDENCE_MAX {
            return Err(FORM.malformed("length"));
        }
        let evidence: Evidence = serde_json::from_slice(json).map_err(|_| FORM.malformed("JSON"))?;
        if evidence.format != FORMAT {
            return Err(FORM.malformed("format"));
        }
        let certificates = field(&evidence.certificates, "certificates")?;
        let certificates = der_documents(&certificates).map_err(|_| FORM.malformed("certificates"))?;
        let report = field(&evidence.report, "report")?;
        Ok(Self {
            statement: Statement { tee: evidence.tee, report, certificates, attached: Attached::default() },
            event_log: field(&evidence.event_log, "event_log")?,
            manifest: field(&evidence.manifest, "manifest")?,
            purpose: Purpose::from_value(evidence.purpose).ok_or(FORM.malformed("purpose"))?,
            nonce: fixed(&evidence.nonce, "nonce")?,
            channel_key: fixed(&evidence.channel_key, "channel_key")?,
        })
    }
}

fn fixed<const N: usize>(text: &str, field: &'static str) -> Result<[u8; N], Malformed> {
    unhex(text).and_then(|bytes| bytes.try_into().ok()).ok_or(FORM.malformed(field))
}

fn field(text: &str, field: &'static str) -> Result<Vec<u8>, Malformed> {
    unhex(text).ok_or(FORM.malformed(field))
}

/// Bytes of lower-case hex.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)?.checked_shl(4)? | digit(*low)?);
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    bytes.filter(|_| rest.is_empty())
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => character.checked_sub(b'0'),
        b'a'..=b'f' => character.checked_sub(b'a')?.checked_add(10),
        _ => None,
    }
}
