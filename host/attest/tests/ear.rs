//! Verdicts in the form of EAR.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Recording, all, milan, open_but, outdated};
use serde_json::{Value, json};
use vial_attest::{Ear, Verdict};

fn ear(verdict: &Verdict) -> Value {
    serde_json::to_value(Ear::of(verdict, "1.2.3", 1_700_000_000)).unwrap()
}

fn appraisal(verdict: &Verdict) -> (String, Value) {
    let ear = ear(verdict);
    let appliance = &ear["submods"]["appliance"];
    (appliance["ear.status"].as_str().unwrap().to_owned(), appliance["ear.trustworthiness-vector"].clone())
}

#[test]
fn an_accepted_report_is_affirmed_in_the_drafts_form() {
    let expected = json!({
        "eat_profile": "tag:github.com,2023:veraison/ear",
        "iat": 1_700_000_000,
        "ear.verifier-id": { "developer": "vial", "build": "1.2.3" },
        "submods": { "appliance": {
            "ear.status": "affirming",
            "ear.trustworthiness-vector": {
                "instance-identity": 2, "configuration": 2, "executables": 2, "hardware": 2, "runtime-opaque": 2,
                "sourced-data": 0,
            },
            "ear.appraisal-policy-id": "tag:vial,2026:profile/development",
        } },
    });
    assert_eq!(ear(&milan().appraise(open_but(&[]))), expected);
}

#[test]
fn what_refuses_shows_in_the_vector() {
    let refused = |recording: Recording, stated: &[(&str, &str)]| {
        let (status, vector) = appraisal(&recording.appraise(open_but(stated)));
        assert_eq!(status, "contraindicated");
        let claims = vector.as_object().unwrap().iter().filter(|(_, value)| **value == 96);
        claims.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(refused(milan(), &[("snp.tcb.milan.snp", "255")]), ["hardware"]);
    assert_eq!(refused(milan(), &[("snp.debug", "true")]), ["runtime-opaque"]);
    assert_eq!(refused(milan(), &[("snp.vmpl", "3")]), ["configuration"]);
    assert_eq!(refused(milan(), &[("appliance.measurement", &"0".repeat(96))]), ["executables"]);
    assert_eq!(refused(milan(), &[("freshness", "nonce")]), ["instance-identity"]);
    assert_eq!(refused(milan(), &[("appliance.weights_root", &"0".repeat(64))]), ["sourced-data"]);
    assert_eq!(refused(milan().with(|it| it.report[0x90] ^= 1), &[]), ["hardware"]);
    assert_eq!(refused(outdated(), &[]), ["hardware"]);
}

#[test]
fn what_rests_on_a_paravisor_is_a_warning() {
    for recording in all() {
        let verdict = recording.appraise(open_but(&[]));
        let (status, vector) = appraisal(&verdict);
        let is_below = verdict.assurance.is_some_and(|level| level.name() == "paravisor");
        assert_eq!(status, if is_below { "warning" } else { "affirming" }, "{}", recording.name);
        assert_eq!(vector["runtime-opaque"], if is_below { 32 } else { 2 }, "{}", recording.name);
    }
}
