//! How long a verdict on evidence takes, beside crate `sev`, and in a page.

use super::{Bench, example};
use crate::step::output;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::process::Command;

/// Names of evidence, in figures and in tables, and what is wanted of a process.
const KINDS: [(&str, &str, &str); 3] = [
    ("snp", "SEV-SNP report, version 2, with its chain", "under 5 ms"),
    ("tdx4", "TDX quote, version 4", "under 15 ms"),
    ("tdx5", "TDX quote, version 5 (TD 1.5 extended)", "under 15 ms"),
];
const PAGE_COLUMNS: [&str; 4] =
    ["evidence", "first, when the page opens", "later, median of 51", "wanted of the median"];

/// Measures.
pub(super) fn run(bench: &Bench) -> Result<()> {
    let runs = repeated(bench, "vial-attest", "verdicts")?;
    let mut report = bench.report("verdicts", "Verdicts on recorded evidence, offline, one cpu");
    let columns = [
        "evidence",
        "vial (all checks and a policy)",
        "crate sev 8 (chain and signature)",
        "ratio",
        "wanted",
    ];
    report.table("From bytes to verdict", &columns, &KINDS.map(|kind| row(kind, &runs)));
    let pages = repeated(bench, "vial-page", "page_verdicts")?;
    report.table(&in_page(&pages), &PAGE_COLUMNS, &KINDS.map(|kind| page_row(kind, &pages)));
    report.finish(&bench.command("verdicts"))
}

/// A heading that says what browser it was, and how large pages are.
fn in_page(runs: &[Value]) -> String {
    let browser = output(Command::new("chromium").arg("--version")).unwrap_or_default();
    let bytes = runs.first().and_then(|run| run["snp"]["page_bytes"].as_u64()).unwrap_or_default();
    let name = browser.split(" built").next().unwrap_or_default();
    format!("The same in a page of {bytes} bytes, by WebAssembly in {name}")
}

fn row((kind, name, wanted): (&str, &str, &str), runs: &[Value]) -> Vec<String> {
    let [ours, theirs] = [kind, &format!("{kind}_by_sev")].map(|figure| median(runs, |run| &run[figure]));
    let beside = if theirs > 0.0 {
        [format!("{theirs:.2} ms"), format!("{:.2}", ours / theirs)]
    } else {
        [String::new(), String::new()]
    };
    [vec![name.to_owned(), format!("{ours:.2} ms")], beside.to_vec(), vec![wanted.to_owned()]].concat()
}

fn page_row((kind, name, _): (&str, &str, &str), runs: &[Value]) -> Vec<String> {
    let figure = |figure: &str| format!("{:.1} ms", median(runs, |run| &run[kind][figure]));
    vec![name.to_owned(), figure("first"), figure("median"), "under 50 ms".to_owned()]
}

fn median(runs: &[Value], of: impl Fn(&Value) -> &Value) -> f64 {
    let numbers: Vec<_> = runs.iter().filter_map(|run| of(run).as_f64()).collect();
    super::table::median(&numbers)
}

/// Figures of every run of a package's example.
fn repeated(bench: &Bench, package: &str, name: &str) -> Result<Vec<Value>> {
    let example = example(package, name)?;
    (0..bench.runs).map(|_| once(&example)).collect()
}

fn once(example: &std::path::Path) -> Result<Value> {
    let text = output(&mut Command::new(example)).context("the example failed")?;
    serde_json::from_str(&text).context("the example's JSON")
}
