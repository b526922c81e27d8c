//! Values of generated JSON Schemas from a model at temperature 1, checked by the `jsonschema` package.

use super::{Bench, example};
use crate::python;
use crate::step::{run as step, workspace};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::fs::File;
use std::path::Path;
use std::process::Command;

const CHECKER: &str = "jsonschema==4.26.0";

/// Asks for a value of each of the 300 schemas; fails where a finished one does not follow its schema.
pub(super) fn run(bench: &Bench) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (texts, figures) = (folder.path().join("texts"), folder.path().join("figures"));
    let mut ask = Command::new(example("vial-model", "structured")?);
    ask.arg(&bench.model).stdout(File::create(&texts)?).stderr(File::create(&figures)?);
    step("ask for a value of each schema (some minutes)", &mut ask)
        .with_context(|| std::fs::read_to_string(&figures).unwrap_or_default())?;
    check(&texts)?;
    let found: Value = serde_json::from_slice(&std::fs::read(figures)?).context("figures")?;
    let number = |field: &str| found[field].as_f64().with_context(|| field.to_owned());
    let (seconds, masks) = (number("seconds")?, number("mask_seconds")?);
    let row = vec![
        found["answers"].to_string(),
        found["finished"].to_string(),
        "all of them".to_owned(),
        found["tokens"].to_string(),
        format!("{seconds:.1} s"),
        format!("{:.2} %", masks / seconds * 100.0),
    ];
    let columns = ["schemas", "finished within 200 tokens", "valid", "tokens", "time", "masks' share of it"];
    let mut report =
        bench.report("structured", "Structured output: SmolLM2-135M-Instruct Q4_1, temperature 1");
    report.table(
        "Eight streams, one thread; each mask made without those of other answers",
        &columns,
        &[row],
    );
    report.finish(&bench.command("structured"))
}

/// Fails if a text does not follow its schema, or there is none.
fn check(texts: &Path) -> Result<()> {
    ensure!(std::fs::metadata(texts)?.len() > 0, "no answer was finished");
    let mut check = Command::new(python::with(&[CHECKER])?);
    check.arg(workspace()?.join("measurements/vectors/schemas.py")).arg("check");
    step("check them", check.stdin(File::open(texts)?))
}
