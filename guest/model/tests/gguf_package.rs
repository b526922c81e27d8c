//! Our reading of the real model's header against the `gguf` package's: `gguf_package.py`.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::process::Command;
use vial_model::gguf::{Array, Gguf, Numbers, TensorInfo, Value};

#[test]
fn metadata_and_tensors_are_those_the_gguf_package_reads() {
    let names = ["VIAL_TEST_MODEL", "VIAL_TEST_PYTHON"].map(std::env::var_os);
    let [Some(model), Some(python)] = names else { return skipped() };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gguf_package.py");
    let output = Command::new(python).arg(script).arg(&model).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let file = std::fs::read(model).unwrap();
    let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
    let values = gguf.metadata().iter().map(|(key, value)| line(key, value));
    let ours: BTreeSet<_> = values.chain(gguf.tensors().iter().map(tensor)).collect();
    // A template has line breaks; both sides are compared as one text a line.
    let theirs = entries(&printed);
    assert!(theirs.len() > 100, "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(ours.difference(&theirs).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(theirs.difference(&ours).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[expect(clippy::print_stderr, reason = "says why a test does nothing")]
fn skipped() {
    eprintln!("skipped: needs VIAL_TEST_MODEL and VIAL_TEST_PYTHON (`cargo xtask test` sets both)");
}

/// One entry may span lines: a new one begins with its kind.
fn entries(printed: &str) -> BTreeSet<String> {
    let kinds = ["value ", "strings ", "numbers ", "tensor "];
    let mut entries: Vec<String> = Vec::new();
    for line in printed.lines() {
        match entries.last_mut() {
            Some(last) if !kinds.iter().any(|kind| line.starts_with(kind)) => {
                last.push('\n');
                last.push_str(line);
            }
            _ => entries.push(line.to_owned()),
        }
    }
    entries.into_iter().collect()
}

fn line(key: &str, value: &Value<'_>) -> String {
    match value {
        Value::Array(Array::Strings(strings)) => {
            let mut digest = Sha256::new();
            for text in strings {
                digest.update((text.len() as u64).to_le_bytes());
                digest.update(text);
            }
            let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            format!("strings {key} {} {digest}", strings.len())
        }
        Value::Array(Array::Numbers(numbers)) => format!("numbers {key} {} {}", numbers.len(), sum(numbers)),
        Value::Bool(true) => format!("value {key} True"),
        Value::Bool(false) => format!("value {key} False"),
        Value::String(text) => format!("value {key} {text}"),
        Value::F32(_) | Value::F64(_) => format!("value {key} {}", value.as_f64().unwrap().to_bits()),
        other => format!("value {key} {}", other.as_i64().unwrap()),
    }
}

fn sum(numbers: &Numbers<'_>) -> i64 {
    (0..).zip(numbers.integers()).map(|(at, number): (i64, _)| at % 1009 * number.unwrap()).sum()
}

fn tensor(tensor: &TensorInfo<'_>) -> String {
    let (kind, start) = (tensor.kind.0, tensor.range.start);
    format!("tensor {} {:?} {kind} {start} {}", tensor.name, tensor.dims, tensor.bytes())
}
