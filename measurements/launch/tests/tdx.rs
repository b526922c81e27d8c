//! Registers of trust domains: by an independent script, by another tool, and as Intel's module signed them.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use serde_json::Value;
use vial_abi::LaunchPage;
use vial_abi::launch_page::{Kv, Machine, Measure, Tee};
use vial_launch::tdx::{self, PredictError, Registers};
use vial_launch::{Contents, LoadPlan, Part};
use vial_weights::event_log::EventLog;
use vial_weights::rtmr::{Rtmr, Rtmrs, UnknownEvent};
use vial_weights::sha384;

fn vectors() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/mrtd.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn number(value: &Value) -> u32 {
    value.as_u64().unwrap().try_into().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn firmware(vectors: &Value) -> Vec<u8> {
    let code: Vec<u8> =
        (0..number(&vectors["code_bytes"])).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect();
    vial_launch::tiny::firmware(number(&vectors["entry"]), &code)
}

fn page(cpus: u32) -> LaunchPage {
    LaunchPage {
        manifest_digest: [7; 48],
        memory_bytes: 512 << 20,
        cpus,
        tee: Tee::Tdx { shared_bit: 51 },
        machine: Machine::Vial,
        measure: Measure::Full,
        kv: Kv::F16,
    }
}

fn bytes(part: &Part) -> Vec<u8> {
    match &part.contents {
        Contents::Normal(bytes) => bytes.clone(),
        Contents::Zero(bytes) => vec![0; usize::try_from(*bytes).unwrap()],
        other @ (Contents::Secrets | Contents::Cpuid) => unreachable!("{other:?} of SEV-SNP"),
    }
}

fn plan(vectors: &Value, cpus: u32) -> LoadPlan {
    LoadPlan::new(&firmware(vectors), &page(cpus)).unwrap()
}

/// What firmware writes, each event over its own name.
fn log(vectors: &Value) -> EventLog {
    let mut log = EventLog::default();
    for event in vectors["events"].as_array().unwrap() {
        let name = event[0].as_str().unwrap();
        log.measure(name, name.as_bytes());
    }
    log
}

#[test]
fn mrtd_is_that_of_an_independent_script_and_of_another_tool() {
    let vectors = vectors();
    for case in vectors["cases"].as_array().unwrap() {
        let plan = plan(&vectors, number(&case["cpus"]));
        let parts = tdx::parts(&plan);
        let expected = case["ranges"].as_array().unwrap();
        assert_eq!(parts.len(), expected.len());
        for (part, expected) in parts.iter().zip(expected) {
            assert_eq!(part.gpa, expected["gpa"].as_u64().unwrap());
            assert_eq!(hex(&sha384(&bytes(part))), expected["sha384"], "{:#x}", part.gpa);
        }
        assert_eq!(hex(&tdx::mrtd(&plan)), case["mrtd"]);
        assert_eq!(hex(&plan.digest()), case["mrtd"], "what is predicted for a domain");
    }
    for tool in vectors["tools"].as_array().unwrap() {
        assert_eq!(hex(&tdx::mrtd(&plan(&vectors, number(&tool["cpus"])))), tool["mrtd"], "{}", tool["tool"]);
    }
}

#[test]
fn rtmrs_are_those_of_an_independent_script() {
    let vectors = vectors();
    let Registers { rtmr, .. } = tdx::predict(&plan(&vectors, 1), log(&vectors).bytes()).unwrap();
    for (found, expected) in rtmr.iter().zip(vectors["rtmr"].as_array().unwrap()) {
        assert_eq!(hex(found), *expected);
    }
    assert_eq!(rtmr[3], [0; 48]);
}

#[test]
fn every_field_of_the_launch_page_and_the_entry_change_mrtd() {
    let mut vectors = vectors();
    let mrtd =
        |page: &LaunchPage, vectors: &Value| tdx::mrtd(&LoadPlan::new(&firmware(vectors), page).unwrap());
    let before = mrtd(&page(2), &vectors);
    let changed = [
        LaunchPage { manifest_digest: [8; 48], ..page(2) },
        LaunchPage { memory_bytes: 256 << 20, ..page(2) },
        LaunchPage { cpus: 3, ..page(2) },
        LaunchPage { tee: Tee::Tdx { shared_bit: 47 }, ..page(2) },
        LaunchPage { tee: Tee::SimulatedTdx { shared_bit: 51 }, ..page(2) },
        LaunchPage { machine: Machine::Qemu, ..page(2) },
        LaunchPage { measure: Measure::Nodes, ..page(2) },
        LaunchPage { kv: Kv::Q8_0, ..page(2) },
    ];
    for page in &changed {
        assert_ne!(mrtd(page, &vectors), before, "{page:?}");
    }
    vectors["entry"] = Value::from(0x20_0020);
    assert_ne!(mrtd(&page(2), &vectors), before, "the entry");
}

#[test]
fn a_log_that_firmware_did_not_write_predicts_nothing() {
    let vectors = vectors();
    let plan = plan(&vectors, 1);
    let mut strange = log(&vectors);
    strange.measure("something else", b"");
    let at = vectors["events"].as_array().unwrap().len();
    assert_eq!(tdx::predict(&plan, strange.bytes()), Err(PredictError::Event(UnknownEvent { at })));
    let error = tdx::predict(&plan, &log(&vectors).bytes()[1..]).unwrap_err();
    assert_eq!(error.to_string(), "event log first event: not what the format says");
}

/// Register index and SHA-384 digest of each event of a CCEL log. Spec: TCG PC Client Platform Firmware Profile §10, as
/// UEFI's confidential computing section has it: a register's number is that of its RTMR, plus one.
fn ccel(bytes: &[u8]) -> Vec<(u32, [u8; 48])> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let length = |at: usize| usize::try_from(word(at)).unwrap();
    let (mut at, mut events) = (32 + length(28), Vec::new());
    while at + 66 < bytes.len() && word(at) != u32::MAX && word(at + 8) == 1 {
        assert_eq!(bytes[at + 12..at + 14], [0x0C, 0], "SHA-384 alone");
        events.push((word(at), bytes[at + 14..at + 62].try_into().unwrap()));
        at += 66 + length(at + 62);
    }
    events
}

#[test]
#[expect(clippy::print_stdout, reason = "what is skipped is said")]
fn a_recorded_log_extends_to_the_registers_that_intels_module_signed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence/tdx/gcp-cos113-ccel");
    let (Ok(log), Ok(quote)) =
        (std::fs::read(folder.join("ccel_data.dat")), std::fs::read(folder.join("cos-113-tdx-quote.dat")))
    else {
        println!("skipped: no recording of gcp-cos113-ccel");
        return;
    };
    let all = [Rtmr::Configuration, Rtmr::Code, Rtmr::Content, Rtmr::Runtime];
    let mut registers = Rtmrs::default();
    let events = ccel(&log);
    for (index, digest) in &events {
        // Index 0 is MRTD: the first event alone, which extends nothing.
        if let Some(register) = all.iter().find(|register| u32::from(register.index()) + 1 == *index) {
            registers.extend(*register, digest);
        }
    }
    assert!(events.len() > 10, "{}", events.len());
    // In a quote the registers lie 328 bytes into the body, which follows a header of 48. Spec: DCAP appendix A.3.2.
    assert_eq!(registers.0.as_flattened(), &quote[48 + 328..48 + 328 + 192]);
}
