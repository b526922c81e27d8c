//! Reference values as a signed CoRIM, read by an independent reader of COSE.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test, which says what it skips")]

use std::process::{Command, Output};

use serde_json::{Value, json};
use vial_attest::{Reference, corim};
use vial_weights::signature::PublisherKey;

fn reference(draft: Option<&str>) -> Reference {
    let digest = |digit: char| digit.to_string().repeat(96);
    Reference {
        format: "vial-reference-1".to_owned(),
        tee: "simulated".to_owned(),
        launch_measurement: digest('1'),
        launch_page: digest('2'),
        manifest_digest: digest('3'),
        weights_root: "4".repeat(64),
        firmware: digest('5'),
        kernel: digest('6'),
        engine: digest('7'),
        bundle: digest('8'),
        model: "a model".to_owned(),
        cpus: 2,
        memory_bytes: 1 << 29,
        measure: "nodes".to_owned(),
        kv: "f16".to_owned(),
        plaintext_root: None,
        draft_root: draft.map(str::to_owned),
        draft_model: draft.map(|_| "a draft".to_owned()),
        tool: None,
    }
}

fn document(reference: &Reference, key: &PublisherKey) -> Vec<u8> {
    corim(reference, "vial 1.2.3", "a publisher", |content| key.sign_cose(content)).unwrap()
}

/// What the independent reader makes of a document; `None` where there is none.
fn read(document: &[u8], public: &[u8; 32]) -> Option<Output> {
    let Some(python) = std::env::var_os("VIAL_TEST_PYTHON") else {
        println!("skipped: VIAL_TEST_PYTHON names no interpreter (`cargo xtask test` does)");
        return None;
    };
    let file = std::env::temp_dir().join(format!("vial-{}-{}.corim", std::process::id(), document.len()));
    std::fs::write(&file, document).unwrap();
    let public: String = public.iter().map(|byte| format!("{byte:02x}")).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corim.py");
    let output = Command::new(python).arg(script).arg(&file).arg(public).output().unwrap();
    std::fs::remove_file(file).unwrap();
    Some(output)
}

#[test]
fn an_independent_reader_finds_every_value_under_the_publishers_signature() {
    let key = PublisherKey::from_secret(&[3; 32]);
    let reference = reference(Some(&"9".repeat(64)));
    let Some(output) = read(&document(&reference, &key), &key.public()) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let sha384 = |digit: &str| json!([7, digit.repeat(96)]);
    assert_eq!(
        found,
        json!({
            "algorithm": -8,
            "content type": "application/rim+cbor",
            "signer": "a publisher",
            "tags": [501, 506],
            "identities": [
                format!("tag:vial,2026:corim/{}", reference.launch_measurement),
                format!("tag:vial,2026:comid/{}", reference.manifest_digest),
            ],
            "tool": "vial 1.2.3",
            "class": ["vial", "a model"],
            "digests": {
                "launch measurement": sha384("1"), "launch page": sha384("2"), "manifest": sha384("3"),
                "firmware": sha384("5"), "kernel": sha384("6"), "engine": sha384("7"), "agent bundle": sha384("8"),
                "weights": ["blake3", "4".repeat(64)], "draft weights": ["blake3", "9".repeat(64)],
            },
        })
    );
}

#[test]
fn a_document_that_changes_or_is_anothers_does_not_hold() {
    let key = PublisherKey::from_secret(&[3; 32]);
    let whole = document(&reference(None), &key);
    let other = PublisherKey::from_secret(&[4; 32]).public();
    let Some(output) = read(&whole, &other) else { return };
    assert_eq!(output.status.code(), Some(1));
    let mut changed = whole.clone();
    let at = changed.windows(4).position(|window| window == [0x11; 4]).unwrap();
    changed[at] ^= 1;
    assert_eq!(read(&changed, &key.public()).unwrap().status.code(), Some(1));
    assert_eq!(read(&whole, &key.public()).unwrap().status.code(), Some(0));
}

#[test]
fn two_documents_of_the_same_values_are_the_same_and_no_hex_gives_none() {
    let key = PublisherKey::from_secret(&[3; 32]);
    assert_eq!(document(&reference(None), &key), document(&reference(None), &key));
    let broken = Reference { kernel: "none".to_owned(), ..reference(None) };
    assert_eq!(corim(&broken, "vial", "a publisher", |content| key.sign_cose(content)), None);
}
