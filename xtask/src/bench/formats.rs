//! Every format: how far its answers are from exact arithmetic, beside how fast it decodes.

use super::Bench;
use super::accuracy::{DECODE, PREFILL, distances};
use super::engine::{Choice, Found, Who, generated, measure};
use super::lasting::{About, Lasting};
use super::table::median;
use anyhow::Result;
use serde_json::{Value, json};
use std::path::Path;

const FORMATS: [&str; 16] = [
    "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
    "IQ4_NL", "IQ4_XS", "MXFP4",
];
const COLUMNS: [&str; 8] = [
    "model",
    "mean KL(exact, vial)",
    "the same, 128 rows a pass",
    "mean KL(exact, llama.cpp)",
    "ratio (wanted: at most 0.2)",
    "decode of vial, 2 threads",
    "of llama.cpp",
    "ratio",
];
/// Sequences of random tokens, their length, and how many tokens come before those that count.
const SEQUENCES: u64 = 5;
const LENGTH: u64 = 412;
const BEFORE: u64 = 12;

/// Measures on every shape and format; each shape has a table of its own.
pub(super) fn run(bench: &Bench, choice: &Choice) -> Result<()> {
    choice.shape.iter().try_for_each(|shape| table(bench, choice, shape))
}

fn table(bench: &Bench, choice: &Choice, shape: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let sequences = folder.path().join("sequences.json");
    std::fs::write(&sequences, random().to_string())?;
    let command = bench.again("formats") + &format!(" --shape {shape}") + &choice.lengths();
    let by = choice.by();
    let title = format!("Every format: distance to exact arithmetic and decode, {shape}{by}");
    let positions = SEQUENCES * (LENGTH - BEFORE);
    let heading = format!("{positions} positions of random tokens, one row a pass unless said");
    let about = About {
        name: &format!("formats-{shape}{}", by.replace(" by ", "-")),
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
        let found =
            distances(bench, &model, &sequences, folder.path(), &[DECODE, PREFILL], choice.isa.as_ref())?;
        let speeds = speeds(bench, choice, &model)?;
        table.put(row(format!("{shape} {format}"), &found, speeds))?;
    }
    table.finish();
    Ok(())
}

/// Tokens that every shape's vocabulary has, by a linear congruence.
fn random() -> Value {
    let mut state = 1_u64;
    let mut token = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % 32_000
    };
    let mut sequence = || {
        let ids: Vec<u64> = (0..LENGTH).map(|_| token()).collect();
        json!({ "ids": ids, "from": BEFORE })
    };
    (0..SEQUENCES).map(|_| sequence()).collect()
}

/// Decode of both, the peer in its better setting.
fn speeds(bench: &Bench, choice: &Choice, model: &Path) -> Result<[f64; 2]> {
    let (mut ours, mut theirs) = (Found::default(), [Found::default(), Found::default()]);
    for _ in 0..bench.runs {
        measure(bench, choice, model, "2", Who::Vial, &mut ours)?;
        for (repacks, found) in [true, false].into_iter().zip(&mut theirs) {
            measure(bench, choice, model, "2", Who::LlamaCpp { repacks }, found)?;
        }
    }
    Ok([median(&ours.decode), theirs.iter().map(|found| median(&found.decode)).fold(0.0, f64::max)])
}

fn row(name: String, found: &Value, [ours, theirs]: [f64; 2]) -> Vec<String> {
    let kl = |who: &str| found[who]["mean_kl"].as_f64();
    let number = |number: Option<f64>| number.map_or_else(String::new, |number| format!("{number:.2e}"));
    let ratio = kl(DECODE.name).zip(kl("llama.cpp")).map(|(ours, theirs)| ours / theirs);
    let speed = if theirs > 0.0 { format!("{:.2}", ours / theirs) } else { String::new() };
    vec![
        name,
        number(kl(DECODE.name)),
        number(kl(PREFILL.name)),
        number(kl("llama.cpp")),
        number(ratio),
        format!("{ours:.1}"),
        format!("{theirs:.1}"),
        speed,
    ]
}
