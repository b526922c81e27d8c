//! The JSON form of evidence, as `GET /v1/attestation` sends it and the verifier reads it.

extern crate alloc;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// Value of [`Evidence::format`].
pub const FORMAT: &str = "vial-evidence-1";

/// Report, certificate chain, event log, manifest and runtime data. Byte strings are lower-case hex.
/// From the appliance by way of the host: untrusted until verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// [`FORMAT`].
    pub format: String,
    /// `"simulated"` for the simulated TEE.
    pub tee: String,
    /// The report's bytes.
    pub report: String,
    /// DER certificates, leaf first, one after another.
    pub certificates: String,
    /// TCG2 event log.
    pub event_log: String,
    /// Manifest bytes (canonical CBOR).
    pub manifest: String,
    /// Purpose of the report, see [`crate::report::Purpose`].
    pub purpose: u32,
    /// The verifier's nonce, 64 bytes.
    pub nonce: String,
    /// The appliance's Ed25519 public key.
    pub channel_key: String,
}
