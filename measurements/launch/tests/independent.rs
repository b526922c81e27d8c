//! The launch digest against an independent calculator: `independent.py` over `sev-snp-measure`.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]

use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};
use vial_abi::LaunchPage;
use vial_abi::launch_page::{Kv, Machine, Measure, Tee};
use vial_launch::{Contents, LoadPlan, Part, Segment, StartState};

fn firmware() -> Vec<u8> {
    let code: Vec<u8> = (0..9000_u32).map(|at| (at * 7 % 251) as u8).collect();
    vial_launch::tiny::firmware(0x20_0010, &code)
}

const SNP: Tee = Tee::SevSnp { c_bit: 51 };

fn page(cpus: u32) -> LaunchPage {
    LaunchPage {
        manifest_digest: [7; 48],
        memory_bytes: 512 << 20,
        cpus,
        tee: Tee::Simulated,
        machine: Machine::Vial,
        measure: Measure::Full,
        kv: Kv::F16,
    }
}

fn segment(segment: &Segment) -> Value {
    json!({ "selector": segment.selector, "attributes": segment.attributes, "limit": segment.limit, "base": segment.base })
}

fn cpu(start: &StartState) -> Value {
    json!({
        "code": segment(&start.code), "data": segment(&start.data), "task": segment(&start.task),
        "cr0": start.cr0, "rip": start.rip, "rflags": start.rflags,
    })
}

/// A cpu at reset. Spec: AMD APM vol. 2 §14.1.3, table 14-1; written down anew, not taken from the code under test.
fn at_reset() -> Value {
    let data = json!({ "selector": 0, "attributes": 0x93, "limit": 0xFFFF, "base": 0 });
    let code = json!({ "selector": 0xF000, "attributes": 0x9B, "limit": 0xFFFF, "base": 0xFFFF_0000_u32 });
    let task = json!({ "selector": 0, "attributes": 0x8B, "limit": 0xFFFF, "base": 0 });
    json!({ "code": code, "data": data, "task": task, "cr0": 0x10, "rip": 0xFFF0, "rflags": 2 })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[expect(clippy::print_stderr, reason = "says why a test does nothing")]
fn python() -> Option<Command> {
    let python = std::env::var_os("VIAL_TEST_PYTHON");
    if python.is_none() {
        eprintln!("skipped: VIAL_TEST_PYTHON names no interpreter (`cargo xtask test` does)");
    }
    let mut command = Command::new(python?);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/independent.py"));
    Some(command)
}

fn part(part: &Part) -> Value {
    let (kind, bytes, length) = match &part.contents {
        Contents::Normal(bytes) => ("normal", hex(bytes), 0),
        Contents::Zero(length) => ("zero", String::new(), *length),
        Contents::Secrets => ("secrets", String::new(), 0),
        Contents::Cpuid => ("cpuid", String::new(), 0),
    };
    json!({ "gpa": part.gpa, "kind": kind, "bytes": bytes, "length": length })
}

/// Another cpu of an SNP guest: as cpu 0, 16 bytes on.
fn other(plan: &LoadPlan) -> Value {
    let mut start = cpu(plan.start());
    start["rip"] = json!(plan.start().rip + 16);
    start
}

#[test]
fn the_launch_digest_is_that_of_an_independent_tool() {
    for (cpus, tee) in [1, 2, 5].into_iter().flat_map(|cpus| [(cpus, Tee::Simulated), (cpus, SNP)]) {
        let Some(mut python) = python() else { return };
        let plan = LoadPlan::new(&firmware(), &LaunchPage { tee, ..page(cpus) }).unwrap();
        let parts: Vec<_> = plan.parts().iter().map(part).collect();
        let others = if tee == SNP { other(&plan) } else { at_reset() };
        let mut all = vec![others; cpus as usize];
        all[0] = cpu(plan.start());
        let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let asked = json!({ "parts": parts, "cpus": all }).to_string();
        child.stdin.take().unwrap().write_all(asked.as_bytes()).unwrap();
        let found = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(found.trim(), hex(&plan.digest()), "{cpus} cpus");
    }
}

#[test]
fn every_field_of_the_launch_page_changes_the_digest() {
    let digest = |page: &LaunchPage| LoadPlan::new(&firmware(), page).unwrap().digest();
    let before = digest(&page(2));
    let changed = [
        LaunchPage { manifest_digest: [8; 48], ..page(2) },
        LaunchPage { memory_bytes: 256 << 20, ..page(2) },
        LaunchPage { cpus: 3, ..page(2) },
        LaunchPage { tee: SNP, ..page(2) },
        LaunchPage { tee: Tee::SevSnp { c_bit: 47 }, ..page(2) },
        LaunchPage { tee: Tee::SimulatedSnp { c_bit: 51 }, ..page(2) },
        LaunchPage { machine: Machine::Qemu, ..page(2) },
        LaunchPage { measure: Measure::Nodes, ..page(2) },
        LaunchPage { kv: Kv::Q8_0, ..page(2) },
    ];
    let digests: Vec<_> = changed.iter().map(digest).collect();
    for (at, page) in changed.iter().enumerate() {
        assert_ne!(digests[at], before, "{page:?}");
        assert!(!digests[..at].contains(&digests[at]), "{page:?}");
    }
}
