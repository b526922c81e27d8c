//! What caches and weights get of the memory.

use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;
use vial_abi::launch_page::Kv;
use vial_abi::memory::heap;
use vial_abi::{ExitCode, Handoff};
use vial_model::kv::{KvError, KvKind, KvPlan, KvWish};
use vial_model::transformer::{Pass, Transformer};
use vial_weights::Manifest;

use crate::Stop;
use crate::streamed::Room;

/// Memory for the network, the tokenizer and requests.
const RESERVE_BYTES: u64 = 40 << 20;
/// Rows of a pass: as many as prefill well.
pub(crate) const ROWS: usize = 128;
/// Drafted tokens of a pass: with the one before them as many rows as decoding kernels take.
pub(crate) const DRAFTS: usize = 7;

/// Most bytes of weights that are required at once where they are streamed: large enough for cpus to share, small enough to
/// stay in cache between hashing and use.
const AT_ONCE: u64 = 4 << 20;

/// How weights are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// All in memory.
    Whole,
    /// The draft model in memory, the model read anew in every pass.
    Streamed {
        /// What of the memory weights get.
        room: Room,
        /// What passes require in turn.
        order: Vec<Range<u64>>,
    },
}

/// A cache for each model, and how weights are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plans {
    pub(crate) model: KvPlan,
    pub(crate) draft: Option<KvPlan>,
    pub(crate) keeping: Keeping,
}

/// What memory there is, and what is taken whatever happens to weights.
struct Account<'a> {
    model: &'a Transformer,
    draft: Option<&'a Transformer>,
    manifest: &'a Manifest,
    heap: u64,
    activations: u64,
    kind: KvKind,
}

/// What the caches get when everything else has its memory. The draft model may see as many tokens as the model. Weights are
/// streamed where they leave no room for one whole context.
///
/// # Errors
/// The arithmetic of what does not fit.
pub(crate) fn plan(
    model: &Transformer,
    draft: Option<&Transformer>,
    handoff: &Handoff,
    manifest: &Manifest,
) -> Result<Plans, Stop> {
    Account::new(model, draft, handoff, manifest).plan()
}

impl<'a> Account<'a> {
    fn new(
        model: &'a Transformer,
        draft: Option<&'a Transformer>,
        handoff: &Handoff,
        manifest: &'a Manifest,
    ) -> Self {
        let launch = &handoff.launch;
        let regions = heap(launch.memory_bytes, launch.cpus, handoff.blobs_bytes);
        let streams = u64::from(manifest.policy.max_streams);
        let taken_by = |model: &Transformer, logits: u64| {
            Pass::bytes(model, ROWS) + 4 * model.config.vocabulary as u64 * logits
        };
        let activations =
            taken_by(model, streams + DRAFTS as u64) + draft.map_or(0, |draft| taken_by(draft, streams));
        let heap = regions.iter().map(|region| region.len).sum();
        Self { model, draft, manifest, heap, activations, kind: kind(launch.kv) }
    }

    fn plan(&self) -> Result<Plans, Stop> {
        self.whole().or_else(|_| self.streamed(self.kind)).map_err(|error| {
            let has_integers = self.kind == KvKind::F16 && self.streamed(KvKind::Q8_0).is_ok();
            let hint = if has_integers { ", or start with --kv q8_0" } else { "" };
            Stop { code: ExitCode::ModelMemory, line: format!("{}{hint}", error.line) }
        })
    }

    fn wish(&self, budget_bytes: u64) -> KvWish {
        let size = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
        let policy = self.manifest.policy;
        KvWish { streams: size(policy.max_streams), context: size(policy.max_context), budget_bytes }
    }

    /// Bytes left beside `weights`.
    fn left(&self, weights: u64) -> Result<u64, Stop> {
        let (heap, activations) = (self.heap, self.activations);
        let taken = weights + activations + RESERVE_BYTES;
        heap.checked_sub(taken).ok_or_else(|| {
            let line = format!(
                "memory: found {heap} bytes of heap, expected at least {weights} of weights + {activations} of activations + \
                 {RESERVE_BYTES} of reserve = {taken}: start with more --memory"
            );
            Stop { code: ExitCode::ModelMemory, line }
        })
    }

    fn caches(&self, budget_bytes: u64, kind: KvKind) -> Result<(KvPlan, Option<KvPlan>), Stop> {
        let planned = plans(self.model, self.draft, self.wish(budget_bytes), kind);
        planned.map_err(|error| Stop::of(ExitCode::ModelMemory, &error))
    }

    fn draft_bytes(&self) -> u64 {
        self.manifest.draft.as_ref().map_or(0, |draft| draft.weights.bytes)
    }

    /// All weights in memory.
    fn whole(&self) -> Result<Plans, Stop> {
        let left = self.left(self.manifest.weights.bytes + self.draft_bytes())?;
        let (model, draft) = self.caches(left, self.kind)?;
        Ok(Plans { model, draft, keeping: Keeping::Whole })
    }

    /// As little of the model's weights as can be at once. Of what is left, caches get half, or what one whole context needs;
    /// the rest holds weights.
    fn streamed(&self, kind: KvKind) -> Result<Plans, Stop> {
        let at_once = Room { most: AT_ONCE, staying: 0 };
        let left = self.left(at_once.set_bytes() + self.draft_bytes())?;
        let (model, draft) = self.caches(left / 2, kind).or_else(|_| self.caches(left, kind))?;
        let caches = model.bytes() + draft.map_or(0, |draft| draft.bytes());
        let room = Room { staying: left.saturating_sub(caches), ..at_once };
        let order = self.model.order(room.most);
        Ok(Plans { model, draft, keeping: Keeping::Streamed { room, order } })
    }
}

/// Caches for as many tokens of either model: what they may take is shared as their pages are.
fn plans(
    model: &Transformer,
    draft: Option<&Transformer>,
    wish: KvWish,
    kind: KvKind,
) -> Result<(KvPlan, Option<KvPlan>), KvError> {
    let of = |model: &Transformer, budget_bytes| {
        KvPlan::of_kind(&model.config, KvWish { budget_bytes, ..wish }, kind)
    };
    let Some(draft) = draft else { return Ok((of(model, wish.budget_bytes)?, None)) };
    let (one, other) = (of(model, u64::MAX)?.page_bytes, of(draft, u64::MAX)?.page_bytes);
    let model = of(model, wish.budget_bytes / (one + other) * one)?;
    let draft = of(draft, wish.budget_bytes - model.bytes())?;
    Ok((model, Some(draft)))
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
    use alloc::string::String;
    use vial_abi::LaunchPage;
    use vial_abi::launch_page::{Machine, Measure, Tee};
    use vial_abi::memory::Region;
    use vial_model::gguf::Gguf;
    use vial_weights::manifest::{Draft, Policy, Weights};

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
            draft_tree: blob,
            boot_report: blob,
            blobs_bytes: 4096,
            weights_disk_offset: 0,
            weights_bytes: 1,
            draft_disk_offset: 0,
            draft_bytes: 0,
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

    /// Of a model and perhaps a draft model of so many bytes, for sequences of 128 tokens.
    fn manifest(bytes: u64, draft: Option<u64>, max_streams: u32) -> Manifest {
        let weights = |bytes| Weights { root: [5; 32], sha256: [6; 32], bytes };
        Manifest {
            firmware: [1; 48],
            kernel: [2; 48],
            engine: [3; 48],
            bundle: [4; 48],
            model: String::new(),
            architecture: String::new(),
            weights: weights(bytes),
            policy: Policy { max_streams, max_context: 128 },
            publisher: None,
            draft: draft.map(|bytes| Draft { model: String::new(), weights: weights(bytes) }),
        }
    }

    /// The cache of one sequence of 128 tokens where weights leave that many bytes.
    fn cache(left: u64, kv: Kv) -> Result<KvPlan, Stop> {
        plans(left, kv, None, 1).map(|plans| plans.model)
    }

    /// Caches of so many sequences of 128 tokens where weights leave that many bytes.
    fn plans(left: u64, kv: Kv, draft: Option<&Transformer>, streams: u32) -> Result<Plans, Stop> {
        let (model, handoff) = (model(), handoff(512 << 20, kv));
        let all: u64 = heap(512 << 20, 1, handoff.blobs_bytes).iter().map(|region| region.len).sum();
        let logits = 4 * model.config.vocabulary as u64 * (u64::from(streams) + DRAFTS as u64);
        let drafting = draft.map_or(0, |draft| {
            Pass::bytes(draft, ROWS) + 4 * draft.config.vocabulary as u64 * u64::from(streams)
        });
        let bytes = all - Pass::bytes(&model, ROWS) - logits - drafting - RESERVE_BYTES - left;
        let of_draft = draft.map_or(0, |_| 1000);
        let manifest = manifest(bytes - of_draft, draft.map(|_| of_draft), streams);
        plan(&model, draft, &handoff, &manifest)
    }

    const F16_PAGE: u64 = 2 * 2 * 2 * 64 * 128;
    const Q8_0_PAGE: u64 = 2 * 2 * 2 * 64 * 68;

    #[test]
    fn the_cache_is_of_the_kind_that_the_launch_page_says() {
        let of = |kv| cache(1 << 20, kv).map(|plan| (plan.kind, plan.pages, plan.page_bytes));
        assert_eq!(of(Kv::F16), Ok((KvKind::F16, 2, F16_PAGE)));
        assert_eq!(of(Kv::Q8_0), Ok((KvKind::Q8_0, 2, Q8_0_PAGE)));
    }

    /// An appliance with so many bytes beside what streaming takes, of weights that no memory holds.
    fn streaming(left: u64, kv: Kv) -> Result<Plans, Stop> {
        let (model, manifest) = (model(), manifest(1 << 40, None, 1));
        let mut account = Account::new(&model, None, &handoff(512 << 20, kv), &manifest);
        account.heap = account.activations + RESERVE_BYTES + SET + left;
        account.plan()
    }

    const SET: u64 = Room { most: AT_ONCE, staying: 0 }.set_bytes();

    #[test]
    fn weights_are_streamed_where_they_leave_no_room_and_what_is_left_holds_some_of_them() {
        let kept = plans(2 * Q8_0_PAGE, Kv::Q8_0, None, 1).unwrap().keeping;
        assert_eq!(kept, Keeping::Whole);
        let Keeping::Streamed { room, order } = plans(2 * Q8_0_PAGE - 1, Kv::Q8_0, None, 1).unwrap().keeping
        else {
            panic!("not streamed")
        };
        assert_eq!((room.most, order), (AT_ONCE, model().order(AT_ONCE)));
        // A tiny model's weights are nothing beside what was claimed of them.
        assert!(room.staying > 300 << 20, "{room:?}");
        let plans = streaming(16 * F16_PAGE, Kv::F16).unwrap();
        let Keeping::Streamed { room, .. } = plans.keeping else { panic!("not streamed") };
        assert_eq!(plans.model.pages, 2);
        assert_eq!(room.staying, 14 * F16_PAGE);
    }

    #[test]
    fn what_fits_not_even_streamed_is_refused_and_integers_are_named_where_they_fit() {
        let line = |left, kv| streaming(left, kv).unwrap_err().line;
        streaming(2 * F16_PAGE, Kv::F16).unwrap();
        streaming(2 * Q8_0_PAGE, Kv::Q8_0).unwrap();
        let fits = line(2 * Q8_0_PAGE, Kv::F16);
        assert!(fits.contains("more bytes, or start with --kv q8_0"), "{fits}");
        for kv in [Kv::F16, Kv::Q8_0] {
            let none = line(2 * Q8_0_PAGE - 1, kv);
            assert!(none.ends_with("more bytes"), "{none}");
        }
    }

    #[test]
    fn a_draft_model_has_as_many_pages_as_the_model_out_of_what_both_may_take() {
        let mut draft = model();
        draft.config.layers = 1;
        let pair = F16_PAGE + F16_PAGE / 2;
        for pages in [2, 5, 9] {
            let plans = plans(pages * pair + 100, Kv::F16, Some(&draft), 8).unwrap();
            let of_draft = plans.draft.unwrap();
            assert_eq!((plans.model.pages as u64, of_draft.pages as u64), (pages, pages));
            assert_eq!(of_draft.page_bytes, F16_PAGE / 2);
        }
    }

    #[test]
    fn caches_of_both_models_are_refused_where_they_do_not_fit_even_streamed() {
        let (model, mut draft) = (model(), model());
        let manifest = manifest(1 << 40, Some(1000), 8);
        draft.config.layers = 1;
        let of = |left| {
            let mut account = Account::new(&model, Some(&draft), &handoff(512 << 20, Kv::Q8_0), &manifest);
            account.heap = account.activations + RESERVE_BYTES + SET + 1000 + left;
            account.plan()
        };
        let pair = Q8_0_PAGE + Q8_0_PAGE / 2;
        assert_eq!(of(2 * pair).unwrap().model.pages, 2);
        let line = of(2 * pair - 1).unwrap_err().line;
        assert!(line.contains("are left"), "{line}");
        let line = of(0).unwrap_err().line;
        assert!(line.contains("0 are left"), "{line}");
    }

    #[test]
    fn both_models_are_counted_where_there_is_no_memory() {
        let (mut handoff, draft) = (handoff(64 << 20, Kv::F16), model());
        handoff.launch.memory_bytes = 64 << 20;
        let manifest = manifest(60_000_000, Some(70_000_000), 1);
        let line = plan(&model(), Some(&draft), &handoff, &manifest).unwrap_err().line;
        // The draft model's and, of the model's, what is required at once.
        assert!(line.contains(&format!("{} of weights", 70_000_000 + SET)), "{line}");
    }
}
