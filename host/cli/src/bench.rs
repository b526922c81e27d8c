//! `vial bench`: how fast this process reads prompts and decodes.

use serde::Serialize;
use vial_local::{Local, ModelFile, Rates, Workload, context, rates, with_team};
use vial_model::transformer::Engine;

use crate::draft::{self, DraftArgs};
use crate::engine::{EngineArgs, not_loaded};
use crate::failure::Failure;
use crate::terminal::{json, print};

/// Measure how fast a model reads prompts and decodes, in this process.
///
/// Counts as `llama-bench` does: a prompt of random tokens, then tokens decoded one at a time, each round from an empty
/// cache; the median of the rounds. With --draft it also answers questions with the draft model and without. The rate is that of the engine in the appliance, which `vial run` serves.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    draft: DraftArgs,
    /// Tokens of the prompt; 0 for none.
    #[arg(long, default_value_t = 512)]
    prompt: usize,
    /// Tokens decoded; 0 for none.
    #[arg(long, default_value_t = 128)]
    tokens: usize,
    /// Tokens that are there before either begins.
    #[arg(long, default_value_t = 0)]
    depth: usize,
    /// Rounds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Tokens of a prompt read in one pass.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Output<'a> {
    model: &'a std::path::Path,
    isa: &'a str,
    threads: usize,
    kv: &'a str,
    prompt: usize,
    tokens: usize,
    depth: usize,
    /// Tokens per second, the median of the rounds; `null` where nothing was asked for.
    prefill: Option<f64>,
    decode: Option<f64>,
    /// Bytes of weights read for a token, and bytes per second that these cpus read when they do nothing else.
    bytes_per_token: u64,
    memory: f64,
    /// Answers with `--draft`; `null` without.
    draft: Option<draft::Output>,
}

impl Output<'_> {
    /// The part of the memory's speed that decoding uses.
    fn memory_share(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a count of bytes")]
        self.decode.map(|rate| rate * self.bytes_per_token as f64 / self.memory)
    }
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let (threads, isa) = (args.engine.threads()?, args.engine.isa()?);
    let (file, small) = (args.engine.read()?, args.draft.read()?);
    let workload = Workload {
        prompt: args.prompt,
        tokens: args.tokens,
        depth: args.depth,
        rounds: args.rounds.into(),
        rows: args.batch.into(),
        kv: args.engine.kv(),
    };
    let (found, draft) = with_team(threads, |team| -> Result<_, Failure> {
        let engine = Engine { team, isa };
        // First, so that a draft model that does not fit is refused at once.
        let draft = small.as_ref().map(|small| answers(args, &file, small, engine)).transpose()?;
        let found = rates(&file, engine, workload).map_err(|error| not_loaded(&args.engine.model, &error));
        Ok((found?, draft))
    })?;
    let Rates { prefill, decode, bytes_per_token, memory } = found;
    let output = Output {
        model: &args.engine.model,
        isa: isa.name(),
        threads,
        kv: args.engine.kv().name(),
        prompt: args.prompt,
        tokens: args.tokens,
        depth: args.depth,
        prefill: median(prefill),
        decode: median(decode),
        bytes_per_token,
        memory,
        draft,
    };
    if args.json {
        print(&json(&output));
    } else {
        print(&line(&output));
        output.draft.iter().for_each(|draft| print(&draft.line()));
    }
    Ok(())
}

/// Answers with the draft model and without.
fn answers(
    args: &Args,
    file: &ModelFile,
    small: &ModelFile,
    engine: Engine<'_>,
) -> Result<draft::Output, Failure> {
    let failed = |error| not_loaded(&args.engine.model, &error);
    let tokens = args.tokens.max(2);
    let load = || Local::load(file, context(tokens), args.engine.kv()).map_err(failed);
    let (mut plain, mut with) = (load()?, load()?);
    args.draft.give(&mut with, Some(small))?;
    args.draft.measure([&mut plain, &mut with], engine, (tokens, args.rounds.into())).map_err(failed)
}

fn line(output: &Output<'_>) -> String {
    let rate = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}"));
    let share = output.memory_share().map(|share| format!(", {:.0} % of memory's speed", share * 100.0));
    let depth = if output.depth > 0 { format!("  behind {} tokens", output.depth) } else { String::new() };
    format!(
        "{}  {} threads  KV {}{depth}  prompt of {}: {} tokens a second  decode of {}: {} tokens a second{}",
        output.isa,
        output.threads,
        output.kv,
        output.prompt,
        rate(output.prefill),
        output.tokens,
        rate(output.decode),
        share.unwrap_or_default()
    )
}

/// The middle of some numbers.
pub(crate) fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}
