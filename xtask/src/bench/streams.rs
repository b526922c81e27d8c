//! Many streams at once, their gaps, and what drafts give.

use super::decode::json;
use super::engine::{Choice, generated};
use super::lasting::{About, Lasting};
use super::table::median;
use super::{Bench, example};
use anyhow::Result;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const FORMATS: [&str; 4] = ["Q4_0", "Q4_K_M", "Q8_0", "F16"];
const STREAMS: &str = "8";
const PROMPT: &str = "128";
const TOKENS: &str = "32";
const COLUMNS: [&str; 7] = [
    "model",
    "one, tokens/s",
    "eight, tokens/s",
    "ratio (wanted: at least 3)",
    "longest gap, of the median (wanted: at most 3)",
    "drafts where the text repeats itself, of plain decode",
    "drafts by chance, of plain decode (wanted: at least 0.95)",
];

/// Measures every model in turn; each shape has a table of its own.
pub(super) fn run(bench: &Bench, choice: &Choice) -> Result<()> {
    let program = example("vial-local", "streams")?;
    choice.shape.iter().try_for_each(|shape| table(bench, choice, &program, shape))
}

fn table(bench: &Bench, choice: &Choice, program: &Path, shape: &str) -> Result<()> {
    let by = choice.by();
    let isa = choice.isa.as_ref().map(|isa| format!(" --isa {isa}")).unwrap_or_default();
    let command = format!("cargo xtask bench streams --shape {shape}{isa}");
    let title = format!("Many streams at once: {shape}{by}");
    let heading = format!("{STREAMS} streams, prompts of {PROMPT}, 2 threads");
    let about = About {
        name: &format!("streams-{shape}{}", by.replace(" by ", "-")),
        title: &title,
        command: &command,
        heading: &heading,
        columns: &COLUMNS,
        keys: 1,
        runs: bench.runs,
        commit: &bench.commit,
    };
    let mut table = Lasting::open(&about)?;
    for format in &choice.formats(&FORMATS) {
        let model = generated(shape, format)?;
        let found = (0..bench.runs).map(|_| measure(program, &model, choice)).collect::<Result<Vec<_>>>()?;
        table.put(row(format!("{shape} {format}"), &found))?;
    }
    table.finish();
    Ok(())
}

fn measure(program: &Path, model: &Path, choice: &Choice) -> Result<Value> {
    json(Command::new(program).arg(model).args(["2", STREAMS, PROMPT, TOKENS]).args(&choice.isa))
}

/// Medians; ratios are those of single runs.
fn row(name: String, found: &[Value]) -> Vec<String> {
    let all = |of: &dyn Fn(&Value) -> f64| median(&found.iter().map(of).collect::<Vec<_>>());
    let number = |run: &Value, field: &str| run[field].as_f64().unwrap_or(f64::NAN);
    vec![
        name,
        format!("{:.1}", all(&|run| number(run, "one"))),
        format!("{:.1}", all(&|run| number(run, "many"))),
        format!("{:.2}", all(&|run| number(run, "many") / number(run, "one"))),
        format!("{:.2}", all(&|run| number(run, "gap"))),
        format!("{:.2}", all(&|run| number(run, "repeats itself"))),
        format!("{:.2}", all(&|run| number(run, "by chance"))),
    ]
}
