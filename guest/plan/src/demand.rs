//! What memory is wanted for.

use alloc::boxed::Box;
use vial_model::kv::{KvError, KvKind, KvPlan, KvWish, PAGE_TOKENS};
use vial_model::transformer::{Pass, Transformer};

use crate::plan::{Keeping, Plan};
use crate::{AT_ONCE, DRAFTS, Memory, NoRoom, RESERVE_BYTES, ROWS, Refusal, Streaming};

/// Fewest rows of a pass: what attention takes as one block, and half of what products do.
const FEWEST_ROWS: usize = 16;

/// A model and the bytes of its file.
#[derive(Clone, Copy, Debug)]
pub struct Weighed<'a> {
    /// What its header says.
    pub model: &'a Transformer,
    /// Bytes of the file.
    pub bytes: u64,
}

/// What an appliance is to do.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// The model.
    pub model: Weighed<'a>,
    /// The model that drafts for it.
    pub draft: Option<Weighed<'a>>,
    /// Most requests at once.
    pub streams: usize,
    /// Most tokens of one request, prompt and answer.
    pub context: usize,
    /// How keys and values are kept.
    pub kv: KvKind,
}

impl Demand<'_> {
    /// Shares the memory out. Weights are streamed where they leave no room for one whole context, passes have fewer rows where
    /// nothing else would fit.
    ///
    /// # Errors
    /// The arithmetic of what does not fit even so, and what would.
    pub fn plan(&self, memory: Memory) -> Result<Plan, Box<Refusal>> {
        self.share(memory).map_err(|reason| Box::new(self.refusal(memory, reason)))
    }

    /// The least memory that would do, of as many cpus and the same blobs; `None` if no appliance has so much.
    #[must_use]
    pub fn least_memory(&self, memory: Memory) -> Option<u64> {
        memory.least(|memory| self.share(memory).is_ok())
    }

    /// The least memory in which no weights are streamed.
    #[must_use]
    pub fn least_whole_memory(&self, memory: Memory) -> Option<u64> {
        memory.least(|memory| self.rows().any(|rows| self.whole(memory, rows).is_ok()))
    }

    fn refusal(&self, memory: Memory, reason: NoRoom) -> Refusal {
        let least = self.least_memory(memory);
        let least_q8_0 = Self { kv: KvKind::Q8_0, ..*self }.least_memory(memory);
        let least_q8_0 = least_q8_0.filter(|bytes| least.is_none_or(|least| *bytes < least));
        Refusal { memory, least, least_q8_0, context: self.longest(memory), reason }
    }

    /// The longest context that fits, in whole pages; `None` if none does.
    fn longest(&self, memory: Memory) -> Option<usize> {
        let fits = |pages: usize| Self { context: pages * PAGE_TOKENS, ..*self }.share(memory).is_ok();
        let (mut least, mut most) = (0, self.context.min(self.model.model.config.context) / PAGE_TOKENS);
        while least < most {
            let middle = (least + most).div_ceil(2);
            if fits(middle) { least = middle } else { most = middle - 1 }
        }
        (least > 0).then_some(least * PAGE_TOKENS)
    }

    fn share(&self, memory: Memory) -> Result<Plan, NoRoom> {
        let whole = self.rows().find_map(|rows| self.whole(memory, rows).ok());
        let streamed = || self.rows().find_map(|rows| self.streamed(memory, rows).ok());
        let found = whole.or_else(streamed);
        found.map_or_else(|| self.streamed(memory, self.fewest_rows()), Ok)
    }

    /// Rows of a pass to be tried, the most first: all streams and drafts decode in one pass.
    fn rows(&self) -> impl Iterator<Item = usize> {
        let least = self.streams + DRAFTS;
        let halves = core::iter::successors(Some(ROWS), |rows| Some(rows / 2));
        halves.take_while(move |rows| *rows == ROWS || *rows >= least.max(FEWEST_ROWS))
    }

    fn fewest_rows(&self) -> usize {
        self.rows().last().unwrap_or(ROWS)
    }

    /// Bytes of what passes compute.
    fn activations(&self, rows: usize) -> u64 {
        let of = |weighed: &Weighed<'_>, logits: usize| {
            Pass::bytes(weighed.model, rows) + 4 * (weighed.model.config.vocabulary * logits) as u64
        };
        of(&self.model, self.streams + DRAFTS)
            + self.draft.as_ref().map_or(0, |draft| of(draft, self.streams))
    }

    /// Bytes left for caches beside `weights`.
    fn left(&self, memory: Memory, weights: u64, rows: usize) -> Result<u64, NoRoom> {
        let (heap, activations) = (memory.heap_bytes(), self.activations(rows));
        let left = heap.checked_sub(weights.saturating_add(activations + RESERVE_BYTES));
        left.ok_or(NoRoom::Heap { heap, weights, activations })
    }

    fn draft_bytes(&self) -> u64 {
        self.draft.map_or(0, |draft| draft.bytes)
    }

    /// All weights in memory, each file in one run of it.
    fn whole(&self, memory: Memory, rows: usize) -> Result<Plan, NoRoom> {
        let whole_bytes = self.model.bytes + self.draft_bytes();
        let left = self.left(memory, whole_bytes, rows)?;
        let run = memory.longest_run();
        if self.model.bytes > run {
            let activations = self.activations(rows);
            return Err(NoRoom::Heap { heap: run, weights: self.model.bytes, activations });
        }
        let (cache, draft_cache) = self.caches(left)?;
        Ok(self.assembled(memory, rows, (cache, draft_cache), (whole_bytes, Keeping::Whole)))
    }

    /// As little of the model's weights as can be at once. Of what is left, caches get half, or what one whole context needs;
    /// the rest holds weights.
    fn streamed(&self, memory: Memory, rows: usize) -> Result<Plan, NoRoom> {
        let left = self.left(memory, Streaming::set_bytes(AT_ONCE) + self.draft_bytes(), rows)?;
        let caches = self.caches(left / 2).or_else(|_| self.caches(left))?;
        let Weighed { model, bytes } = self.model;
        let room = left - caches.0.bytes() - caches.1.map_or(0, |cache| cache.bytes());
        let streaming = Streaming::new(model.order(AT_ONCE), bytes, AT_ONCE, room);
        let streaming = streaming.with_experts(model.expert_stacks());
        Ok(self.assembled(memory, rows, caches, (self.draft_bytes(), Keeping::Streamed(streaming))))
    }

    /// The plan of these shares.
    fn assembled(
        &self,
        memory: Memory,
        rows: usize,
        (cache, draft_cache): (KvPlan, Option<KvPlan>),
        (whole_bytes, keeping): (u64, Keeping),
    ) -> Plan {
        let (heap_bytes, activation_bytes) = (memory.heap_bytes(), self.activations(rows));
        Plan { heap_bytes, rows, activation_bytes, whole_bytes, cache, draft_cache, keeping }
    }

    /// Caches for as many tokens of either model: what they may take is shared as their pages are.
    fn caches(&self, budget_bytes: u64) -> Result<(KvPlan, Option<KvPlan>), KvError> {
        let of = |model: &Transformer, budget_bytes| {
            let wish = KvWish { streams: self.streams, context: self.context, budget_bytes };
            KvPlan::of_kind(&model.config, wish, self.kv)
        };
        let model = self.model.model;
        let Some(draft) = self.draft else { return Ok((of(model, budget_bytes)?, None)) };
        let (one, other) = (of(model, u64::MAX)?.page_bytes, of(draft.model, u64::MAX)?.page_bytes);
        let cache = of(model, budget_bytes / (one + other) * one)?;
        let draft_cache = of(draft.model, budget_bytes - cache.bytes())?;
        Ok((cache, Some(draft_cache)))
    }
}
