//! The simulated TEE, for development: reports in SNP's layout under one root that everybody has.
//!
//! Its secret key follows from a public sentence, so a report under it proves nothing but that the parts fit together.
//! It is its own kind of evidence and is refused unless the verifier was told to allow it.

use alloc::vec::Vec;
use p384::ecdsa::signature::{Signer as _, Verifier as _};
use p384::ecdsa::{Signature, SigningKey, VerifyingKey};

use crate::check::Checks;
use crate::snp::report::{REPORT_BYTES, Report, SIGNED_BYTES, put_signature};

/// The sentence whose SHA-384 is the secret key.
pub const SENTENCE: &[u8] = b"vial SIMULATED root of trust: everybody has this key, it proves nothing";
/// Name of this TEE in evidence.
pub const NAME: &str = "simulated";
/// Version of its reports.
const VERSION: u32 = 2;
/// Guest policy of its reports: multi-threading allowed, the bit that must be one, no debugging.
const POLICY: u64 = 0x3_0000;
const ROOT: &str = "the SIMULATED root";
/// Stands where a processor has its identity.
const CHIP: &[u8; 64] = b"SIMULATED - NO PROCESSOR - PROVES NOTHING - SIMULATED - NO TEE -";

/// Signs reports for one launched machine.
#[derive(Clone, Debug)]
pub struct SimulatedTee {
    key: SigningKey,
    measurement: [u8; 48],
    host_data: [u8; 32],
}

impl SimulatedTee {
    /// The TEE around a machine of this launch measurement and host data; `None` never happens for the fixed sentence.
    #[must_use]
    pub fn new(measurement: [u8; 48], host_data: [u8; 32]) -> Option<Self> {
        Some(Self { key: key()?, measurement, host_data })
    }

    /// The report over `report_data`. Deterministic (RFC 6979).
    #[must_use]
    pub fn report(&self, report_data: &[u8; 64]) -> Vec<u8> {
        let mut bytes = [0; REPORT_BYTES];
        let fields: [(usize, &[u8]); 8] = [
            (0x00, &VERSION.to_le_bytes()),
            (0x08, &POLICY.to_le_bytes()),
            (0x10, b"vial SIMULATED\0\0"),
            (0x34, &1_u32.to_le_bytes()),
            (0x50, report_data),
            (0x90, &self.measurement),
            (0xC0, &self.host_data),
            (0x1A0, CHIP),
        ];
        for (start, field) in fields {
            bytes.iter_mut().skip(start).zip(field).for_each(|(to, from)| *to = *from);
        }
        let signature: Signature = self.key.sign(bytes.get(..SIGNED_BYTES).unwrap_or_default());
        let numbers = signature.to_bytes();
        put_signature(&mut bytes, &core::array::from_fn(|at| numbers.get(at).copied().unwrap_or_default()));
        bytes.to_vec()
    }
}

/// Checks form and signature.
pub(crate) fn authentic(bytes: &[u8], checks: &mut Checks) -> Option<Report> {
    let report = checks.parsed("report", Report::parse(bytes), "the report's layout", ROOT)?;
    let is_right = is_signed(bytes, &report);
    let found = if is_right { "verifies" } else { "does not verify" };
    checks.holds("report signature", is_right, found, "ECDSA P-384 under the SIMULATED root", ROOT)?;
    Some(report)
}

/// Whether the simulated root signed these report bytes, and says so in them.
fn is_signed(bytes: &[u8], report: &Report) -> bool {
    let signed = bytes.get(..SIGNED_BYTES).unwrap_or_default();
    let Some(key) = key() else { return false };
    let Ok(signature) = Signature::from_slice(&report.signature) else { return false };
    report.chip_id == *CHIP && VerifyingKey::from(&key).verify(signed, &signature).is_ok()
}

fn key() -> Option<SigningKey> {
    SigningKey::from_slice(&vial_weights::sha384(SENTENCE)).ok()
}
