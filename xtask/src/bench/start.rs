//! From the start of the process to the first answer.

use super::Bench;
use super::table::{Report, median, spread};
use crate::client::{self, Site};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use vial_abi::Mark;

const QUESTION: &str = "What is the capital of France?";

/// A server that ends with this.
pub(super) struct Server(pub(super) Child);

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already is not there to be killed.
        let _ended = self.0.kill();
        let _waited = self.0.wait();
    }
}

/// `vial run` at an site.
pub(super) fn vial_run(bench: &Bench, image: &Path, site: Site) -> Command {
    let mut command = Command::new(&bench.vial);
    command.arg("run").arg(image).args(["--json", "--publish", &site.to_string()]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn llama_server(bench: &Bench, site: Site) -> Option<Command> {
    let mut command = Command::new(bench.peer.as_ref()?.program("llama-server"));
    command.arg("-m").arg(&bench.model).args(["-t", "2", "--host", "127.0.0.1"]);
    command.args(["--port", &site.address.port().to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    Some(command)
}

/// Milliseconds until the server is healthy and until a chat's first text, each from a start of its own.
fn until_first(
    mut start: impl FnMut(Site) -> Option<Command>,
    is_plain: bool,
    wants_text: bool,
) -> Result<Option<f64>> {
    let site = Site { is_plain, ..Site::free()? };
    let Some(mut command) = start(site) else { return Ok(None) };
    let started = Instant::now();
    let server = Server(command.spawn().with_context(|| format!("start {:?}", command.get_program()))?);
    let done = if wants_text {
        let arrivals = client::arrivals(site, &client::chat(QUESTION, 4))?;
        *arrivals.first().context("no text came")?
    } else {
        client::healthy(site)?;
        Instant::now()
    };
    drop(server);
    Ok(Some((done - started).as_secs_f64() * 1000.0))
}

/// Measures start-up and its stages.
pub(super) fn measure(bench: &Bench, image: &Path, report: &mut Report) -> Result<()> {
    let vial = |site| Some(vial_run(bench, image, site));
    let peer = |site| llama_server(bench, site);
    let (mut healthy, mut text, mut peers) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..=bench.runs {
        healthy.extend(until_first(vial, false, false)?);
        text.extend(until_first(vial, false, true)?);
        peers.extend(until_first(peer, true, true)?);
    }
    // The first of each fills caches.
    let counted = |all: &[f64]| all.get(1..).unwrap_or_default().to_vec();
    let (healthy, text, peers) = (counted(&healthy), counted(&text), counted(&peers));
    let mut rows = vec![
        vec![
            "`vial run` to first accepted request".to_owned(),
            spread(&healthy, "ms"),
            "at most 300, aim 100".to_owned(),
        ],
        vec![
            "`vial run` to first streamed text".to_owned(),
            spread(&text, "ms"),
            "below llama-server".to_owned(),
        ],
    ];
    if !peers.is_empty() {
        rows.push(vec![
            "`llama-server` to first streamed text".to_owned(),
            spread(&peers, "ms"),
            String::new(),
        ]);
        let ratio = median(&text) / median(&peers);
        rows.push(vec!["ratio".to_owned(), format!("{ratio:.2}"), "below 1".to_owned()]);
    }
    report.table("Start", &["from process start", "median (range)", "wanted"], &rows);
    stages(bench, image, report)
}

/// The timeline's marks, medians.
fn stages(bench: &Bench, image: &Path, report: &mut Report) -> Result<()> {
    let mut stages: BTreeMap<u64, (String, Vec<f64>)> = BTreeMap::new();
    for _ in 0..bench.runs {
        for (at, (name, ms)) in (0..).zip(timeline(bench, image)?) {
            stages.entry(at).or_insert_with(|| (name, Vec::new())).1.push(ms);
        }
    }
    let mut before = 0.0;
    let row = |(name, all): &(String, Vec<f64>)| {
        let at = median(all);
        let step = at - core::mem::replace(&mut before, at);
        vec![name.clone(), format!("{at:.1} ms"), format!("+{step:.1}")]
    };
    let rows: Vec<_> = stages.values().map(row).collect();
    report.table("Stages", &["stage", "since the VMM started", "step"], &rows);
    Ok(())
}

/// Name and milliseconds of each mark up to the first token.
fn timeline(bench: &Bench, image: &Path) -> Result<Vec<(String, f64)>> {
    let site = Site::free()?;
    let mut server = Server(vial_run(bench, image, site).spawn()?);
    let lines = BufReader::new(server.0.stdout.take().context("no output")?).lines();
    let asking = std::thread::spawn(move || client::arrivals(site, &client::chat(QUESTION, 4)));
    let mut marks = Vec::new();
    for line in lines {
        let event: Value = serde_json::from_str(&line?)?;
        if event["event"] != "mark" {
            continue;
        }
        let name = event["name"].as_str().unwrap_or_default().to_owned();
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a start")]
        marks.push((name.clone(), event["microseconds"].as_u64().unwrap_or(0) as f64 / 1000.0));
        if name == Mark::FirstToken.name() {
            break;
        }
    }
    drop(server);
    // The server is gone before the answer ends.
    let _cut = asking.join();
    Ok(marks)
}
