//! Experts that stay in memory for a while.

use alloc::vec::Vec;
use vial_model::transformer::ExpertStacks;

use crate::Leaves;

/// Memory for experts: as many of every layer, since each pass needs some of all layers in turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpertRoom {
    layers: Vec<ExpertStacks>,
    /// Experts of each layer that there is room for.
    each: u64,
}

impl ExpertRoom {
    /// Room for experts of these layers in `bytes`.
    #[must_use]
    pub fn new(layers: Vec<ExpertStacks>, bytes: u64) -> Self {
        let mut room = Self { layers, each: 1 };
        let most = room.layers.iter().map(|layer| layer.experts).min().unwrap_or(0);
        room.each = bytes.checked_div(room.bytes()).unwrap_or(0).min(most);
        room
    }

    /// Where the experts of each layer lie.
    #[must_use]
    pub fn layers(&self) -> &[ExpertStacks] {
        &self.layers
    }

    /// Experts of each layer that there is room for.
    #[must_use]
    pub fn each(&self) -> u64 {
        self.each
    }

    /// Bytes for one expert of whatever layer.
    #[must_use]
    pub fn slot_bytes(&self) -> u64 {
        self.layers.iter().map(ExpertStacks::expert_bytes).max().unwrap_or(0)
    }

    /// Bytes of all this room.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.slot_bytes().saturating_mul(self.each).saturating_mul(self.layers.len() as u64)
    }

    /// Bytes that a pass of one token reads of experts, in whole leaves, where every expert is chosen as often as any other.
    #[must_use]
    pub fn token_bytes(&self, file_bytes: u64) -> u64 {
        let of = |layer: &ExpertStacks| {
            let missing = layer.experts.saturating_sub(self.each);
            let share = u128::from(layer.used) * u128::from(missing);
            let bytes = u128::from(layer_bytes(layer, file_bytes)) * share;
            u64::try_from(bytes / u128::from(layer.experts * layer.experts)).unwrap_or(u64::MAX)
        };
        self.layers.iter().map(of).sum()
    }
}

/// Bytes of the leaves of each expert of a layer together.
fn layer_bytes(layer: &ExpertStacks, file_bytes: u64) -> u64 {
    let stacks = layer.stacks.iter().flat_map(|stack| {
        let each = layer.each(stack);
        let start = stack.start;
        (0..layer.experts).map(move |expert| start + expert * each..start + (expert + 1) * each)
    });
    stacks.map(|range| Leaves::of(&range, file_bytes).len as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vial_weights::LEAF_BYTES;

    /// Two layers of four experts of three leaves each, of which two compute.
    fn layers() -> Vec<ExpertStacks> {
        let layer = |start: u64| {
            let stack = |at: u64| (start + at * 4) * LEAF_BYTES..(start + at * 4 + 4) * LEAF_BYTES;
            ExpertStacks { stacks: [stack(0), stack(1), stack(2)], experts: 4, used: 2 }
        };
        alloc::vec![layer(1), layer(20)]
    }

    fn room(bytes: u64) -> ExpertRoom {
        ExpertRoom::new(layers(), bytes)
    }

    #[test]
    fn every_layer_has_room_for_as_many() {
        let all = 2 * 3 * LEAF_BYTES;
        let each = |bytes: u64| (room(bytes).each(), room(bytes).bytes() / all);
        assert_eq!([0, all - 1, all, 3 * all, 100 * all].map(each), [(0, 0), (0, 0), (1, 1), (3, 3), (4, 4)]);
        assert_eq!(ExpertRoom::new(Vec::new(), 1 << 30), ExpertRoom::default());
    }

    #[test]
    fn what_stays_is_not_read_by_as_many_tokens_as_choose_it() {
        let all = 2 * 3 * LEAF_BYTES;
        let file = 40 * LEAF_BYTES;
        let reads = |each: u64| room(each * all).token_bytes(file) / LEAF_BYTES;
        assert_eq!([0, 1, 2, 4].map(reads), [12, 9, 6, 0]);
    }

    #[test]
    fn bytes_of_stacks_are_told_by_expert() {
        let layer = &layers()[0];
        assert_eq!((layer.expert_bytes(), layer.each(&layer.stacks[1])), (3 * LEAF_BYTES, LEAF_BYTES));
        assert_eq!(layer.place(0), None);
        assert_eq!(layer.place(3 * LEAF_BYTES + 5), Some((2, 5)));
        assert_eq!(layer.place(9 * LEAF_BYTES + 5), Some((0, 2 * LEAF_BYTES + 5)));
        assert_eq!(layer.place(13 * LEAF_BYTES), None);
    }
}
