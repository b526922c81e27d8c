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

    /// The experts of each layer that has some.
    #[must_use]
    pub fn expert_stacks(&self) -> Vec<ExpertStacks> {
        let of = |layer: &Layer| match &layer.feed_forward {
            FeedForward::Dense(_) => None,
            FeedForward::Experts(Experts { gate, up, down, .. }) => {
                let routing = self.config.routing?;
                let stacks = [gate, up, down].map(|stack| stack.all.range.clone());
                Some(ExpertStacks { stacks, experts: routing.experts as u64, used: routing.used as u64 })
            }
        };
        self.layout.layers.iter().filter_map(of).collect()
    }
}

/// Where the experts of a layer lie, of which the router chooses some for each token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpertStacks {
    /// Matrices of one kind of all experts, one behind the other, in the order in which an expert requires its own.
    pub stacks: [Range<u64>; 3],
    /// How many experts.
    pub experts: u64,
    /// How many of them compute for a token.
    pub used: u64,
}

impl ExpertStacks {
    /// Bytes of one expert.
    #[must_use]
    pub fn expert_bytes(&self) -> u64 {
        self.stacks.iter().map(|stack| self.each(stack)).sum()
    }

    /// Bytes of one expert's matrix in a stack.
    #[must_use]
    pub fn each(&self, stack: &Range<u64>) -> u64 {
        (stack.end - stack.start) / self.experts
    }

    /// The expert whose matrix holds that byte of the file, and where it is among the bytes of that expert.
    #[must_use]
    pub fn place(&self, byte: u64) -> Option<(u64, u64)> {
        let number = self.stacks.iter().position(|stack| stack.contains(&byte))?;
        let before: u64 = self.stacks[..number].iter().map(|stack| self.each(stack)).sum();
        let (each, at) = (self.each(&self.stacks[number]), byte - self.stacks[number].start);
        Some((at / each, before + at % each))
    }
}

impl Experts {
    /// What one expert requires in turn.
    pub(in crate::transformer) fn order(&self, expert: usize, most: u64) -> Vec<Range<u64>> {
        let [gate, up, down] = [&self.gate, &self.up, &self.down].map(|stack| stack.of(expert));
        required([&gate, &up], most).chain(required([&down], most)).collect()
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
