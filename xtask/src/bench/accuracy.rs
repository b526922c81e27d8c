//! Distance of next-token distributions to exact arithmetic.

use super::decode::json;
use super::{Bench, example};
use crate::python;
use crate::step::{run as step, workspace};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A way in which the engine computes.
pub(super) struct Way {
    pub(super) name: &'static str,
    /// Tokens of a pass.
    rows: &'static str,
    kv: &'static str,
}

/// As when decoding.
pub(super) const DECODE: Way = Way { name: "vial", rows: "1", kv: "f16" };
/// As when reading a prompt.
pub(super) const PREFILL: Way = Way { name: "vial, prefill", rows: "128", kv: "f16" };
/// With a cache of half the size.
const SMALL_CACHE: Way = Way { name: "vial, KV in Q8_0", rows: "1", kv: "q8_0" };

/// Measures on the listed prompts and their greedy answers.
pub(super) fn run(bench: &Bench) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let sequences = folder.path().join("sequences.json");
    std::fs::write(&sequences, listed()?.to_string())?;
    let ways = [DECODE, PREFILL, SMALL_CACHE];
    let found = distances(bench, &bench.model, &sequences, folder.path(), &ways, None)?;
    let mut report = bench.report("accuracy", "Distance to exact arithmetic: SmolLM2-135M-Instruct Q4_1");
    let row = |name: &str| {
        let of = &found[name];
        let number = |field: &str| of[field].as_f64().unwrap_or(f64::NAN);
        vec![
            name.to_owned(),
            format!("{:.2e}", number("mean_kl")),
            format!("{:.2e}", number("max_kl")),
            format!("{:.2} %", number("argmax") * 100.0),
        ]
    };
    let mut rows: Vec<_> = ways.iter().map(|way| row(way.name)).collect();
    if !found["llama.cpp"].is_null() {
        rows.push(row("llama.cpp"));
    }
    let positions = &found["vial"]["positions"];
    let columns = ["engine", "mean KL(exact, engine)", "largest", "same arg-max"];
    report.table(&format!("{positions} positions of 28 greedy answers"), &columns, &rows);
    if let (Some(ours), Some(theirs)) =
        (found["vial"]["mean_kl"].as_f64(), found["llama.cpp"]["mean_kl"].as_f64())
    {
        let ratio = vec![vec![format!("{:.1e}", ours / theirs), "at most 0.1".to_owned()]];
        report.table("Ratio", &["mean KL, vial / llama.cpp", "wanted"], &ratio);
    }
    report.finish(&bench.command("accuracy"))
}

/// The prompts with their answers; positions that predict a token of the answer count.
fn listed() -> Result<Value> {
    let text = std::fs::read(workspace()?.join("measurements/vectors/greedy.json"))?;
    let listed: Value = serde_json::from_slice(&text)?;
    let cases = listed["cases"].as_array().context("cases")?;
    let sequence = |case: &Value| {
        let (ids, tokens) = (case["ids"].as_array()?, case["tokens"].as_array()?);
        let all: Vec<&Value> = ids.iter().chain(tokens.iter().take(tokens.len() - 1)).collect();
        Some(json!({ "ids": all, "from": ids.len() - 1 }))
    };
    cases.iter().map(sequence).collect::<Option<Vec<_>>>().map(Value::from).context("a case's form")
}

/// What `bench/accuracy.py` finds, by the names of the ways.
pub(super) fn distances(
    bench: &Bench,
    model: &Path,
    sequences: &Path,
    folder: &Path,
    ways: &[Way],
    isa: Option<&String>,
) -> Result<Value> {
    let (ours, logits) = (logits_program()?, |number: usize| folder.join(format!("logits.{number}")));
    for (number, way) in ways.iter().enumerate() {
        let mut command = Command::new(&ours);
        command.arg(model).arg(sequences).arg(logits(number)).args(["2", way.rows, way.kv]).args(isa);
        step(&format!("logits of {}", way.name), &mut command)?;
    }
    let mut script = match &bench.peer {
        Some(peer) => peer.python()?,
        None => Command::new(python::interpreter()?),
    };
    script.arg(workspace()?.join("bench/accuracy.py")).arg(model).arg(sequences);
    script.args(ways.iter().enumerate().map(|(at, way)| format!("{}={}", way.name, logits(at).display())));
    if bench.peer.is_some() {
        script.args(["--llama-cpp", "2"]);
    }
    println!("── exact arithmetic and the peer (a minute)");
    json(&mut script)
}

/// The program that writes our logits.
pub(super) fn logits_program() -> Result<PathBuf> {
    example("vial-local", "logits")
}
