//! Decode in the guest, of the same engine as a process, and of the peer.

use super::Bench;
use super::start::{Server, vial_run};
use super::table::{Report, median, spread};
use crate::client::{self, Site};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const QUESTION: &str = "Write a long story about a lighthouse keeper and the sea.";
const TOKENS: u32 = 128;
const THREADS: &str = "2";

/// Measures in turn, so that a machine whose speed drifts drifts for all.
pub(super) fn measure(bench: &Bench, image: &Path, report: &mut Report) -> Result<()> {
    let site = Site::free()?;
    let server = Server(vial_run(bench, image, site).spawn()?);
    client::healthy(site)?;
    let (mut guest, mut process, mut peer) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..=bench.runs {
        guest.push(streamed(site)?);
        process.push(by_process(bench)?);
        peer.extend(by_peer(bench)?);
    }
    drop(server);
    let counted = |all: &[f64]| all.get(1..).unwrap_or_default().to_vec();
    let (guest, process, peer) = (counted(&guest), counted(&process), counted(&peer));
    let ratio = |other: &[f64]| format!("{:.2}", median(&guest) / median(other));
    let mut rows = vec![
        vec!["in the guest, streamed".to_owned(), spread(&guest, "tokens/s"), String::new(), String::new()],
        vec![
            "`vial bench`, a process".to_owned(),
            spread(&process, "tokens/s"),
            ratio(&process),
            "0.95".to_owned(),
        ],
    ];
    if !peer.is_empty() {
        rows.push(vec![
            "`llama-bench`".to_owned(),
            spread(&peer, "tokens/s"),
            ratio(&peer),
            "0.7".to_owned(),
        ]);
    }
    report.table(
        "Decode of 128 tokens, 2 threads",
        &["engine", "median (range)", "guest / it", "wanted"],
        &rows,
    );
    Ok(())
}

/// Tokens per second between the first and the last token of a streamed answer.
fn streamed(site: Site) -> Result<f64> {
    let arrivals = client::arrivals(site, &client::chat(QUESTION, TOKENS))?;
    let (first, last) = (arrivals.first().context("no text")?, arrivals.last().context("no text")?);
    #[expect(clippy::cast_precision_loss, reason = "a count of tokens")]
    Ok((arrivals.len() - 1) as f64 / (*last - *first).as_secs_f64())
}

fn by_process(bench: &Bench) -> Result<f64> {
    let mut command = Command::new(&bench.vial);
    command.arg("bench").arg(&bench.model).args([
        "--threads",
        THREADS,
        "--prompt",
        "0",
        "--rounds",
        "1",
        "--json",
    ]);
    let found = json(&mut command)?;
    found["decode"].as_f64().context("decode")
}

fn by_peer(bench: &Bench) -> Result<Option<f64>> {
    let Some(peer) = &bench.peer else { return Ok(None) };
    let mut command = Command::new(peer.program("llama-bench"));
    command
        .arg("-m")
        .arg(&bench.model)
        .args(["-t", THREADS, "-p", "0", "-n", "128", "-r", "1", "-o", "json"]);
    let found = json(&mut command)?;
    Ok(Some(found[0]["avg_ts"].as_f64().context("avg_ts")?))
}

/// What a command prints as JSON.
pub(super) fn json(command: &mut Command) -> Result<Value> {
    let output = command.output().with_context(|| format!("run {:?}", command.get_program()))?;
    let complaint = || format!("{:?}: {}", command.get_program(), String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).with_context(complaint)
}
