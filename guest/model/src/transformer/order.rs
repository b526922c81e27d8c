//! The order in which passes require weights, so that they can be read ahead.

use alloc::vec::Vec;
use core::ops::Range;

use super::Transformer;
use super::layout::{Experts, FeedForward, Gated, Layer};
use super::pass::products::required;

impl Transformer {
    /// What a pass requires in turn where there is room for `most` bytes at once: every matrix or piece of one, but the rows of
    /// the embedding and experts, which tokens and the router choose.
    #[must_use]
    pub fn order(&self, most: u64) -> Vec<Range<u64>> {
        let layers = self.layout.layers.iter().flat_map(|layer| layer.order(most));
        layers.chain(required([&self.layout.output.weight], most)).collect()
    }
}

impl Layer {
    fn order(&self, most: u64) -> Vec<Range<u64>> {
        let attention = &self.attention;
        let heads = [&attention.query.weight, &attention.key.weight, &attention.value.weight];
        let mut order: Vec<_> = required(heads, most).collect();
        order.extend(required([&attention.output.weight], most));
        match &self.feed_forward {
            FeedForward::Dense(Gated { gate, up, down }) => {
                order.extend(required([&gate.weight, &up.weight], most));
                order.extend(required([&down.weight], most));
            }
            FeedForward::Experts(Experts { router, .. }) => order.extend(required([router], most)),
        }
        order
    }
}
