//! Reference values, and what they state.

use super::*;

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
fn encrypted_weights_are_accepted_under_their_plaintexts_root_alone() {
    let encryption = Encryption { plaintext_root: [1; 32], draft_plaintext_root: None, key_check: [2; 32] };
    let encrypted = Manifest { encryption: Some(encryption), ..manifest() };
    let evidence = evidence_of(&encrypted, &log_of(&encrypted, None), Purpose::Attestation, MEASUREMENT);
    let verdict = |reference: &Reference| verdict_under(&evidence, &policy_of(reference), &NONCE);
    let expected = reference_of(&encrypted);
    assert!(verdict(&expected).accepted);
    // Weights in clear are expected, or others.
    for root in [None, Some(Hex(&[3; 32]).to_string())] {
        let reference = Reference { plaintext_root: root, ..expected.clone() };
        assert_eq!(refused_by(&verdict(&reference)), "appliance.plaintext_root");
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
