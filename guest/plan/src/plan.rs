//! What the memory is for.

use vial_model::kv::KvPlan;

use crate::{RESERVE_BYTES, Streaming};

/// How weights are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// All in memory.
    Whole,
    /// The draft model in memory, the model read anew in every pass.
    Streamed(Streaming),
}

/// What each part gets of the engine's heap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Bytes of the heap.
    pub heap_bytes: u64,
    /// Most rows of a pass.
    pub rows: usize,
    /// Bytes of what passes compute: rows and logits, of both models.
    pub activation_bytes: u64,
    /// Bytes of weights that are in memory whole: the draft model's and, where there is room, the model's.
    pub whole_bytes: u64,
    /// The model's cache.
    pub cache: KvPlan,
    /// The draft model's cache.
    pub draft_cache: Option<KvPlan>,
    /// How the model's weights are kept.
    pub keeping: Keeping,
}

impl Plan {
    /// Bytes of both caches.
    #[must_use]
    pub fn cache_bytes(&self) -> u64 {
        self.cache.bytes() + self.draft_cache.map_or(0, |cache| cache.bytes())
    }

    /// Bytes of memory for weights.
    #[must_use]
    pub fn weight_bytes(&self) -> u64 {
        let streamed = match &self.keeping {
            Keeping::Whole => 0,
            Keeping::Streamed(streaming) => {
                let set = Streaming::set_bytes(streaming.most());
                set + streaming.staying_bytes() + streaming.experts().bytes()
            }
        };
        self.whole_bytes + streamed
    }

    /// Bytes of the heap that are in use at most.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.weight_bytes() + self.cache_bytes() + self.activation_bytes + RESERVE_BYTES
    }
}
