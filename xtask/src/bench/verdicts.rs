//! How long a verdict on evidence takes, beside crate `sev`.

use super::{Bench, example};
use crate::step::output;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::process::Command;

/// Measures.
pub(super) fn run(bench: &Bench) -> Result<()> {
    let example = example("vial-attest", "verdicts")?;
    let runs: Result<Vec<_>> = (0..bench.runs).map(|_| once(&example)).collect();
    let runs = runs?;
    let median = |name: &str| {
        let numbers: Vec<_> = runs.iter().filter_map(|run| run[name].as_f64()).collect();
        super::table::median(&numbers)
    };
    let ours = |name: &str| format!("{:.2} ms", median(name));
    let [snp, sev] = ["snp", "snp_by_sev"].map(median);
    let rows = [
        vec![
            "SEV-SNP report, version 2, with its chain".to_owned(),
            ours("snp"),
            format!("{sev:.2} ms"),
            format!("{:.2}", snp / sev),
            "under 5 ms".to_owned(),
        ],
        vec![
            "TDX quote, version 4".to_owned(),
            ours("tdx4"),
            String::new(),
            String::new(),
            "under 15 ms".to_owned(),
        ],
        vec![
            "TDX quote, version 5 (TD 1.5 extended)".to_owned(),
            ours("tdx5"),
            String::new(),
            String::new(),
            "under 15 ms".to_owned(),
        ],
    ];
    let mut report = bench.report("verdicts", "Verdicts on recorded evidence, offline, one cpu");
    let columns = [
        "evidence",
        "vial (all checks and a policy)",
        "crate sev 8 (chain and signature)",
        "ratio",
        "wanted",
    ];
    report.table("From bytes to verdict", &columns, &rows);
    report.finish(&bench.command("verdicts"))
}

fn once(example: &std::path::Path) -> Result<Value> {
    let text = output(&mut Command::new(example)).context("the example failed")?;
    serde_json::from_str(&text).context("the example's JSON")
}
