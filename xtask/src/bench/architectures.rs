//! Small models of every architecture beside llama.cpp.

use super::Bench;
use super::accuracy::logits_program;
use super::decode::json;
use crate::model;
use crate::step::{output, run as step, workspace};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Compares logits of 500 positions of each; without a peer there is nothing to compare with.
pub(super) fn run(bench: &Bench) -> Result<()> {
    let Some(peer) = &bench.peer else {
        println!("architectures: skipped, as it compares with --peer llama.cpp");
        return Ok(());
    };
    let script = workspace()?.join("measurements/vectors/architectures.py");
    let (models, folder) = (model::small_ones()?, tempfile::tempdir()?);
    let sequences = folder.path().join("sequences.json");
    let listed = output(peer.python()?.arg(&script).arg("sequences")).context("the sequence")?;
    std::fs::write(&sequences, listed)?;
    let ours = folder.path().join("ours");
    std::fs::create_dir(&ours)?;
    score(&models, &sequences, &ours)?;
    println!("── llama.cpp's logits");
    let found = json(peer.python()?.arg(&script).arg("compare").arg(&models).arg(&ours))?;
    let rows: Vec<_> = found.as_object().context("a table")?.iter().map(row).collect();
    let mut report =
        bench.report("architectures", "Small models of every architecture: vial beside llama.cpp");
    let columns =
        ["model", "mean KL(llama.cpp, vial)", "same arg-max", "positions", "largest difference of a logit"];
    report.table(
        "F32 weights, F16 keys and values; positions with a margin of 0.02 or more",
        &columns,
        &rows,
    );
    report.finish(&bench.command("architectures"))
}

/// Our logits of every model.
fn score(models: &Path, sequences: &Path, out: &Path) -> Result<()> {
    let program = logits_program()?;
    for entry in std::fs::read_dir(models)? {
        let model = entry?.path();
        let name = model.file_stem().context("a file's name")?;
        step("our logits", Command::new(&program).arg(&model).arg(sequences).arg(out.join(name)).arg("2"))?;
    }
    ensure!(std::fs::read_dir(out)?.next().is_some(), "no model was generated");
    Ok(())
}

fn row((name, of): (&String, &Value)) -> Vec<String> {
    let number = |field: &str| of[field].as_f64().unwrap_or(f64::NAN);
    vec![
        name.clone(),
        format!("{:.1e}", number("mean_kl")),
        format!("{:.2} %", number("argmax") * 100.0),
        of["counted"].to_string(),
        format!("{:.4}", number("largest")),
    ]
}
