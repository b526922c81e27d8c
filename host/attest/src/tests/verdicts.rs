//! Verdicts on an appliance.

use super::*;

#[test]
fn whole_evidence_is_accepted_with_every_check_named() {
    let verdict = verdict_under(&evidence(), &policy_of(&reference()), &NONCE);
    assert!(verdict.accepted && verdict.simulated);
    assert_eq!(verdict.assurance, Some(Assurance::Simulated));
    let checks: Vec<_> = verdict.checks.iter().map(|check| check.name).collect();
    let expected = [
        "report signature",
        "tee",
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
        "appliance.plaintext_root",
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
fn evidence_over_a_connection_to_another_key_is_refused() {
    let amd = Roots::none();
    let trust = Trust { now: 0, amd: &amd, amd_revocation_lists: &[], intel: None };
    let evidence = evidence();
    let over = |key: &[u8; 32]| {
        verify(&evidence, &policy_of(&reference()), Asked { nonce: Some(&NONCE), key: Some(key) }, &trust)
    };
    assert!(over(&evidence.channel_key).accepted);
    assert_eq!(refused_by(&over(&[9; 32])), "channel key");
}

#[test]
fn stored_evidence_is_refused_where_freshness_is_wanted() {
    let amd = Roots::none();
    let trust = Trust { now: 0, amd: &amd, amd_revocation_lists: &[], intel: None };
    let stored = |policy: &Policy| verify(&evidence(), policy, Asked::default(), &trust);
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
