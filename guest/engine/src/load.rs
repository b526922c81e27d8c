//! The model out of checked bytes, and its share of the memory.

use alloc::format;
use alloc::string::String;
use vial_abi::launch_page::Kv;
use vial_abi::memory::heap;
use vial_abi::{ExitCode, Handoff};
use vial_agent::Agent;
use vial_grammar::tools::CallFormat;
use vial_model::generate::{Batcher, Limits, Pooling};
use vial_model::gguf::{Gguf, GgufError, limit};
use vial_model::kv::{KvCache, KvKind, KvPlan, KvWish};
use vial_model::template::Template;
use vial_model::tokenizer::Tokenizer;
use vial_model::transformer::{Pass, Transformer};
use vial_model::weights::Weights as _;
use vial_weights::Manifest;

use crate::Stop;
use crate::arriving::Arriving;
use crate::beginning::beginning;

/// Memory for the network, the tokenizer and requests.
const RESERVE_BYTES: u64 = 40 << 20;
/// Rows of a pass: as many as prefill well.
const ROWS: usize = 128;
/// Drafted tokens of a pass: with the one before them as many rows as decoding kernels take.
const DRAFTS: usize = 7;
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
}

/// Loads the model; needs the file's header only, not its weights.
///
/// # Errors
/// What is not understood, or the arithmetic of what does not fit.
pub fn load(
    weights: &mut Arriving,
    handoff: &Handoff,
    manifest: &Manifest,
    bundle: &[u8],
) -> Result<Loaded, Stop> {
    let agent = Agent::from_bundle(bundle).map_err(|error| Stop::of(ExitCode::BundleForm, &error))?;
    let mut wanted = HEADER_BYTES;
    loop {
        let end = wanted.min(manifest.weights.bytes);
        weights.require(0..end).map_err(|error| Stop::of(ExitCode::ModelForm, &error))?;
        let header = weights.bytes(0..end);
        match Gguf::parse(header, manifest.weights.bytes) {
            Ok(gguf) => return of_header(&gguf, handoff, manifest, agent),
            Err(GgufError::NeedMore { .. }) if end < manifest.weights.bytes.min(limit::HEADER_BYTES) => {
                wanted *= 2
            }
            Err(error) => return Err(Stop::of(ExitCode::ModelForm, &error)),
        }
    }
}

fn of_header(gguf: &Gguf<'_>, handoff: &Handoff, manifest: &Manifest, agent: Agent) -> Result<Loaded, Stop> {
    let unsupported = |error: &dyn core::fmt::Display| Stop::of(ExitCode::ModelUnsupported, error);
    let model = Transformer::from_gguf(gguf).map_err(|error| unsupported(&error))?;
    let mut tokenizer = Tokenizer::from_gguf(gguf).map_err(|error| unsupported(&error))?;
    let calls = gguf.str("tokenizer.chat_template").and_then(CallFormat::detect);
    if let Some(calls) = calls {
        tokenizer.show(&calls.texts());
    }
    let template = gguf.str("tokenizer.chat_template").map(Template::parse).transpose();
    let template = template.map_err(|error| unsupported(&error))?;
    let plan = plan(&model, handoff, manifest)?;
    let cache = KvCache::new(&model.config, plan);
    let pass = Pass::new(&model, ROWS);
    let streams = usize::try_from(manifest.policy.max_streams).unwrap_or(1);
    let marks = tokenizer.marks();
    let limits = Limits { streams, waiting: 2 * streams, kept_pages: plan.pages / 2, drafts: DRAFTS };
    let beginning = beginning(&agent, &tokenizer, template.as_ref());
    let width = model.config.width;
    let mut batcher = Batcher::new(model, tokenizer, cache, pass, limits);
    batcher.set_public_prefix(beginning);
    Ok(Loaded {
        batcher,
        template,
        calls,
        marks,
        agent,
        name: manifest.model.clone(),
        width,
        pooling: pooling(gguf),
        kv: plan,
    })
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

/// What is left for the cache when everything else has its memory.
fn plan(model: &Transformer, handoff: &Handoff, manifest: &Manifest) -> Result<KvPlan, Stop> {
    let launch = &handoff.launch;
    let all: u64 =
        heap(launch.memory_bytes, launch.cpus, handoff.blobs_bytes).iter().map(|region| region.len).sum();
    let streams = manifest.policy.max_streams;
    let logits = 4 * model.config.vocabulary as u64 * (u64::from(streams) + DRAFTS as u64);
    let (weights, activations) = (manifest.weights.bytes, Pass::bytes(model, ROWS) + logits);
    let taken = weights + activations + RESERVE_BYTES;
    let Some(budget_bytes) = all.checked_sub(taken) else {
        let line = format!(
            "memory: found {all} bytes of heap, expected at least {weights} of weights + {activations} of activations + \
             {RESERVE_BYTES} of reserve = {taken}: start with more --memory"
        );
        return Err(Stop { code: ExitCode::ModelMemory, line });
    };
    let size = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
    let wish = KvWish { streams: size(streams), context: size(manifest.policy.max_context), budget_bytes };
    let plan = |kind| KvPlan::of_kind(&model.config, wish, kind);
    plan(kind(launch.kv)).map_err(|error| {
        let hint = if plan(KvKind::Q8_0).is_ok() { ", or start with --kv q8_0" } else { "" };
        Stop { code: ExitCode::ModelMemory, line: format!("{error}{hint}") }
    })
}

fn kind(kv: Kv) -> KvKind {
    match kv {
        Kv::F16 => KvKind::F16,
        Kv::Q8_0 => KvKind::Q8_0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vial_abi::LaunchPage;
    use vial_abi::launch_page::{Machine, Measure, Tee};
    use vial_abi::memory::Region;
    use vial_weights::manifest::Policy;

    /// An appliance of `memory_bytes` that keeps keys and values so.
    fn handoff(memory_bytes: u64, kv: Kv) -> Handoff {
        let (tee, machine, measure) = (Tee::Simulated, Machine::Vial, Measure::Nodes);
        let blob = Region { pa: 0, len: 0 };
        Handoff {
            launch: LaunchPage { manifest_digest: [1; 48], memory_bytes, cpus: 1, tee, machine, measure, kv },
            weights_root: [2; 32],
            event_log_head: [3; 48],
            manifest: blob,
            event_log: blob,
            bundle: blob,
            tree: blob,
            boot_report: blob,
            blobs_bytes: 4096,
            weights_disk_offset: 0,
            weights_bytes: 1,
            leaf_bytes: 131_072,
            tsc_khz: 1,
            unix_ns: 0,
            unix_tsc: 0,
        }
    }

    /// A model of heads of 64 numbers: a page takes 2 x 2 layers x 2 heads x 64 tokens of them.
    fn model() -> Transformer {
        let file = vial_model::tiny::llama(1);
        let mut model = Transformer::from_gguf(&Gguf::parse(&file, file.len() as u64).unwrap()).unwrap();
        model.config.head_dim = 64;
        model
    }

    /// The cache of one sequence of 128 tokens where weights leave that many bytes.
    fn cache(left: u64, kv: Kv) -> Result<KvPlan, Stop> {
        let (model, handoff) = (model(), handoff(512 << 20, kv));
        let all: u64 = heap(512 << 20, 1, handoff.blobs_bytes).iter().map(|region| region.len).sum();
        let logits = 4 * model.config.vocabulary as u64 * (1 + DRAFTS as u64);
        let bytes = all - Pass::bytes(&model, ROWS) - logits - RESERVE_BYTES - left;
        let manifest = Manifest {
            firmware: [1; 48],
            kernel: [2; 48],
            engine: [3; 48],
            bundle: [4; 48],
            model: String::new(),
            architecture: String::new(),
            weights: vial_weights::manifest::Weights { root: [5; 32], sha256: [6; 32], bytes },
            policy: Policy { max_streams: 1, max_context: 128 },
            publisher: None,
        };
        plan(&model, &handoff, &manifest)
    }

    const F16_PAGE: u64 = 2 * 2 * 2 * 64 * 128;
    const Q8_0_PAGE: u64 = 2 * 2 * 2 * 64 * 68;

    #[test]
    fn the_cache_is_of_the_kind_that_the_launch_page_says() {
        let of = |kv| cache(1 << 20, kv).map(|plan| (plan.kind, plan.pages, plan.page_bytes));
        assert_eq!(of(Kv::F16), Ok((KvKind::F16, 2, F16_PAGE)));
        assert_eq!(of(Kv::Q8_0), Ok((KvKind::Q8_0, 2, Q8_0_PAGE)));
    }

    #[test]
    fn a_cache_without_room_is_refused_and_integers_are_named_where_they_fit() {
        let line = |left, kv| cache(left, kv).unwrap_err().line;
        let fits = line(2 * Q8_0_PAGE, Kv::F16);
        assert!(fits.ends_with("give 61440 more bytes, or start with --kv q8_0"), "{fits}");
        cache(2 * Q8_0_PAGE, Kv::Q8_0).unwrap();
        for kv in [Kv::F16, Kv::Q8_0] {
            let none = line(2 * Q8_0_PAGE - 1, kv);
            assert!(none.contains("69631 are left") && none.ends_with("more bytes"), "{none}");
        }
    }
}
