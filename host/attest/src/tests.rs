//! Accepted evidence, and one refusing twin for each field.

use alloc::string::ToString as _;
use alloc::vec::Vec;
use sha2::{Digest as _, Sha512};
use vial_abi::evidence::{Evidence, FORMAT};
use vial_abi::launch_page::{Kv, Machine, Measure};
use vial_abi::report::{Purpose, RuntimeData};
use vial_weights::event_log::{EventLog, names};
use vial_weights::manifest::{Draft, Manifest, Policy as Sealed, Weights};
use vial_weights::sha384;
use vial_weights::tree::Hex;

use crate::report::{Report, ReportError};
use crate::simulated::SimulatedTee;
use crate::{Bytes, MachineShape, Policy, Reference, ReferenceError, Verdict, verify};

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
    }
}

const SHAPE: MachineShape = MachineShape {
    cpus: 2,
    memory_bytes: 512 << 20,
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
        draft_root: manifest.draft.as_ref().map(|draft| hex(&draft.weights.root)),
        draft_model: manifest.draft.as_ref().map(|draft| draft.model.clone()),
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
    let data = RuntimeData {
        purpose,
        nonce: NONCE,
        channel_key: KEY,
        manifest_digest: manifest.digest(),
        weights_root: [5; 32],
        event_log_head: log.head(),
    };
    let report = SimulatedTee::new(measurement).unwrap().report(&Sha512::digest(data.preimage()).into());
    Bytes {
        tee: "simulated".to_string(),
        report,
        certificates: Vec::new(),
        event_log: log.bytes().to_vec(),
        manifest: manifest.encode(),
        purpose,
        nonce: NONCE,
        channel_key: KEY,
    }
}

fn evidence() -> Bytes {
    evidence_over(&log(), Purpose::Attestation, MEASUREMENT)
}

fn policy() -> Policy {
    Policy { nonce: NONCE, allow_simulated: true, least_tcb: 0, vmpl: 0 }
}

fn refused_by(verdict: &Verdict) -> &'static str {
    assert!(!verdict.accepted);
    let refused: Vec<_> = verdict.checks.iter().filter(|check| !check.has_passed()).collect();
    assert_eq!(refused.len(), 1);
    refused[0].name
}

fn refused(evidence: &Bytes) -> &'static str {
    refused_by(&verify(evidence, &reference(), &policy()))
}

#[test]
fn whole_evidence_is_accepted_with_every_check_named() {
    let verdict = verify(&evidence(), &reference(), &policy());
    assert!(verdict.accepted && verdict.simulated);
    let checks: Vec<_> = verdict.checks.iter().map(|check| check.name).collect();
    let expected = [
        "report signature",
        "root of trust",
        "debug allowed",
        "privilege level",
        "platform version",
        "launch measurement",
        "event log",
        "manifest digest",
        "weights root",
        "purpose",
        "nonce",
        "report data",
    ];
    assert_eq!(checks, expected);
}

#[test]
fn the_simulated_root_is_refused_unless_allowed() {
    let strict = Policy { allow_simulated: false, ..policy() };
    assert_eq!(refused_by(&verify(&evidence(), &reference(), &strict)), "root of trust");
}

#[test]
fn every_signed_byte_and_the_signature_are_covered() {
    let whole = evidence();
    for at in (0..0x2A0 + 144).step_by(7) {
        let mut changed = whole.clone();
        changed.report[at] ^= 1;
        assert_eq!(refused(&changed), "report signature", "byte {at:#x}");
    }
}

#[test]
fn a_changed_nonce_key_purpose_manifest_or_log_is_refused_by_name() {
    let change = |change: &dyn Fn(&mut Bytes)| {
        let mut changed = evidence();
        change(&mut changed);
        changed
    };
    assert_eq!(refused(&change(&|it| it.nonce[0] ^= 1)), "nonce");
    assert_eq!(refused(&change(&|it| it.channel_key[0] ^= 1)), "report data");
    assert_eq!(refused(&change(&|it| it.purpose = Purpose::Boot)), "purpose");
    assert_eq!(refused(&change(&|it| it.purpose = Purpose::Unhealthy)), "purpose");
    assert_eq!(refused(&change(&|it| it.manifest[9] ^= 1)), "manifest digest");
    assert_eq!(refused(&change(&|it| it.event_log[100] ^= 1)), "event log");
    assert_eq!(refused(&change(&|it| it.event_log.truncate(300))), "event log");
    assert_eq!(refused(&change(&|it| it.tee = "sev-snp".to_string())), "report signature");
    assert_eq!(refused(&evidence_over(&log(), Purpose::Boot, MEASUREMENT)), "purpose");
    let mut unhealthy = evidence_over(&log(), Purpose::Unhealthy, MEASUREMENT);
    assert_eq!(refused(&unhealthy), "purpose");
    unhealthy.purpose = Purpose::Attestation;
    assert_eq!(refused(&unhealthy), "report data");
    assert_eq!(refused(&evidence_over(&log(), Purpose::Attestation, [0; 48])), "launch measurement");
}

#[test]
fn a_nonce_of_another_session_is_refused() {
    let other = Policy { nonce: [1; 64], ..policy() };
    assert_eq!(refused_by(&verify(&evidence(), &reference(), &other)), "nonce");
}

#[test]
fn a_log_in_another_order_is_refused_even_when_it_is_bound() {
    let mut swapped = EventLog::default();
    swapped.measure(names::MANIFEST, &manifest().encode());
    swapped.measure(names::LAUNCH_PAGE, &SHAPE.launch_page(&manifest()).encode());
    assert_eq!(refused(&evidence_over(&swapped, Purpose::Attestation, MEASUREMENT)), "event log");
}

#[test]
fn reference_values_of_another_image_or_machine_are_refused() {
    let with = |change: &dyn Fn(&mut Reference)| {
        let mut reference = reference();
        change(&mut reference);
        refused_by(&verify(&evidence(), &reference, &policy()))
    };
    assert_eq!(with(&|it| it.launch_measurement.replace_range(0..1, "f")), "launch measurement");
    assert_eq!(with(&|it| it.manifest_digest.replace_range(0..2, "zz")), "event log");
    assert_eq!(with(&|it| it.kernel.clear()), "event log");
    assert_eq!(with(&|it| it.weights_root.replace_range(0..1, "f")), "event log");
    assert_eq!(with(&|it| it.measure = "full".to_string()), "event log");
    let other = MachineShape { kv: Kv::Q8_0, ..SHAPE }.launch_page(&manifest()).encode();
    assert_eq!(with(&|it| it.launch_page = Hex(&sha384(&other)).to_string()), "event log");
}

#[test]
fn a_draft_model_is_accepted_under_its_own_root_alone() {
    let evidence =
        |root| evidence_of(&drafted(), &log_of(&drafted(), root), Purpose::Attestation, MEASUREMENT);
    let verdict = |root, reference: &Reference| verify(&evidence(root), reference, &policy());
    let expected = reference_of(&drafted());
    let accepted = verdict(Some([6; 32]), &expected);
    assert!(accepted.accepted);
    assert_eq!(accepted.checks.iter().filter(|check| check.name == "draft weights root").count(), 1);
    // Another one was measured, none was, or none is expected.
    let none = Reference { draft_root: None, draft_model: None, ..expected.clone() };
    for (measured, reference) in [(Some([1; 32]), &expected), (None, &expected), (Some([6; 32]), &none)] {
        assert_eq!(refused_by(&verdict(measured, reference)), "event log");
    }
    // A log that says what is expected, under a manifest that says something else.
    let other = Reference { draft_root: Some(Hex(&[1; 32]).to_string()), ..expected };
    assert_eq!(refused_by(&verdict(Some([1; 32]), &other)), "draft weights root");
    assert_eq!(refused_by(&verdict(None, &none)), "draft weights root");
}

#[test]
fn reference_values_of_images_without_a_draft_model_are_as_before_there_were_any() {
    let text = serde_json::to_string(&reference()).unwrap();
    assert!(!text.contains("draft"), "{text}");
    let drafted = reference_of(&drafted());
    let parsed = Reference::parse(&serde_json::to_vec(&drafted).unwrap());
    assert_eq!(parsed, Ok(drafted));
}

#[test]
fn reference_values_without_a_kind_of_cache_mean_half_floats() {
    let mut value = serde_json::to_value(reference()).unwrap();
    assert_eq!(value["kv"], "f16");
    let _named = value.as_object_mut().unwrap().remove("kv");
    let parsed = |value: &serde_json::Value| Reference::parse(&serde_json::to_vec(value).unwrap());
    assert_eq!(parsed(&value), Ok(reference()));
    value["kv"] = 7.into();
    assert!(matches!(parsed(&value), Err(ReferenceError::Form(_))));
}

#[test]
fn a_report_of_another_form_is_refused_by_field() {
    let bytes = evidence().report;
    let field = |at: usize| {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        Report::parse(&changed).unwrap_err()
    };
    assert_eq!(field(0), ReportError { field: "version" });
    assert_eq!(field(0x34), ReportError { field: "signature algorithm" });
    assert_eq!(field(0x190), ReportError { field: "reserved bytes" });
    assert_eq!(field(0x2A0 + 60), ReportError { field: "signature padding" });
    assert_eq!(Report::parse(&bytes[1..]), Err(ReportError { field: "length" }));
}

fn json() -> Evidence {
    let hex = |bytes: &[u8]| Hex(bytes).to_string();
    let it = evidence();
    Evidence {
        format: FORMAT.to_string(),
        tee: it.tee,
        report: hex(&it.report),
        certificates: hex(&it.certificates),
        event_log: hex(&it.event_log),
        manifest: hex(&it.manifest),
        purpose: 2,
        nonce: hex(&NONCE),
        channel_key: hex(&KEY),
    }
}

#[test]
fn evidence_is_read_from_json_and_each_bad_field_is_named() {
    let parse = |json: &Evidence| Bytes::parse(&serde_json::to_vec(json).unwrap());
    assert_eq!(parse(&json()), Ok(evidence()));
    let field = |json: Evidence| parse(&json).unwrap_err().field;
    assert_eq!(field(Evidence { format: "x".to_string(), ..json() }), "format");
    assert_eq!(field(Evidence { report: "0".to_string(), ..json() }), "report");
    assert_eq!(field(Evidence { manifest: "AA".to_string(), ..json() }), "manifest");
    assert_eq!(field(Evidence { purpose: 9, ..json() }), "purpose");
    assert_eq!(field(Evidence { nonce: "00".to_string(), ..json() }), "nonce");
    assert_eq!(Bytes::parse(b"{}").unwrap_err().field, "JSON");
}
