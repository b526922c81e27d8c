//! The memory there is.

use vial_abi::memory::{LARGE_PAGE, MAX_MEMORY_BYTES, MIN_MEMORY_BYTES, heap};

/// Memory of an appliance, and what takes it before the engine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// All of it.
    pub bytes: u64,
    /// Cpus, each with a stack.
    pub cpus: u32,
    /// What firmware leaves there: manifest, event log, bundle, trees, report.
    pub blobs_bytes: u64,
}

impl Memory {
    /// Bytes of the engine's heap.
    #[must_use]
    pub fn heap_bytes(&self) -> u64 {
        heap(self.bytes, self.cpus, self.blobs_bytes).iter().map(|region| region.len).sum()
    }

    /// Bytes of the longest run of the heap: the devices' hole parts it.
    pub(crate) fn longest_run(&self) -> u64 {
        heap(self.bytes, self.cpus, self.blobs_bytes).iter().map(|region| region.len).max().unwrap_or(0)
    }

    /// The least memory that is enough, where more is always enough too; `None` if no appliance has so much.
    pub(crate) fn least(&self, is_enough: impl Fn(Self) -> bool) -> Option<u64> {
        let of = |pages: u64| Self { bytes: pages * LARGE_PAGE, ..*self };
        let (mut least, mut most) = (MIN_MEMORY_BYTES / LARGE_PAGE, MAX_MEMORY_BYTES / LARGE_PAGE);
        if !is_enough(of(most)) {
            return None;
        }
        while least < most {
            let middle = least.midpoint(most);
            if is_enough(of(middle)) { most = middle } else { least = middle + 1 }
        }
        Some(least * LARGE_PAGE)
    }
}
