//! Many streams at once: tokens per second of one and of several, the gaps between a stream's tokens while others join, and
//! what drafts give on a text that repeats itself. Figures are JSON; the other output tells the rest.
//!
//! `streams MODEL [THREADS] [STREAMS] [PROMPT] [TOKENS] [ISA]`; without streams only drafts are measured.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "prints what it measures")]

use anyhow::Context as _;
use core::time::Duration;
use serde_json::json;
use std::path::Path;
use std::time::Instant;
use vial_local::{ModelFile, Workload, rates, with_team};
use vial_model::generate::{Batcher, Event, Limits, Request, RequestId, Vocabulary};
use vial_model::gguf::Gguf;
use vial_model::kv::{KvCache, KvKind, KvPlan, KvWish};
use vial_model::sample::{Random, Sampling};
use vial_model::transformer::{Engine, Pass, Transformer};
use vial_model::weights::Resident;
use vial_tensor::Isa;

/// No text, no end.
struct Nothing;

impl Vocabulary for Nothing {
    fn append_bytes(&self, _token: u32, _out: &mut Vec<u8>) {}

    fn is_end(&self, _token: u32) -> bool {
        false
    }
}

struct Bench<'a> {
    file: &'a ModelFile,
    engine: Engine<'a>,
    batcher: Batcher<Nothing>,
    vocabulary: u64,
    random: Random,
    /// When each token came.
    told: Vec<(RequestId, Instant)>,
}

impl<'a> Bench<'a> {
    fn new(file: &'a ModelFile, engine: Engine<'a>, streams: usize, drafts: usize) -> anyhow::Result<Self> {
        let gguf = Gguf::parse(file.bytes(), file.bytes().len() as u64)?;
        let model = Transformer::from_gguf(&gguf)?;
        let wish = KvWish { streams, context: 2048, budget_bytes: u64::MAX };
        let plan = KvPlan::new(&model.config, wish)?;
        let (cache, pass) = (KvCache::new(&model.config, plan), Pass::new(&model, 128));
        let vocabulary = model.config.vocabulary as u64;
        let limits = Limits { streams, waiting: 2 * streams, kept_pages: 0, drafts };
        let batcher = Batcher::new(model, Nothing, cache, pass, limits);
        Ok(Self { file, engine, batcher, vocabulary, random: Random::from_seed(1), told: Vec::new() })
    }

    fn prompt(&mut self, length: usize) -> Vec<u32> {
        let token = |random: &mut Random| u32::try_from(random.next_u64() % self.vocabulary).unwrap_or(0);
        (0..length).map(|_| token(&mut self.random)).collect()
    }

    fn step(&mut self) -> anyhow::Result<usize> {
        let started = Instant::now();
        let events = self.batcher.step(&mut Resident::new(self.file.bytes()), self.engine);
        let now = Instant::now();
        self.batcher.note_pass(u64::try_from((now - started).as_nanos())?);
        let mut tokens = 0;
        for event in events {
            match event {
                Event::Token { id, .. } => {
                    self.told.push((id, now));
                    tokens += 1;
                }
                Event::Failed { error, .. } => return Err(error.into()),
                Event::Done { .. } | Event::Embedded { .. } => {}
            }
        }
        Ok(tokens)
    }

    /// Tokens per second of `streams` that decode together, once all do.
    fn together(&mut self, streams: usize, prompt: usize, tokens: usize) -> anyhow::Result<f64> {
        for client in 0..streams as u64 {
            let prompt = self.prompt(prompt);
            self.batcher.submit(Request { prompt, max_tokens: tokens + 64, client, ..Request::default() })?;
        }
        while self.told.len() < streams {
            self.step()?;
        }
        let (started, mut count) = (Instant::now(), 0);
        while count < streams * tokens {
            count += self.step()?;
        }
        let rate = count as f64 / started.elapsed().as_secs_f64();
        while !self.batcher.is_idle() {
            self.step()?;
        }
        self.told.clear();
        Ok(rate)
    }

    /// Gaps between the tokens of streams while one after the other joins with a prompt: median and longest.
    fn gaps(&mut self, streams: usize, prompt: usize, tokens: usize) -> anyhow::Result<(Duration, Duration)> {
        let mut ids = Vec::new();
        for client in 0..streams as u64 {
            let prompt = self.prompt(prompt);
            let request = Request { prompt, max_tokens: tokens * streams, client, ..Request::default() };
            ids.push(self.batcher.submit(request)?);
            let wanted = self.told.len() + tokens * ids.len();
            while self.told.len() < wanted {
                self.step()?;
            }
        }
        let mut gaps = Vec::new();
        for id in ids {
            let times: Vec<Instant> =
                self.told.iter().filter(|told| told.0 == id).map(|told| told.1).collect();
            gaps.extend(times.windows(2).map(|pair| pair[1] - pair[0]));
            self.batcher.cancel(id);
        }
        gaps.sort();
        let longest = gaps.last().copied().context("gaps")?;
        eprintln!("  gaps of 99 %: {:.1?}", gaps[gaps.len() * 99 / 100]);
        self.told.clear();
        Ok((gaps[gaps.len() / 2], longest))
    }

    /// Seconds for an answer of `tokens`, and its passes. A bonus on tokens already said makes any model repeat itself; with
    /// chance in it the answer does not.
    fn answer(&mut self, repeats: bool, tokens: usize) -> anyhow::Result<(f64, usize)> {
        let prompt = self.prompt(64);
        let bonus = Sampling { frequency_penalty: -2.0, ..Sampling::default() };
        let chance = Sampling { temperature: 1.0, ..Sampling::default() };
        let sampling = if repeats { bonus } else { chance };
        self.batcher.submit(Request { prompt, max_tokens: tokens, sampling, ..Request::default() })?;
        while self.told.is_empty() {
            self.step()?;
        }
        let (started, mut passes) = (Instant::now(), 0);
        while !self.batcher.is_idle() {
            self.step()?;
            passes += 1;
        }
        self.told.clear();
        Ok((started.elapsed().as_secs_f64(), passes))
    }
}

/// What a pass costs by its rows, the fastest of several.
fn costs(file: &ModelFile, engine: Engine<'_>) -> anyhow::Result<()> {
    for rows in [1, 2, 4, 8, 9, 16, 32, 64, 128] {
        let workload =
            Workload { prompt: rows.max(4), tokens: 0, depth: 0, rounds: 7, rows, kv: KvKind::F16 };
        let fastest = rates(file, engine, workload)?.prefill.into_iter().fold(0.0, f64::max);
        eprintln!("{rows} rows: {:.1} ms", 1000.0 * rows as f64 / fastest);
    }
    Ok(())
}

type Figures = serde_json::Map<String, serde_json::Value>;

/// One stream and several, and the gaps of these.
fn together(
    file: &ModelFile,
    engine: Engine<'_>,
    [streams, prompt, tokens]: [usize; 3],
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let mut bench = Bench::new(file, engine, streams, 0)?;
    let one = bench.together(1, prompt, tokens)?;
    let many = bench.together(streams, prompt, tokens)?;
    eprintln!("tokens per second: {one:.2} of one, {many:.2} of {streams}, ratio {:.2}", many / one);
    let (median, longest) = bench.gaps(streams, prompt, tokens)?;
    let ratio = longest.as_secs_f64() / median.as_secs_f64();
    eprintln!("gaps: median {median:.1?}, longest {longest:.1?}, ratio {ratio:.2}");
    for (name, figure) in [("one", one), ("many", many), ("gap", ratio)] {
        figures.insert(name.to_owned(), json!(figure));
    }
    Ok(())
}

/// Drafts by prompt lookup.
fn drafts(file: &ModelFile, engine: Engine<'_>, tokens: usize, figures: &mut Figures) -> anyhow::Result<()> {
    for (name, repeats) in [("repeats itself", true), ("by chance", false)] {
        let (plain, _) = Bench::new(file, engine, 1, 0)?.answer(repeats, 4 * tokens)?;
        let (drafted, passes) = Bench::new(file, engine, 1, 7)?.answer(repeats, 4 * tokens)?;
        let ratio = plain / drafted;
        eprintln!("drafts, {name}: {plain:.2} s plain, {drafted:.2} s in {passes} passes, ratio {ratio:.2}");
        figures.insert(name.to_owned(), json!(ratio));
    }
    Ok(())
}

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let path = args.next().context("streams MODEL [THREADS] [STREAMS] [PROMPT] [TOKENS] [ISA]")?;
    let mut number = |default| args.next().map_or(Ok(default), |arg| arg.parse::<usize>());
    let (threads, streams, prompt, tokens) = (number(2)?, number(8)?, number(128)?, number(32)?);
    let isa = match args.next() {
        None => Isa::detect(),
        Some(name) => {
            let named = Isa::supported().find(|isa| isa.name() == name);
            named.with_context(|| format!("ISA is {name}, which this processor has not"))?
        }
    };
    let file = ModelFile::read(Path::new(&path), &mut |_, _| ())?;
    with_team(threads, |team| {
        let engine = Engine { team, isa };
        let mut figures = serde_json::Map::new();
        if streams > 0 {
            costs(&file, engine)?;
            together(&file, engine, [streams, prompt, tokens], &mut figures)?;
        }
        drafts(&file, engine, tokens, &mut figures)?;
        println!("{}", serde_json::Value::from(figures));
        Ok(())
    })
}
