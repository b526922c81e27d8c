//! Accepted evidence, and one refusing twin for each field.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use sha2::{Digest as _, Sha512};
use vial_abi::evidence::{Evidence, FORMAT};
use vial_abi::launch_page::{Kv, Machine, Measure};
use vial_abi::report::{Purpose, RuntimeData};
use vial_weights::event_log::{EventLog, names};
use vial_weights::manifest::{Draft, Manifest, Policy as Sealed, Weights};
use vial_weights::sha384;
use vial_weights::tree::Hex;

use crate::policy::FIELDS;
use crate::simulated::SimulatedTee;
use crate::snp::Roots;
use crate::snp::report::{Report, ReportError};
use crate::{
    Assurance, Attached, Bytes, MachineShape, Policy, PolicyFile, Profile, Reference, ReferenceError,
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
    let data = RuntimeData {
        purpose,
        nonce: NONCE,
        channel_key: KEY,
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
        channel_key: KEY,
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
    verify(evidence, policy, Some(nonce), &trust)
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

#[test]
fn whole_evidence_is_accepted_with_every_check_named() {
    let verdict = verdict_under(&evidence(), &policy_of(&reference()), &NONCE);
    assert!(verdict.accepted && verdict.simulated);
    assert_eq!(verdict.assurance, Some(Assurance::Simulated));
    let checks: Vec<_> = verdict.checks.iter().map(|check| check.name).collect();
    let expected = [
        "report signature",
        "assurance",
        "snp.debug",
        "snp.vmpl",
        "snp.smt",
        "snp.migration",
        "snp.single_socket",
        "snp.id_key",
        "snp.author_key",
        "snp.host_data",
        "appliance.measurement",
        "appliance.manifest_digest",
        "appliance.weights_root",
        "appliance.draft_root",
        "appliance.publisher_key",
        "appliance.firmware",
        "appliance.kernel",
        "appliance.engine",
        "appliance.bundle",
        "event log",
        "appliance.launch_page",
        "appliance.weights_measured",
        "purpose",
        "freshness",
        "nonce",
        "report data",
    ];
    assert_eq!(checks, expected);
}

#[test]
fn the_simulated_root_is_refused_unless_allowed() {
    for profile in [Profile::OwnHost, Profile::CloudVouched] {
        let mut file = PolicyFile::of_profile(profile);
        reference().state(&mut file).unwrap();
        for field in FIELDS.iter().filter(|field| field.name.starts_with("snp.tcb")) {
            file.default_to(field.name, &["0".to_string()], "a test").unwrap();
        }
        let verdict = verdict_under(&evidence(), &file.complete().unwrap(), &NONCE);
        assert_eq!(refused_by(&verdict), "assurance");
    }
}

#[test]
fn every_signed_byte_and_the_signature_are_covered() {
    let whole = evidence();
    for at in (0..0x2A0 + 144).step_by(7) {
        let mut changed = whole.clone();
        changed.statement.report[at] ^= 1;
        assert!(["report", "report signature"].contains(&refused(&changed)), "byte {at:#x}");
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
    assert_eq!(refused(&change(&|it| it.manifest[9] ^= 1)), "appliance.manifest_digest");
    assert_eq!(refused(&change(&|it| it.event_log[100] ^= 1)), "appliance.launch_page");
    assert_eq!(refused(&change(&|it| it.event_log[220] ^= 1)), "event log");
    assert_eq!(refused(&change(&|it| it.event_log.truncate(300))), "event log");
    assert_eq!(
        refused(&change(&|it| it.statement.tee = "sev-snp".to_string())),
        "certificates of signing keys"
    );
    assert_eq!(refused(&change(&|it| it.statement.tee = "tdx".to_string())), "quote");
    assert_eq!(refused(&change(&|it| it.statement.tee = "sgx".to_string())), "TEE");
    assert_eq!(refused(&evidence_over(&log(), Purpose::Boot, MEASUREMENT)), "purpose");
    let mut unhealthy = evidence_over(&log(), Purpose::Unhealthy, MEASUREMENT);
    assert_eq!(refused(&unhealthy), "purpose");
    unhealthy.purpose = Purpose::Attestation;
    assert_eq!(refused(&unhealthy), "report data");
    assert_eq!(refused(&evidence_over(&log(), Purpose::Attestation, [0; 48])), "appliance.measurement");
}

#[test]
fn a_nonce_of_another_session_is_refused() {
    let verdict = verdict_under(&evidence(), &policy_of(&reference()), &[1; 64]);
    assert_eq!(refused_by(&verdict), "nonce");
}

#[test]
fn stored_evidence_is_refused_where_freshness_is_wanted() {
    let amd = Roots::none();
    let trust = Trust { now: 0, amd: &amd, amd_revocation_lists: &[], intel: None };
    let stored = |policy: &Policy| verify(&evidence(), policy, None, &trust);
    assert_eq!(refused_by(&stored(&policy_of(&reference()))), "freshness");
    let mut file = file();
    reference().state(&mut file).unwrap();
    file.default_to("freshness", &["any".to_string()], "a test").unwrap();
    assert!(stored(&file.complete().unwrap()).accepted);
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
        refused_by(&verdict_under(&evidence(), &policy_of(&reference), &NONCE))
    };
    let other = |text: &mut String| text.replace_range(0..1, "f");
    assert_eq!(with(&|it| other(&mut it.launch_measurement)), "appliance.measurement");
    assert_eq!(with(&|it| other(&mut it.manifest_digest)), "snp.host_data");
    let last = |text: &mut String| text.replace_range(95.., if text.ends_with('0') { "1" } else { "0" });
    assert_eq!(with(&|it| last(&mut it.manifest_digest)), "appliance.manifest_digest");
    assert_eq!(with(&|it| other(&mut it.firmware)), "appliance.firmware");
    assert_eq!(with(&|it| other(&mut it.kernel)), "appliance.kernel");
    assert_eq!(with(&|it| other(&mut it.engine)), "appliance.engine");
    assert_eq!(with(&|it| other(&mut it.bundle)), "appliance.bundle");
    assert_eq!(with(&|it| other(&mut it.weights_root)), "appliance.weights_root");
    assert_eq!(with(&|it| it.measure = "full".to_string()), "appliance.weights_measured");
    let page = MachineShape { kv: Kv::Q8_0, ..SHAPE }.launch_page(&manifest()).encode();
    assert_eq!(with(&|it| it.launch_page = Hex(&sha384(&page)).to_string()), "appliance.launch_page");
}

#[test]
fn reference_values_that_are_none_are_refused_by_field() {
    let with = |change: &dyn Fn(&mut Reference)| {
        let mut reference = reference();
        change(&mut reference);
        reference.state(&mut file()).unwrap_err().to_string()
    };
    assert!(with(&|it| it.manifest_digest.replace_range(0..2, "zz")).contains("appliance.manifest_digest"));
    assert!(with(&|it| it.kernel.clear()).contains("appliance.kernel"));
    assert!(with(&|it| it.measure = "some".to_string()).contains("appliance.weights_measured"));
}

#[test]
fn a_draft_model_is_accepted_under_its_own_root_alone() {
    let evidence =
        |root| evidence_of(&drafted(), &log_of(&drafted(), root), Purpose::Attestation, MEASUREMENT);
    let verdict = |root, reference: &Reference| verdict_under(&evidence(root), &policy_of(reference), &NONCE);
    let expected = reference_of(&drafted());
    let accepted = verdict(Some([6; 32]), &expected);
    assert!(accepted.accepted);
    // Another one was measured, or none was.
    assert_eq!(refused_by(&verdict(Some([1; 32]), &expected)), "event log");
    assert_eq!(refused_by(&verdict(None, &expected)), "event log");
    // None is expected, or another one.
    let none = Reference { draft_root: None, draft_model: None, ..expected.clone() };
    let other = Reference { draft_root: Some(Hex(&[1; 32]).to_string()), ..expected };
    for reference in [none, other] {
        assert_eq!(refused_by(&verdict(Some([6; 32]), &reference)), "appliance.draft_root");
    }
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
    let bytes = evidence().statement.report;
    let field = |at: usize| {
        let mut changed = bytes.clone();
        changed[at] ^= [4, 2][usize::from(at == 0x0A)];
        Report::parse(&changed).unwrap_err()
    };
    assert_eq!(field(0), ReportError { field: "version" });
    assert_eq!(field(0x34), ReportError { field: "signature algorithm" });
    assert_eq!(field(0x0A), ReportError { field: "policy's reserved bits" });
    assert_eq!(field(0x190), ReportError { field: "reserved bytes" });
    assert_eq!(field(0x2A0 + 60), ReportError { field: "signature padding" });
    assert_eq!(Report::parse(&bytes[1..]), Err(ReportError { field: "length" }));
}

fn json() -> Evidence {
    let hex = |bytes: &[u8]| Hex(bytes).to_string();
    let it = evidence();
    Evidence {
        format: FORMAT.to_string(),
        tee: it.statement.tee,
        report: hex(&it.statement.report),
        certificates: hex(&it.statement.certificates.concat()),
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
