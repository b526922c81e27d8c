//! Appliances of the simulated TEE: accepted evidence, and one refusing twin for each field.

mod evidence;
mod receipts;
mod references;
mod verdicts;

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use sha2::{Digest as _, Sha512};
use vial_abi::evidence::{Evidence, FORMAT};
use vial_abi::launch_page::{Kv, Machine, Measure, Tee};
use vial_abi::report::{Purpose, RuntimeData};
use vial_weights::event_log::{EventLog, names};
use vial_weights::manifest::{Draft, Encryption, Manifest, Policy as Sealed, Weights};
use vial_weights::sha384;
use vial_weights::tree::Hex;

use crate::policy::FIELDS;
use crate::simulated::SimulatedTee;
use crate::snp::Roots;
use crate::snp::report::Report;
use crate::{
    Asked, Assurance, Attached, Bytes, MachineShape, Policy, PolicyFile, Profile, Reference, ReferenceError,
    Statement, Trust, Verdict, host_data, verify,
};

fn manifest() -> Manifest {
    Manifest {
        firmware: [1; 48],
        kernel: [2; 48],
        engine: [3; 48],
        bundle: [4; 48],
        model: "m".to_string(),
        architecture: "llama".to_string(),
        weights: Weights { root: [5; 32], sha256: [6; 32], bytes: 7 },
        policy: Sealed { max_streams: 8, max_context: 4096 },
        publisher: None,
        draft: None,
        encryption: None,
    }
}

const SHAPE: MachineShape = MachineShape {
    cpus: 2,
    memory_bytes: 512 << 20,
    tee: Tee::Simulated,
    machine: Machine::Vial,
    measure: Measure::Nodes,
    kv: Kv::F16,
};
const MEASUREMENT: [u8; 48] = [9; 48];
const NONCE: [u8; 64] = [8; 64];
const KEY: [u8; 32] = [7; 32];

/// The same with a draft model.
fn drafted() -> Manifest {
    let weights = Weights { root: [6; 32], sha256: [7; 32], bytes: 8 };
    Manifest { draft: Some(Draft { model: "d".to_string(), weights }), ..manifest() }
}

fn reference() -> Reference {
    reference_of(&manifest())
}

fn reference_of(manifest: &Manifest) -> Reference {
    let hex = |bytes: &[u8]| Hex(bytes).to_string();
    let page = SHAPE.launch_page(manifest);
    Reference {
        format: "vial-reference-1".to_string(),
        tee: "simulated".to_string(),
        launch_measurement: hex(&MEASUREMENT),
        launch_page: hex(&sha384(&page.encode())),
        manifest_digest: hex(&manifest.digest()),
        weights_root: hex(&[5; 32]),
        firmware: hex(&[1; 48]),
        kernel: hex(&[2; 48]),
        engine: hex(&[3; 48]),
        bundle: hex(&[4; 48]),
        model: "m".to_string(),
        cpus: 2,
        memory_bytes: 512 << 20,
        measure: "nodes".to_string(),
        kv: "f16".to_string(),
        plaintext_root: manifest.encryption.as_ref().map(|it| hex(&it.plaintext_root)),
        draft_root: manifest.draft.as_ref().map(|draft| hex(&draft.weights.root)),
        draft_model: manifest.draft.as_ref().map(|draft| draft.model.clone()),
        tool: None,
    }
}

fn log() -> EventLog {
    log_of(&manifest(), None)
}

/// What firmware writes of an image; `draft` is the root it found.
fn log_of(manifest: &Manifest, draft: Option<[u8; 32]>) -> EventLog {
    let mut log = EventLog::default();
    log.measure(names::LAUNCH_PAGE, &SHAPE.launch_page(manifest).encode());
    log.measure(names::MANIFEST, &manifest.encode());
    log.append(names::KERNEL, [2; 48]);
    log.append(names::ENGINE, [3; 48]);
    log.append(names::BUNDLE, [4; 48]);
    log.measure(names::WEIGHTS_ROOT, &[5; 32]);
    draft.iter().for_each(|root| log.measure(names::DRAFT_ROOT, root));
    log
}

fn evidence_over(log: &EventLog, purpose: Purpose, measurement: [u8; 48]) -> Bytes {
    evidence_of(&manifest(), log, purpose, measurement)
}

fn evidence_of(manifest: &Manifest, log: &EventLog, purpose: Purpose, measurement: [u8; 48]) -> Bytes {
    evidence_with(KEY, manifest, log, purpose, measurement)
}

fn evidence_with(
    channel_key: [u8; 32],
    manifest: &Manifest,
    log: &EventLog,
    purpose: Purpose,
    measurement: [u8; 48],
) -> Bytes {
    let data = RuntimeData {
        purpose,
        nonce: NONCE,
        channel_key,
        manifest_digest: manifest.digest(),
        weights_root: [5; 32],
        event_log_head: log.head(),
    };
    let report = SimulatedTee::new(measurement, host_data(&manifest.digest()))
        .unwrap()
        .report(&Sha512::digest(data.preimage()).into());
    Bytes {
        statement: Statement {
            tee: "simulated".to_string(),
            report,
            certificates: Vec::new(),
            attached: Attached::default(),
        },
        event_log: log.bytes().to_vec(),
        manifest: manifest.encode(),
        purpose,
        nonce: NONCE,
        channel_key,
    }
}

/// Evidence as it travels.
fn json_of(it: Bytes) -> Evidence {
    let hex = |bytes: &[u8]| Hex(bytes).to_string();
    Evidence {
        format: FORMAT.to_string(),
        tee: it.statement.tee,
        report: hex(&it.statement.report),
        certificates: hex(&it.statement.certificates.concat()),
        event_log: hex(&it.event_log),
        manifest: hex(&it.manifest),
        purpose: it.purpose.value(),
        nonce: hex(&it.nonce),
        channel_key: hex(&it.channel_key),
    }
}

fn evidence() -> Bytes {
    evidence_over(&log(), Purpose::Attestation, MEASUREMENT)
}

/// What `vial verify --allow-simulated` insists on.
fn file() -> PolicyFile {
    let mut file = PolicyFile::of_profile(Profile::OwnHost);
    file.default_to("assurance", &["simulated".to_string()], "a test").unwrap();
    file
}

fn policy_of(reference: &Reference) -> Policy {
    let mut file = file();
    reference.state(&mut file).unwrap();
    file.complete().unwrap()
}

fn verdict_under(evidence: &Bytes, policy: &Policy, nonce: &[u8; 64]) -> Verdict {
    let amd = Roots::none();
    let trust = Trust { now: 0, amd: &amd, amd_revocation_lists: &[], intel: None };
    verify(evidence, policy, Asked { nonce: Some(nonce), key: None }, &trust)
}

fn refused_by(verdict: &Verdict) -> &'static str {
    assert!(!verdict.accepted);
    let refused: Vec<_> = verdict.checks.iter().filter(|check| !check.has_passed()).collect();
    assert_eq!(refused.len(), 1);
    refused[0].name
}

fn refused(evidence: &Bytes) -> &'static str {
    refused_by(&verdict_under(evidence, &policy_of(&reference()), &NONCE))
}
