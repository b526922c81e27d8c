//! Verdicts in the form of EAR, which other relying parties read: a status, and a vector of what was looked at.
//!
//! Spec: draft-ietf-rats-ear-04; values of the vector: draft-ietf-rats-ar4si-09 §2.3 (2 affirms, 32 warns, 96 refuses, 0 says
//! nothing).

use alloc::string::String;
use serde::Serialize;

use crate::assurance::Assurance;
use crate::verify::Verdict;

const PROFILE: &str = "tag:github.com,2023:veraison/ear";
const DEVELOPER: &str = "vial";

/// An attestation result. Not signed: it is the verifier's own word to who started it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ear {
    eat_profile: &'static str,
    iat: u64,
    #[serde(rename = "ear.verifier-id")]
    verifier: VerifierId,
    submods: Submods,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct VerifierId {
    developer: &'static str,
    build: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Submods {
    appliance: Appraisal,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Appraisal {
    #[serde(rename = "ear.status")]
    status: &'static str,
    #[serde(rename = "ear.trustworthiness-vector")]
    vector: Vector,
    #[serde(rename = "ear.appraisal-policy-id")]
    policy: String,
}

/// What was looked at. Claims about files and storage are not made: an appliance has neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Vector {
    instance_identity: i8,
    configuration: i8,
    executables: i8,
    hardware: i8,
    runtime_opaque: i8,
    sourced_data: i8,
}

impl Ear {
    /// The result of a verdict, `build` of this verifier having made it at `now`.
    #[must_use]
    pub fn of(verdict: &Verdict, build: &str, now: u64) -> Self {
        let policy = alloc::format!("tag:vial,2026:profile/{}", verdict.profile);
        let appraisal = Appraisal { status: status(verdict), vector: vector(verdict), policy };
        let verifier = VerifierId { developer: DEVELOPER, build: build.into() };
        Self { eat_profile: PROFILE, iat: now, verifier, submods: Submods { appliance: appraisal } }
    }
}

/// What is accepted and rests on less than a processor's word alone is a warning.
fn status(verdict: &Verdict) -> &'static str {
    match (verdict.accepted, verdict.assurance) {
        (true, Some(Assurance::Hardware)) => "affirming",
        (true, _) => "warning",
        (false, _) => "contraindicated",
    }
}

fn vector(verdict: &Verdict) -> Vector {
    let mut vector = Vector::default();
    for check in &verdict.checks {
        let claim = claim(&mut vector, check.name);
        *claim = if check.has_passed() { (*claim).max(2) } else { 96 };
    }
    match verdict.assurance {
        Some(Assurance::Hardware) => {}
        // The root proves nothing, and so does what stands under it.
        Some(Assurance::Simulated) => (vector.hardware, vector.runtime_opaque) = (0, 0),
        Some(_) => vector.runtime_opaque = vector.runtime_opaque.max(32),
        None => vector.hardware = 96,
    }
    vector
}

/// Which claim a check is about. What proves who signed is about the hardware.
fn claim<'a>(vector: &'a mut Vector, name: &str) -> &'a mut i8 {
    match name {
        "assurance" | "snp.debug" | "tdx.debug" | "dice.mode" | "azure.console" => &mut vector.runtime_opaque,
        "freshness" | "nonce" | "report data" | "purpose" => &mut vector.instance_identity,
        "appliance.weights_root"
        | "appliance.plaintext_root"
        | "appliance.draft_root"
        | "appliance.weights_measured" => &mut vector.sourced_data,
        "event log" | "manifest" | "dice.code" | "dice.authority" => &mut vector.executables,
        _ if is_code(name) => &mut vector.executables,
        _ if is_hardware(name) => &mut vector.hardware,
        _ => &mut vector.configuration,
    }
}

fn is_code(name: &str) -> bool {
    ["appliance.", "tdx.rtmr", "tpm.pcr"].iter().any(|start| name.starts_with(start))
}

/// Checks without a dot are no fields of a policy: they belong to the proof of who signed.
fn is_hardware(name: &str) -> bool {
    let of_the_platform =
        ["snp.tcb.", "snp.signer", "snp.revocation", "tdx.tcb_status", "tpm.key", "dice.root"];
    !name.contains('.') || of_the_platform.iter().any(|start| name.starts_with(start))
}
