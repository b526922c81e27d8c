//! The rules, on the real tree.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]

use std::path::{Path, PathBuf};
use vial_tidy::{Finding, crates, edge, package, room, source, spec};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tidy lies in the workspace").to_owned()
}

fn assert_none(findings: &[Finding]) {
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "\n{}\n", lines.join("\n"));
}

#[test]
fn dependencies_point_one_way() {
    let packages = package::read(&root()).expect("packages");
    assert!(packages.len() > 10);
    assert_none(&edge::findings(&packages));
}

#[test]
fn every_file_keeps_to_its_room() {
    let sources = source::read(&root()).expect("sources");
    assert!(sources.len() > 50);
    let findings: Vec<_> = sources.iter().flat_map(room::findings).collect();
    assert_none(&findings);
}

#[test]
fn ring_0_stays_small() {
    let sources = source::read(&root()).expect("sources");
    assert!(sources.iter().any(|source| source.path == "guest/kernel/src/service.rs"));
    assert_none(room::ring_0(&sources).as_slice());
}

#[test]
fn every_promise_names_its_test() {
    let sources = source::read(&root()).expect("sources");
    let specification =
        sources.iter().find(|source| source.path == "SPECIFICATION.md").expect("SPECIFICATION.md");
    assert_none(&spec::findings(specification, &sources));
}

#[test]
fn every_crate_has_its_reason() {
    let sources = source::read(&root()).expect("sources");
    let file = |name: &str| sources.iter().find(|source| source.path == name).expect("a file of the tree");
    assert_none(&crates::findings(file("Cargo.toml"), file("deny.toml")));
}
