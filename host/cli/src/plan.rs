//! `vial plan`: what an appliance's memory is for.

use serde::Serialize;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use vial_abi::call::REPORT_OUT_BYTES;
use vial_abi::memory::{PAGE, round_up};
use vial_image::{ModelShape, SealedImage};
use vial_plan::{Demand, Keeping, Memory, Plan, RESERVE_BYTES, Streaming, Weighed};
use vial_weights::header::Part;
use vial_weights::tree::leaves;

use crate::failure::Failure;
use crate::key;
use crate::kv::KvArg;
use crate::shape::{check, size};
use crate::terminal::{json, print};

/// Show what an appliance's memory is for, or the least that would do.
///
/// The engine keeps to the same plan. Where weights do not fit they are streamed: every pass reads and checks them again, and
/// all live requests share it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A GGUF file or an image.
    model: PathBuf,
    /// A smaller GGUF model that would draft for it; an image brings its own.
    #[arg(long, value_name = "GGUF")]
    draft: Option<PathBuf>,
    /// The key of an image whose weights are encrypted, to read their header.
    #[arg(long, value_name = "KEY")]
    key: Option<PathBuf>,
    /// Memory: bytes, or with K, M or G.
    #[arg(long, default_value = "512M", value_parser = size)]
    memory: u64,
    /// Cpus.
    #[arg(long, default_value_t = 2)]
    cpus: u32,
    /// How keys and values are kept.
    #[arg(long, default_value = "f16", value_enum)]
    kv: KvArg,
    /// Most tokens of prompt and answer together; an image's policy or 8192 if not given, at most what the model knows.
    #[arg(long, value_parser = clap::value_parser!(u32).range(64..))]
    context: Option<u32>,
    /// Most requests at once; an image's policy or 8 if not given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=64))]
    streams: Option<u32>,
    /// Bytes that the disk gives each second.
    #[arg(long, default_value = "1G", value_parser = size, value_name = "BYTES")]
    disk_rate: u64,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

/// What is planned for.
struct Subject {
    model: ModelShape,
    draft: Option<ModelShape>,
    blobs_bytes: u64,
    streams: u32,
    context: u32,
}

/// A plan, as printed.
#[derive(Serialize)]
struct Shown {
    memory_bytes: u64,
    cpus: u32,
    /// What the engine has of it.
    heap_bytes: u64,
    /// Bytes of the model's file.
    weights_bytes: u64,
    /// Bytes of the draft model's file; 0 for none.
    draft_weights_bytes: u64,
    /// Whether passes read weights again.
    is_streamed: bool,
    /// Most bytes that are required at once where weights are streamed.
    at_once_bytes: u64,
    /// The longest piece of a tensor that is, in whole leaves.
    longest_piece_bytes: u64,
    /// Memory for what is required at once.
    window_bytes: u64,
    /// Weights that stay in memory.
    resident_bytes: u64,
    /// Experts of each layer where weights are streamed, and how many of them stay until others are chosen; 0 for none.
    experts: u64,
    resident_experts: u64,
    kv: &'static str,
    kv_bytes: u64,
    kv_pages: usize,
    context: usize,
    streams: usize,
    /// Rows of a pass, and what it computes.
    rows: usize,
    activation_bytes: u64,
    reserve_bytes: u64,
    /// Bytes of the heap that are in use at most.
    used_bytes: u64,
    /// Bytes that a pass of one token reads, and of them those of experts, if all are chosen as often.
    pass_bytes: u64,
    expert_bytes: u64,
    disk_bytes_per_second: u64,
    /// What the disk allows; `null` where nothing is read.
    tokens_per_second: Option<f64>,
    tokens_per_second_of_all_streams: Option<f64>,
    /// The least memory that would do, and that holds all weights; `null` if no appliance has so much.
    least_memory_bytes: Option<u64>,
    whole_memory_bytes: Option<u64>,
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    check(args.memory, args.cpus)?;
    let subject = Subject::of(args)?;
    let memory = Memory { bytes: args.memory, cpus: args.cpus, blobs_bytes: subject.blobs_bytes };
    let size = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
    let demand = Demand {
        model: weighed(&subject.model),
        draft: subject.draft.as_ref().map(weighed),
        streams: size(subject.streams),
        context: size(subject.context),
        kv: args.kv.into(),
    };
    let hint = "give more --memory, or lower --context or --streams";
    let plan = demand.plan(memory).map_err(|refusal| Failure::new(refusal.to_string(), hint))?;
    let shown = Shown::of(args, &demand, memory, &plan);
    if args.json {
        print(&json(&shown));
    } else {
        shown.lines().iter().for_each(|line| print(line));
    }
    Ok(())
}

fn weighed(shape: &ModelShape) -> Weighed<'_> {
    Weighed { model: &shape.transformer, bytes: shape.bytes }
}

impl Subject {
    fn of(args: &Args) -> Result<Self, Failure> {
        let subject = if is_gguf(&args.model) { Self::of_models(args)? } else { Self::of_image(args)? };
        let streams = args.streams.unwrap_or(subject.streams);
        Ok(Self { streams, context: args.context.unwrap_or(subject.context), ..subject })
    }

    /// As `vial build` would seal them, with a bundle that takes no more than a page.
    fn of_models(args: &Args) -> Result<Self, Failure> {
        let model = ModelShape::open(&args.model)?;
        let draft = args.draft.as_deref().map(ModelShape::open).transpose()?;
        let tree = |shape: &ModelShape| leaves(shape.bytes) * 32;
        let trees = [tree(&model), draft.as_ref().map_or(0, tree)];
        let blobs_bytes = blobs([PAGE, PAGE].into_iter().chain(trees));
        Ok(Self { model, draft, blobs_bytes, streams: 8, context: 8192 })
    }

    fn of_image(args: &Args) -> Result<Self, Failure> {
        let image = SealedImage::open(&args.model)?;
        if args.draft.is_some() {
            let text = "--draft: found it beside an image, expected it beside a GGUF file";
            return Err(Failure::new(text, "an image has the draft model that it was built with"));
        }
        let key = args.key.as_deref().map(key::read_weights).transpose()?;
        let (model, draft) = image.models(key.as_ref())?;
        let parts = [Part::Manifest, Part::Bundle, Part::Tree, Part::DraftTree, Part::Tags, Part::DraftTags];
        let blobs_bytes = blobs(parts.into_iter().map(|part| image.place(part).bytes));
        let policy = image.manifest().policy;
        Ok(Self { model, draft, blobs_bytes, streams: policy.max_streams, context: policy.max_context })
    }
}

/// Bytes that firmware leaves to the engine: these, an event log and a report, each in pages of its own.
fn blobs(parts: impl Iterator<Item = u64>) -> u64 {
    let pages = |bytes| round_up(bytes, PAGE);
    parts.map(pages).sum::<u64>() + PAGE + pages(REPORT_OUT_BYTES as u64)
}

fn is_gguf(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && &magic == b"GGUF"
}

impl Shown {
    fn of(args: &Args, demand: &Demand<'_>, memory: Memory, plan: &Plan) -> Self {
        let streaming = match &plan.keeping {
            Keeping::Whole => None,
            Keeping::Streamed(streaming) => Some(streaming),
        };
        let of = |value: fn(&Streaming) -> u64| streaming.map_or(0, value);
        let pass_bytes = of(Streaming::token_bytes);
        let room = streaming.map(|streaming| streaming.experts().clone()).unwrap_or_default();
        let expert_bytes = pass_bytes - of(Streaming::pass_bytes);
        let rate = (pass_bytes > 0).then(|| args.disk_rate as f64 / pass_bytes as f64);
        Self {
            memory_bytes: args.memory,
            cpus: args.cpus,
            heap_bytes: plan.heap_bytes,
            weights_bytes: demand.model.bytes,
            draft_weights_bytes: demand.draft.map_or(0, |draft| draft.bytes),
            is_streamed: streaming.is_some(),
            at_once_bytes: of(Streaming::most),
            longest_piece_bytes: of(Streaming::longest),
            window_bytes: streaming.map_or(0, |streaming| Streaming::set_bytes(streaming.most())),
            resident_bytes: plan.whole_bytes + of(Streaming::staying_bytes) + room.bytes(),
            experts: room.layers().first().map_or(0, |layer| layer.experts),
            resident_experts: room.each(),
            kv: plan.cache.kind.name(),
            kv_bytes: plan.cache_bytes(),
            kv_pages: plan.cache.pages,
            context: plan.cache.context,
            streams: plan.cache.streams,
            rows: plan.rows,
            activation_bytes: plan.activation_bytes,
            reserve_bytes: RESERVE_BYTES,
            used_bytes: plan.used_bytes(),
            pass_bytes,
            expert_bytes,
            disk_bytes_per_second: args.disk_rate,
            tokens_per_second: rate,
            tokens_per_second_of_all_streams: rate.map(|rate| rate * plan.cache.streams as f64),
            least_memory_bytes: demand.least_memory(memory),
            whole_memory_bytes: demand.least_whole_memory(memory),
        }
    }

    fn lines(&self) -> Vec<String> {
        let Self { context, streams, kv, kv_pages, rows, .. } = self;
        let draft = if self.draft_weights_bytes > 0 { ", the draft model's with them" } else { "" };
        let mut lines = vec![
            format!("memory          {:>10}  {} cpus", mib(self.memory_bytes), self.cpus),
            format!(
                "for the engine  {:>10}  of which at most {} are used",
                mib(self.heap_bytes),
                mib(self.used_bytes)
            ),
            format!(
                "  weights       {:>10}  stay, of {}{draft}",
                mib(self.resident_bytes),
                mib(self.weights_bytes)
            ),
            format!(
                "  window        {:>10}  for {} at once; the longest piece of a tensor is {}",
                mib(self.window_bytes),
                mib(self.at_once_bytes),
                mib(self.longest_piece_bytes)
            ),
            format!(
                "  KV cache      {:>10}  {kv}, {kv_pages} pages of 64 tokens; at most {context} tokens each for {streams} at once",
                mib(self.kv_bytes)
            ),
            format!("  activations   {:>10}  {rows} rows of a pass, and logits", mib(self.activation_bytes)),
            format!("  reserve       {:>10}  network, tokenizer, requests", mib(self.reserve_bytes)),
        ];
        if !self.is_streamed {
            lines.retain(|line| !line.starts_with("  window"));
        }
        lines.push(format!("each pass reads {:>10}{}", mib(self.pass_bytes), self.experts()));
        lines.extend(self.rate());
        lines.extend(self.least_memory_bytes.map(|bytes| format!("least memory    {:>10}", mib(bytes))));
        lines.extend(
            self.whole_memory_bytes.map(|bytes| format!("all in memory   {:>10}  and more", mib(bytes))),
        );
        lines
    }

    fn experts(&self) -> String {
        let of = || {
            let (bytes, stay, all) = (mib(self.expert_bytes), self.resident_experts, self.experts);
            format!(
                "  with one token; {bytes} of it experts, if all are chosen as often: {stay} of {all} a layer stay"
            )
        };
        if self.experts > 0 { of() } else { String::new() }
    }

    /// What the disk allows.
    fn rate(&self) -> Option<String> {
        let (one, all) = self.tokens_per_second.zip(self.tokens_per_second_of_all_streams)?;
        let disk = mib(self.disk_bytes_per_second);
        let by = format!("from a disk of {disk} a second, if cpus keep up");
        let (streams, all) = (self.streams, format!("{all:.2}"));
        Some(format!("tokens a second {one:>10.2}  for one request and {all} for {streams} at once, {by}"))
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
