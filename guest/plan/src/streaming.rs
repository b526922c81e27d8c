//! Weights that passes read again, and those of them that stay.

use alloc::vec::Vec;
use core::ops::Range;
use vial_model::transformer::ExpertStacks;
use vial_weights::LEAF_BYTES;

use crate::{ExpertRoom, Leaves};

/// What passes require in turn, of a file that is larger than the memory for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streaming {
    most: u64,
    file_bytes: u64,
    ranges: Vec<Range<u64>>,
    /// The first so many stay in memory once they have come.
    staying: usize,
    /// Bytes that are left beside them.
    left: u64,
    /// What those hold.
    experts: ExpertRoom,
}

impl Streaming {
    /// Ranges of a file of `file_bytes`, of which at most `most` bytes are required at once, and the first of which stay as far as
    /// `room` bytes hold them.
    ///
    /// All of a pass is needed once, so that each byte that stays saves as much as any other.
    #[must_use]
    pub fn new(ranges: Vec<Range<u64>>, file_bytes: u64, most: u64, room: u64) -> Self {
        let mut left = room;
        let fits = |range: &&Range<u64>| {
            let rest = left.checked_sub(Leaves::of(range, file_bytes).len as u64);
            left = rest.unwrap_or(left);
            rest.is_some()
        };
        let staying = ranges.iter().take_while(fits).count();
        Self { most, file_bytes, ranges, staying, left, experts: ExpertRoom::default() }
    }

    /// The same with experts of these layers, which stay for a while in what is left beside what every pass requires.
    #[must_use]
    pub fn with_experts(self, layers: Vec<ExpertStacks>) -> Self {
        Self { experts: ExpertRoom::new(layers, self.left), ..self }
    }

    /// The experts, and the room for some of them.
    #[must_use]
    pub fn experts(&self) -> &ExpertRoom {
        &self.experts
    }

    /// Bytes that a pass of one token reads, where every expert is chosen as often as any other.
    #[must_use]
    pub fn token_bytes(&self) -> u64 {
        self.pass_bytes() + self.experts.token_bytes(self.file_bytes)
    }

    /// Bytes of memory for what is required at once, which does not begin and end with leaves.
    #[must_use]
    pub const fn set_bytes(most: u64) -> u64 {
        most + 2 * LEAF_BYTES * vial_tensor::PRODUCTS_MAX as u64
    }

    /// Most bytes that are required at once.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.most
    }

    /// Bytes of the file.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// What passes require in turn.
    #[must_use]
    pub fn ranges(&self) -> &[Range<u64>] {
        &self.ranges
    }

    /// How many of the first ranges stay.
    #[must_use]
    pub fn staying(&self) -> usize {
        self.staying
    }

    /// Bytes of what stays.
    #[must_use]
    pub fn staying_bytes(&self) -> u64 {
        self.leaf_bytes(&self.ranges[..self.staying])
    }

    /// Bytes that every pass reads, in whole leaves, without experts; neighbours share a leaf, which is read for each.
    #[must_use]
    pub fn pass_bytes(&self) -> u64 {
        self.leaf_bytes(&self.ranges[self.staying..])
    }

    /// The longest range, in whole leaves.
    #[must_use]
    pub fn longest(&self) -> u64 {
        let lens = self.ranges.iter().map(|range| Leaves::of(range, self.file_bytes).len as u64);
        lens.max().unwrap_or(0)
    }

    fn leaf_bytes(&self, ranges: &[Range<u64>]) -> u64 {
        ranges.iter().map(|range| Leaves::of(range, self.file_bytes).len as u64).sum()
    }
}
