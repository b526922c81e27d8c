//! Genuine evidence is accepted for what it is, and refused by name for anything else.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]

mod common;

use common::{all, milan, open_but, other_than, outdated, refusal};
use vial_attest::policy::{FIELDS, Field};
use vial_attest::snp::Roots;
use vial_attest::{Assurance, PolicyFile, Profile, Trust, Verdict};

/// What a verdict found of the policy's fields.
fn found(verdict: &Verdict) -> Vec<(&'static str, String)> {
    let checks = verdict.checks.iter().filter(|check| Field::of(check.name).is_some());
    checks.map(|check| (check.name, check.found.clone())).collect()
}

#[test]
fn every_recording_is_authentic_and_each_field_of_it_has_a_refusing_twin() {
    let mut twins = 0;
    for recording in all() {
        let open = recording.appraise(open_but(&[]));
        assert!(open.accepted, "{}: {:?}", recording.name, open.checks.last());
        let fields: Vec<_> = found(&open).into_iter().filter(|(name, _)| is_of_the_report(name)).collect();
        let stated: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let stated: Vec<_> =
            stated.into_iter().filter(|(name, value)| Field::of(name).unwrap().kind.fits(value)).collect();
        assert!(recording.appraise(open_but(&stated)).accepted, "{}", recording.name);
        for (name, value) in &fields {
            let Some(other) = other_than(Field::of(name).unwrap().kind, value) else { continue };
            let verdict = recording.appraise(open_but(&[(name, &other)]));
            let check = refusal(&verdict);
            assert_eq!((check.name, &check.found), (*name, value), "{}", recording.name);
            assert!(check.expected.contains(&other), "{}: {check:?}", recording.name);
            twins += 1;
        }
    }
    assert!(twins >= 60, "found {twins} refusing twins");
}

/// Fields of appliances say "no appliance" of a report alone.
fn is_of_the_report(name: &str) -> bool {
    !name.starts_with("appliance.") || name == "appliance.measurement"
}

#[test]
fn what_a_policy_states_of_an_appliance_is_not_in_a_report() {
    let verdict = milan().appraise(open_but(&[("appliance.weights_root", &"0".repeat(64))]));
    assert_eq!(refusal(&verdict).name, "appliance.weights_root");
    assert_eq!(refusal(&verdict).found, "no appliance");
}

#[test]
fn a_byte_that_changes_anywhere_is_refused() {
    for recording in all() {
        // The chain at a quote's end may be replaced by the collateral's.
        let bytes = recording.statement.report.len().min(1500);
        for at in (0..bytes).step_by(if recording.collateral.is_some() { 61 } else { 7 }) {
            let verdict = recording.with(|it| it.report[at] ^= 1).appraise(open_but(&[]));
            let name = refusal(&verdict).name;
            assert!(NAMES.contains(&name), "{}, byte {at:#x}: {name}", recording.name);
        }
    }
}

/// Where a changed byte can be found out.
const NAMES: [&str; 6] =
    ["report", "report signature", "quote", "quote signature", "HCL report", "paravisor's words"];

#[test]
fn bytes_that_follow_or_are_missing_are_refused() {
    for recording in all() {
        for longer in [true, false] {
            let change = |report: &mut Vec<u8>| {
                if longer { report.push(0) } else { report.truncate(report.len() - 1) }
            };
            let verdict = recording.with(|it| change(&mut it.report)).appraise(open_but(&[]));
            assert!(
                ["report", "quote", "HCL report"].contains(&refusal(&verdict).name),
                "{}: {longer}",
                recording.name
            );
        }
    }
}

#[test]
fn certificates_that_changed_are_missing_or_of_another_chip_are_refused() {
    for recording in all().into_iter().filter(|recording| recording.statement.tee == "sev-snp") {
        let name = |verdict: Verdict| refusal(&verdict).name;
        let none = recording.with(|it| it.certificates.clear()).appraise(open_but(&[]));
        assert_eq!(name(none), "certificates of signing keys");
        let twice = recording.with(|it| it.certificates.push(it.certificates[0].clone()));
        assert_eq!(name(twice.appraise(open_but(&[]))), "certificates of signing keys");
        for at in (0..recording.statement.certificates[0].len()).step_by(37) {
            let verdict = recording.with(|it| it.certificates[0][at] ^= 1).appraise(open_but(&[]));
            let expected = ["certificates of signing keys", "certificate", "certificate chain"];
            assert!(expected.contains(&name(verdict.clone())), "{}, byte {at}: {verdict:?}", recording.name);
        }
    }
}

#[test]
fn a_report_under_a_certificate_of_another_processor_is_refused() {
    let folder = common::package("sev").join("tests/certs_data");
    let turin = std::fs::read(folder.join("vcek_turin.der")).unwrap();
    let verdict = common::Recording { now: 1_780_000_000, ..milan() };
    let verdict = verdict.with(|it| it.certificates = vec![turin]).appraise(open_but(&[]));
    assert_eq!(refusal(&verdict).name, "report signature");
}

#[test]
fn at_other_times_nothing_is_valid() {
    for recording in all() {
        for now in [0, u64::from(u32::MAX)] {
            let amd = Roots::amd().unwrap();
            let trust =
                Trust { now, amd: &amd, amd_revocation_lists: &[], intel: recording.collateral.as_ref() };
            let verdict = recording.appraise_with(open_but(&[]), &trust);
            let name = refusal(&verdict).name;
            assert!(["certificate validity", "quote signature"].contains(&name), "{name}");
        }
    }
}

#[test]
fn without_roots_or_collateral_nothing_is_authentic() {
    for recording in all() {
        let amd = Roots::none();
        let trust = Trust { now: recording.now, amd: &amd, amd_revocation_lists: &[], intel: None };
        let verdict = recording.appraise_with(open_but(&[]), &trust);
        let name = refusal(&verdict).name;
        assert!(["certificate chain", "TDX collateral"].contains(&name), "{name}");
        assert_eq!(verdict.assurance, None);
    }
}

#[test]
fn a_platform_below_all_that_intel_lists_is_refused_by_its_versions() {
    let verdict = outdated().appraise(open_but(&[]));
    let check = refusal(&verdict);
    assert_eq!((check.name, check.found.as_str()), ("tdx.tcb_status", "below every level that Intel lists"));
}

#[test]
fn what_a_host_may_debug_is_authentic_and_refused_by_policy() {
    let profiles = [Profile::Strict, Profile::OwnHost, Profile::CloudVouched];
    for recording in all().into_iter().filter(|recording| recording.name.ends_with("debug allowed")) {
        for profile in profiles {
            let mut file = PolicyFile::of_profile(profile);
            for name in FIELDS.iter().map(|field| field.name).filter(|name| !name.ends_with(".debug")) {
                file.default_to(name, &["any".to_owned()], "a test").unwrap();
            }
            let verdict = recording.appraise(file);
            assert!(refusal(&verdict).name.ends_with(".debug"), "{}", recording.name);
            assert_eq!(verdict.assurance, Some(Assurance::Hardware));
        }
    }
}

#[test]
fn the_pinned_keys_of_amd_are_those_that_an_independent_crate_pins() {
    for product in ["milan", "genoa", "turin"] {
        let ours = std::fs::read_to_string(format!("{}/roots/amd-{product}.pem", env!("CARGO_MANIFEST_DIR")))
            .unwrap();
        let ours = vial_attest::pem_documents(&ours).unwrap();
        assert_eq!(ours.len(), 3, "{product}: for chips, the root, for clouds");
        for name in ["ark", "ask"] {
            let path = common::package("sev").join(format!("src/certs/snp/builtin/{product}/{name}.pem"));
            let theirs = vial_attest::pem_documents(&std::fs::read_to_string(path).unwrap()).unwrap();
            assert!(theirs.len() == 1 && ours.contains(&theirs[0]), "{product} {name}");
        }
    }
}
