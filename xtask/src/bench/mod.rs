//! Measurements: each prints a table and writes it to `bench/`, with the command that makes it.

mod accuracy;
mod architectures;
mod cgroup;
mod channel;
mod decode;
mod engine;
mod formats;
mod guest;
mod lasting;
mod memory;
mod parts;
mod seal;
mod start;
mod streaming;
mod streams;
mod structured;
mod table;
mod verdicts;

use crate::peer::LlamaCpp;
use crate::{demo, model, step};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;
use table::Report;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Which tables; all if none is named.
    #[arg(value_enum)]
    what: Vec<What>,
    /// Beside whom: builds the peer outside this workspace and runs both in turn.
    #[arg(long, value_enum)]
    peer: Option<Peer>,
    /// Runs of each; the median counts.
    #[arg(long, default_value_t = 7)]
    runs: usize,
    #[command(flatten)]
    engine: engine::Choice,
}

/// A table.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// From `vial run` to the first answer; decode in the guest; sizes and memory.
    Appliance,
    /// `vial build` beside `cp` and `sha256sum`, on a model of 5 GB.
    Seal,
    /// Distance to exact arithmetic, beside the peer's.
    Accuracy,
    /// Prefill and decode of generated models, by shape, format and threads.
    Engine,
    /// The same in the appliance, beside a process.
    Guest,
    /// Distance to exact arithmetic and decode of every format.
    Formats,
    /// Eight streams beside one, the gaps between their tokens, and what drafts give.
    Streams,
    /// Models larger than memory: read and checked in every pass, beside the disk alone.
    Streaming,
    /// Small models of every architecture: how far the peer's logits are.
    Architectures,
    /// Values of 300 JSON Schemas: whether they are valid, and the share of masks in the time.
    Structured,
    /// Verdicts on recorded evidence, beside crate `sev`.
    Verdicts,
    /// Handshakes, evidence, `vial connect` between, and receipts.
    Channel,
}

/// Who else is measured.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    /// From the source inside PyPI's llama-cpp-python.
    #[value(name = "llama.cpp")]
    LlamaCpp,
}

/// What every measurement has at hand.
struct Bench {
    vial: PathBuf,
    model: PathBuf,
    peer: Option<LlamaCpp>,
    runs: usize,
    /// What is measured: what was checked out when building began.
    commit: String,
}

/// Measures.
pub(crate) fn run(options: &Options) -> Result<()> {
    let peer = options.peer.map(|Peer::LlamaCpp| LlamaCpp::ready()).transpose()?;
    let (commit, runs) = (table::commit(), options.runs.max(1));
    let bench = Bench { vial: demo::build()?, model: model::fetch()?, peer, runs, commit };
    let wants = |what| options.what.is_empty() || options.what.contains(&what);
    if wants(What::Appliance) {
        appliance(&bench)?;
    }
    if wants(What::Seal) {
        seal::run(&bench)?;
    }
    if wants(What::Accuracy) {
        accuracy::run(&bench)?;
    }
    if wants(What::Engine) {
        engine::run(&bench, &options.engine)?;
    }
    if wants(What::Guest) {
        guest::run(&bench, &options.engine)?;
    }
    if wants(What::Formats) {
        formats::run(&bench, &options.engine)?;
    }
    if wants(What::Streams) {
        streams::run(&bench, &options.engine)?;
    }
    if wants(What::Streaming) {
        streaming::run(&bench, &options.engine)?;
    }
    if wants(What::Architectures) {
        architectures::run(&bench)?;
    }
    if wants(What::Structured) {
        structured::run(&bench)?;
    }
    if wants(What::Verdicts) {
        verdicts::run(&bench)?;
    }
    if wants(What::Channel) {
        channel::run(&bench)?;
    }
    Ok(())
}

/// Start, decode, sizes and memory of the quick-start appliance.
fn appliance(bench: &Bench) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let image = folder.path().join("model.img");
    bench.seal(&bench.model, &image)?;
    let mut report =
        bench.report("appliance", "The quick-start appliance: SmolLM2-135M-Instruct Q4_1, 512 MiB, 2 cpus");
    start::measure(bench, &image, &mut report)?;
    decode::measure(bench, &image, &mut report)?;
    parts::measure(&mut report)?;
    memory::measure(bench, &image, &mut report)?;
    report.finish(&bench.command("appliance"))
}

/// Builds an example of a package; gives its path.
fn example(package: &str, name: &str) -> Result<PathBuf> {
    let build = ["build", "--release", "--quiet", "--package", package, "--example", name];
    step::run(&format!("build the {name} example"), &mut step::cargo(build)?)?;
    step::built(&format!("examples/{name}"))
}

impl Bench {
    fn report(&self, name: &str, title: &str) -> Report {
        Report::new(name, title, &self.commit)
    }

    fn seal(&self, model: &Path, image: &Path) -> Result<()> {
        let mut build = Command::new(&self.vial);
        step::run("seal", build.arg("build").arg(model).arg("-o").arg(image))
    }

    /// The command that makes a table.
    fn command(&self, what: &str) -> String {
        format!("{} --runs {}", self.again(what), self.runs)
    }

    /// The same for tables whose rows say how many runs they come from.
    fn again(&self, what: &str) -> String {
        format!("cargo xtask bench {what}{}", if self.peer.is_some() { " --peer llama.cpp" } else { "" })
    }
}
