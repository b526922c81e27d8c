//! Both models out of checked bytes.

use alloc::format;
use alloc::string::String;
use vial_abi::{ExitCode, Handoff};
use vial_agent::Agent;
use vial_grammar::tools::CallFormat;
use vial_model::generate::{Batcher, Drafter, Limits, Pooling};
use vial_model::gguf::{Gguf, GgufError, limit};
use vial_model::kv::{KvCache, KvPlan};
use vial_model::template::Template;
use vial_model::tokenizer::Tokenizer;
use vial_model::transformer::{Pass, Transformer};
use vial_plan::{DRAFTS, Keeping, Plan};
use vial_weights::Manifest;

use crate::Stop;
use crate::arriving::{Arriving, File};
use crate::beginning::beginning;
use crate::room::plan;

/// First part of the header that is read.
const HEADER_BYTES: u64 = 1 << 20;

/// A model ready to answer.
#[derive(Debug)]
pub struct Loaded {
    /// Generates.
    pub batcher: Batcher<Tokenizer>,
    /// The file's chat template, if it has one.
    pub template: Option<Template>,
    /// How its family writes calls, as far as the template tells.
    pub calls: Option<&'static CallFormat>,
    /// Beginning and end token as text.
    pub marks: (String, String),
    /// The agent of the bundle.
    pub agent: Agent,
    /// The model's name.
    pub name: String,
    /// Elements of its states.
    pub width: usize,
    /// How its states become one vector where a request does not say.
    pub pooling: Pooling,
    /// How much cache it has, and of which kind.
    pub kv: KvPlan,
    /// Most bytes of memory that it may take, weights and requests with it.
    pub planned_bytes: u64,
}

/// What the files' headers say, before caches take their memory.
#[derive(Debug)]
pub struct Headers {
    model: Transformer,
    draft: Option<Transformer>,
    tokenizer: Tokenizer,
    template: Option<Template>,
    calls: Option<&'static CallFormat>,
    agent: Agent,
    name: String,
    pooling: Pooling,
    streams: usize,
    plan: Plan,
}

/// Reads the headers of the model, and of its draft model if it has one.
///
/// # Errors
/// What is not understood, or the arithmetic of what does not fit.
pub fn read(
    weights: &mut Arriving,
    handoff: &Handoff,
    manifest: &Manifest,
    bundle: &[u8],
) -> Result<Headers, Stop> {
    let agent = Agent::from_bundle(bundle).map_err(|error| Stop::of(ExitCode::BundleForm, &error))?;
    let draft = match &manifest.draft {
        Some(draft) => Some(header(weights, (File::Draft, draft.weights.bytes), transformer)?),
        None => None,
    };
    let file = (File::Model, manifest.weights.bytes);
    header(weights, file, |gguf| of_header(gguf, draft, handoff, manifest, agent))
}

/// Reads as much of a file's start as its header needs, and gives what `read` makes of it.
fn header<T>(
    weights: &mut Arriving,
    (file, bytes): (File, u64),
    read: impl FnOnce(&Gguf<'_>) -> Result<T, Stop>,
) -> Result<T, Stop> {
    let mut wanted = HEADER_BYTES;
    loop {
        let end = wanted.min(bytes);
        // A failure says more than its error: of which file it is.
        let required = weights.require_of(file, 0..end);
        let told = |error| match weights.failure() {
            Some(failure) => Stop::of(ExitCode::ModelForm, failure),
            None => Stop::of(ExitCode::ModelForm, &error),
        };
        required.map_err(told)?;
        match Gguf::parse(weights.bytes_of(file, 0..end), bytes) {
            Ok(gguf) => return read(&gguf),
            Err(GgufError::NeedMore { .. }) if end < bytes.min(limit::HEADER_BYTES) => wanted *= 2,
            Err(error) => return Err(Stop::of(ExitCode::ModelForm, &error)),
        }
    }
}

fn unsupported(error: &dyn core::fmt::Display) -> Stop {
    Stop::of(ExitCode::ModelUnsupported, error)
}

fn transformer(gguf: &Gguf<'_>) -> Result<Transformer, Stop> {
    Transformer::from_gguf(gguf).map_err(|error| unsupported(&error))
}

fn of_header(
    gguf: &Gguf<'_>,
    draft: Option<Transformer>,
    handoff: &Handoff,
    manifest: &Manifest,
    agent: Agent,
) -> Result<Headers, Stop> {
    let model = transformer(gguf)?;
    let mut tokenizer = Tokenizer::from_gguf(gguf).map_err(|error| unsupported(&error))?;
    let calls = gguf.str("tokenizer.chat_template").and_then(CallFormat::detect);
    if let Some(calls) = calls {
        tokenizer.show(&calls.texts());
    }
    let template = gguf.str("tokenizer.chat_template").map(Template::parse).transpose();
    let template = template.map_err(|error| unsupported(&error))?;
    let plan = plan(&model, draft.as_ref(), handoff, manifest)?;
    Ok(Headers {
        model,
        draft,
        tokenizer,
        template,
        calls,
        agent,
        name: manifest.model.clone(),
        pooling: pooling(gguf),
        streams: usize::try_from(manifest.policy.max_streams).unwrap_or(1),
        plan,
    })
}

impl Headers {
    /// How weights are to be kept. They take their memory first: it is the largest piece.
    #[must_use]
    pub fn keeping(&self) -> &Keeping {
        &self.plan.keeping
    }

    /// The model with its caches.
    #[must_use]
    pub fn load(self) -> Loaded {
        let Self { model, tokenizer, template, agent, streams, plan, .. } = self;
        let (cache, pass) = (KvCache::new(&model.config, plan.cache), Pass::new(&model, plan.rows));
        let (marks, planned_bytes) = (tokenizer.marks(), plan.used_bytes());
        let kept_pages = plan.cache.pages / 2;
        let limits = Limits { streams, waiting: 2 * streams, kept_pages, drafts: DRAFTS };
        let beginning = beginning(&agent, &tokenizer, template.as_ref());
        let width = model.config.width;
        let mut batcher = Batcher::new(model, tokenizer, cache, pass, limits);
        batcher.set_public_prefix(beginning);
        if let Some((draft, cache)) = self.draft.zip(plan.draft_cache) {
            batcher.set_drafter(drafter(draft, cache, plan.rows));
        }
        let Self { calls, name, pooling, .. } = self;
        Loaded { batcher, template, calls, marks, agent, name, width, pooling, kv: plan.cache, planned_bytes }
    }
}

fn drafter(draft: Transformer, cache: KvPlan, rows: usize) -> Drafter {
    let (cache, pass) = (KvCache::new(&draft.config, cache), Pass::new(&draft, rows));
    Drafter::new(draft, cache, pass)
}

/// What the file says of pooling; the mean where it says nothing, or what is not known here.
/// Spec: llama.cpp `llama_pooling_type`.
fn pooling(gguf: &Gguf<'_>) -> Pooling {
    let key = format!("{}.pooling_type", gguf.str("general.architecture").unwrap_or_default());
    match gguf.u64(&key) {
        Some(3) => Pooling::Last,
        _ => Pooling::Mean,
    }
}
