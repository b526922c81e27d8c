//! Evidence for verifiers: a fresh report over their nonce, with what was measured at boot.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use vial_abi::call::REPORT_OUT_BYTES;
use vial_abi::evidence::{Evidence, FORMAT};
use vial_abi::launch_page::Tee;
use vial_abi::report::{Purpose, ReportRequest, ReportResponse};
use vial_net::ApiError;
use vial_snp::certificates::report_key;
use vial_user::memory::HostCertificates;
use vial_user::{random, syscall};
use vial_weights::tree::Hex;

/// What a certificate carries where the TEE gave no report.
const NO_EVIDENCE: &[u8] = b"{}";

/// What stays the same in all evidence of this appliance.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// The manifest's bytes.
    pub manifest: &'static [u8],
    /// The event log.
    pub event_log: &'static [u8],
    /// The appliance's key, made in memory at boot.
    pub channel_key: [u8; 32],
    /// The TEE around the appliance.
    pub tee: Tee,
    /// Where the host adds certificates to its reports.
    pub certificates: HostCertificates,
}

/// Evidence over `nonce` as JSON, of an appliance in good health or not.
///
/// # Errors
/// The TEE gave no report.
pub fn json(bound: &Bound, nonce: &[u8; 64], purpose: Purpose) -> Result<Vec<u8>, ApiError> {
    let request = ReportRequest { purpose, nonce: *nonce, channel_key: bound.channel_key };
    let mut response = [0; REPORT_OUT_BYTES];
    let refused = || ApiError::server("the TEE gave no report");
    let used = syscall::report(&request, &mut response).map_err(|_| refused())?;
    let response = ReportResponse::decode(response.get(..used).unwrap_or_default()).map_err(|_| refused())?;
    let hex = |bytes: &[u8]| -> String { Hex(bytes).to_string() };
    let evidence = Evidence {
        format: FORMAT.to_string(),
        tee: bound.tee.evidence().to_string(),
        report: hex(response.report),
        certificates: hex(&[response.certificates, report_key(&bound.certificates.read())].concat()),
        event_log: hex(bound.event_log),
        manifest: hex(bound.manifest),
        purpose: purpose.value(),
        nonce: hex(nonce),
        channel_key: hex(&bound.channel_key),
    };
    serde_json::to_vec(&evidence).map_err(|_| refused())
}

/// Evidence for certificates, over a nonce of the appliance's own: it says what it is, and not when.
#[must_use]
pub fn shown(bound: &Bound, purpose: Purpose) -> Vec<u8> {
    let mut nonce = [0; 64];
    let evidence = match random::fill(&mut nonce) {
        true => json(bound, &nonce, purpose),
        false => Err(ApiError::server("the processor gave no randomness")),
    };
    // Without a report there is nothing to show, and whoever asks for one is told why.
    evidence.unwrap_or_else(|_| NO_EVIDENCE.to_vec())
}
