//! Prefill and decode as processes, beside llama.cpp with and without its repacked weights.

use super::Bench;
use super::decode::json;
use super::lasting::{About, Lasting};
use super::table::median;
use crate::peer::cache;
use crate::python;
use crate::step::{run as step, workspace};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which models, and on how many threads.
#[derive(clap::Args)]
pub(super) struct Choice {
    /// Shapes, of those that `bench/shape.py` knows.
    #[arg(long, value_delimiter = ',', default_value = "smol135m,llama1b")]
    pub(super) shape: Vec<String>,
    /// Formats, or mixes; those that matter to the table if none is named.
    #[arg(long, value_delimiter = ',')]
    format: Vec<String>,
    /// Threads.
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    pub(super) threads: Vec<String>,
    /// Tokens of the prompt.
    #[arg(long, default_value_t = 512)]
    pub(super) prompt: u32,
    /// Tokens decoded.
    #[arg(long, default_value_t = 64)]
    pub(super) tokens: u32,
    /// Tokens that are there before prompt and decode begin, in the engine's table.
    #[arg(long, default_value_t = 0)]
    depth: u32,
    /// Our instruction set, in the tables of engine, formats and streams, which then have names of their own.
    #[arg(long)]
    pub(super) isa: Option<String>,
    /// Memory of appliances in MiB, in the table of streaming.
    #[arg(long, value_delimiter = ',', default_value = "256")]
    pub(super) memory: Vec<u64>,
    /// Let the host's page cache hold what is streamed: compute is the limit then.
    #[arg(long)]
    pub(super) cache: bool,
}

impl Choice {
    /// The formats named, or these.
    pub(super) fn formats(&self, or: &[&str]) -> Vec<String> {
        let named = self.format.clone();
        if named.is_empty() { or.iter().map(ToString::to_string).collect() } else { named }
    }

    /// Our instruction set, where one is named.
    pub(super) fn by(&self) -> String {
        self.isa.as_ref().map(|isa| format!(" by {isa}")).unwrap_or_default()
    }

    /// How long prompt and answer are, as options.
    pub(super) fn lengths(&self) -> String {
        let depth = if self.depth > 0 { format!(" --depth {}", self.depth) } else { String::new() };
        let isa = self.isa.as_ref().map(|isa| format!(" --isa {isa}")).unwrap_or_default();
        format!(" --prompt {} --tokens {}{depth}{isa}", self.prompt, self.tokens)
    }
}

/// Formats that people run.
const FORMATS: [&str; 5] = ["Q4_0", "Q4_1", "Q4_K_M", "Q8_0", "F16"];

const COLUMNS: [&str; 9] = [
    "model",
    "threads",
    "decode, tokens/s",
    "of memory's speed",
    "llama.cpp",
    "ratio",
    "prefill, tokens/s",
    "llama.cpp",
    "ratio",
];

/// Rates of one engine over the runs.
#[derive(Default)]
pub(super) struct Found {
    pub(super) prefill: Vec<f64>,
    pub(super) decode: Vec<f64>,
    /// The part of memory's speed that decoding used.
    share: Vec<f64>,
}

/// Who is measured.
#[derive(Clone, Copy)]
pub(super) enum Who {
    Vial,
    LlamaCpp { repacks: bool },
}

/// Measures every model in turn; each shape has a table of its own.
pub(super) fn run(bench: &Bench, choice: &Choice) -> Result<()> {
    choice.shape.iter().try_for_each(|shape| table(bench, choice, shape))
}

fn table(bench: &Bench, choice: &Choice, shape: &String) -> Result<()> {
    let command = bench.again("engine") + &format!(" --shape {shape}") + &choice.lengths();
    let by = choice.by();
    let title = format!("The engine as a process: {shape}{by}");
    let name = format!("engine-{shape}{}", by.replace(" by ", "-"));
    let (behind, name) = match choice.depth {
        0 => (String::new(), name),
        depth => (format!(" behind {depth} tokens"), format!("{name}-deep")),
    };
    let heading = format!(
        "Prompt of {}, decode of {}{behind}; llama.cpp in the better of its settings for each cell",
        choice.prompt, choice.tokens
    );
    let about = About {
        name: &name,
        title: &title,
        command: &command,
        heading: &heading,
        columns: &COLUMNS,
        keys: 2,
        runs: bench.runs,
        commit: &bench.commit,
    };
    let mut table = Lasting::open(&about)?;
    for format in &choice.formats(&FORMATS) {
        let model = generated(shape, format)?;
        for threads in &choice.threads {
            table.put(row(bench, choice, &model, [shape, format, threads])?)?;
        }
    }
    table.finish();
    Ok(())
}

fn row(
    bench: &Bench,
    choice: &Choice,
    model: &Path,
    [shape, format, threads]: [&String; 3],
) -> Result<Vec<String>> {
    let peers = [Who::LlamaCpp { repacks: true }, Who::LlamaCpp { repacks: false }];
    let peers = if bench.peer.is_some() { &peers[..] } else { &[] };
    let (mut ours, mut theirs) = (Found::default(), [Found::default(), Found::default()]);
    for _ in 0..bench.runs {
        measure(bench, choice, model, threads, Who::Vial, &mut ours)?;
        for (who, found) in peers.iter().zip(&mut theirs) {
            measure(bench, choice, model, threads, *who, found)?;
        }
    }
    let [decode, prefill] = [better(&theirs, |found| &found.decode), better(&theirs, |found| &found.prefill)];
    let (our_decode, our_prefill) = (median(&ours.decode), median(&ours.prefill));
    Ok(vec![
        format!("{shape} {format}"),
        threads.clone(),
        format!("{our_decode:.2}"),
        format!("{:.2}", median(&ours.share)),
        format!("{decode:.2}"),
        ratio(our_decode, decode),
        format!("{our_prefill:.1}"),
        format!("{prefill:.1}"),
        ratio(our_prefill, prefill),
    ])
}

/// The higher median of the peer's two settings; 0 where it was not measured.
pub(super) fn better(found: &[Found; 2], of: fn(&Found) -> &[f64]) -> f64 {
    found.iter().map(|found| median(of(found))).fold(0.0, f64::max)
}

/// Empty where the other was not measured.
pub(super) fn ratio(ours: f64, theirs: f64) -> String {
    if theirs > 0.0 { format!("{:.2}", ours / theirs) } else { String::new() }
}

/// One run of one engine.
pub(super) fn measure(
    bench: &Bench,
    choice: &Choice,
    model: &Path,
    threads: &str,
    who: Who,
    found: &mut Found,
) -> Result<()> {
    let [prompt, tokens, depth] = [choice.prompt, choice.tokens, choice.depth].map(|count| count.to_string());
    match (who, &bench.peer) {
        (Who::Vial, _) => {
            let mut command = Command::new(&bench.vial);
            command.arg("bench").arg(model).args([
                "--threads",
                threads,
                "--prompt",
                &prompt,
                "--tokens",
                &tokens,
                "--depth",
                &depth,
            ]);
            command.args(choice.isa.iter().flat_map(|isa| ["--isa", isa]));
            let of = json(command.args(["--rounds", "1", "--json"]))?;
            let number = |name: &str| of[name].as_f64().with_context(|| name.to_owned());
            found.prefill.extend(of["prefill"].as_f64());
            found.decode.push(number("decode")?);
            found.share.push(number("decode")? * number("bytes_per_token")? / number("memory")?);
        }
        (Who::LlamaCpp { repacks }, Some(peer)) => {
            let mut command = Command::new(peer.program("llama-bench"));
            command
                .arg("-m")
                .arg(model)
                .args(["-t", threads, "-p", &prompt, "-n", &tokens, "-d", &depth, "-r", "1"]);
            let of = json(command.args(["-o", "json", "--repack", if repacks { "1" } else { "0" }]))?;
            for test in of.as_array().context("a list of tests")? {
                let of = if test["n_gen"] == 0 { &mut found.prefill } else { &mut found.decode };
                of.push(test["avg_ts"].as_f64().context("avg_ts")?);
            }
        }
        (Who::LlamaCpp { .. }, None) => {}
    }
    Ok(())
}

/// A model of that shape, generated where it is not there yet.
pub(super) fn generated(shape: &str, format: &str) -> Result<PathBuf> {
    let path = cache()?.join("models").join(format!("{shape}-{format}.gguf"));
    if !path.exists() {
        std::fs::create_dir_all(path.parent().context("a folder")?)?;
        let fresh = path.with_extension("new");
        let mut script = Command::new(python::interpreter()?);
        script.arg(workspace()?.join("bench/shape.py")).args([shape, format]).arg(&fresh);
        step(&format!("generate {shape} in {format}"), &mut script)?;
        std::fs::rename(fresh, &path)?;
    }
    Ok(path)
}
