//! What does not fit.

use core::fmt;
use vial_model::kv::{KvError, KvKind};

use crate::{Memory, RESERVE_BYTES};

/// Memory that is too small, with the arithmetic and what would do instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The memory there is.
    pub memory: Memory,
    /// The least that would do; `None` if none does.
    pub least: Option<u64>,
    /// The same with keys and values in integers, if that is less.
    pub least_q8_0: Option<u64>,
    /// The longest context that would fit.
    pub context: Option<usize>,
    /// What does not fit.
    pub reason: NoRoom,
}

/// Why memory is too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// For what is needed beside caches.
    #[error(
        "{weights} bytes of weights + {activations} of activations + {RESERVE_BYTES} of reserve = {}, of {heap} of heap",
        weights + activations + RESERVE_BYTES
    )]
    Heap {
        /// Bytes of the heap.
        heap: u64,
        /// Of them for weights.
        weights: u64,
        /// And for what a pass computes.
        activations: u64,
    },
    /// For the cache of one whole context.
    #[error(transparent)]
    Cache(#[from] KvError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes >> 20;
        write!(f, "memory: found {}M, expected at least ", mib(self.memory.bytes))?;
        match self.least {
            Some(least) => write!(f, "{}M", mib(least))?,
            None => f.write_str("more than there can be")?,
        }
        if let Some(least) = self.least_q8_0 {
            write!(f, ", or {}M with --kv {}", mib(least), KvKind::Q8_0.name())?;
        }
        if let Some(context) = self.context {
            write!(f, ", or a context of at most {context} tokens")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl core::error::Error for Refusal {}
