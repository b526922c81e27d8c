//! The memory of pages, and where things lie in one.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;
use vial_tensor::{
    FloatPage, Isa, mix_f16, mix_q8_0, q8_0_bytes, scores_f16, scores_q8_0, store_f16, store_q8_0,
};

use super::{KvKind, KvPlan, PAGE_TOKENS};
use crate::transformer::Config;

/// Keys or values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    Keys,
    Values,
}

/// Keys or values of one head in one layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) layer: usize,
    pub(crate) half: Half,
    pub(crate) kv_head: usize,
}

/// Every page's memory, none until first used, of elements `T`: `[layer, keys or values, kv_head, token, element]`.
#[derive(Debug)]
pub(super) struct Memory<T> {
    layers: usize,
    kv_heads: usize,
    /// Elements of one token's keys, or values, of one head.
    row: usize,
    pages: Vec<Vec<T>>,
}

impl<T: Copy + Default> Memory<T> {
    fn new(config: &Config, pages: usize, row: usize) -> Self {
        Self { layers: config.layers, kv_heads: config.kv_heads, row, pages: vec![Vec::new(); pages] }
    }

    fn prepare(&mut self, page: usize) {
        if self.pages[page].is_empty() {
            let rows = 2 * self.layers * self.kv_heads * PAGE_TOKENS;
            self.pages[page] = vec![T::default(); rows * self.row];
        }
    }

    /// Elements of some tokens.
    fn range(&self, Part { layer, half, kv_head }: Part, tokens: Range<usize>) -> Range<usize> {
        let half = usize::from(half == Half::Values);
        let start = ((2 * layer + half) * self.kv_heads + kv_head) * PAGE_TOKENS;
        (start + tokens.start) * self.row..(start + tokens.end) * self.row
    }

    fn part(&self, page: usize, part: Part, tokens: Range<usize>) -> &[T] {
        &self.pages[page][self.range(part, tokens)]
    }

    fn part_mut(&mut self, page: usize, part: Part, token: usize) -> &mut [T] {
        let range = self.range(part, token..token + 1);
        &mut self.pages[page][range]
    }
}

/// The memory of all pages.
#[derive(Debug)]
pub(super) enum Pages {
    F16(Memory<u16>),
    Q8_0(Memory<u8>),
}

/// Keys or values of one head, of some tokens that follow each other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Vectors<'a> {
    F16(&'a [u16]),
    Q8_0(&'a [u8]),
}

impl Pages {
    pub(super) fn new(config: &Config, plan: KvPlan) -> Self {
        match plan.kind {
            KvKind::F16 => Self::F16(Memory::new(config, plan.pages, config.head_dim)),
            KvKind::Q8_0 => Self::Q8_0(Memory::new(config, plan.pages, q8_0_bytes(config.head_dim))),
        }
    }

    /// Gives a page memory.
    pub(super) fn prepare(&mut self, page: usize) {
        match self {
            Self::F16(memory) => memory.prepare(page),
            Self::Q8_0(memory) => memory.prepare(page),
        }
    }

    pub(super) fn wipe(&mut self, page: usize) {
        match self {
            Self::F16(memory) => memory.pages[page].fill(0),
            Self::Q8_0(memory) => memory.pages[page].fill(0),
        }
    }

    /// Writes one token's keys or values of one head.
    pub(super) fn store(&mut self, isa: Isa, page: usize, token: usize, part: Part, numbers: &[f32]) {
        match self {
            Self::F16(memory) => store_f16(isa, numbers, memory.part_mut(page, part, token)),
            Self::Q8_0(memory) => store_q8_0(numbers, memory.part_mut(page, part, token)),
        }
    }

    pub(super) fn vectors(&self, page: usize, tokens: Range<usize>, part: Part) -> Vectors<'_> {
        match self {
            Self::F16(memory) => Vectors::F16(memory.part(page, part, tokens)),
            Self::Q8_0(memory) => Vectors::Q8_0(memory.part(page, part, tokens)),
        }
    }

    /// Bytes that are not zero.
    #[cfg(test)]
    pub(super) fn marks(&self) -> usize {
        match self {
            Self::F16(memory) => memory.pages.iter().flatten().filter(|&&number| number != 0).count(),
            Self::Q8_0(memory) => memory.pages.iter().flatten().filter(|&&byte| byte != 0).count(),
        }
    }
}

impl Vectors<'_> {
    /// Dot products of queries `[q, dim]` with these keys: `[q, tokens]`.
    pub(crate) fn scores(self, isa: Isa, queries: &[f32], dim: usize, scores: &mut [f32]) {
        match self {
            Self::F16(keys) => scores_f16(isa, queries, dim, keys, dim, scores),
            Self::Q8_0(keys) => scores_q8_0(isa, queries, dim, keys, scores),
        }
    }

    /// Gives a page these keys, from its first on.
    pub(crate) fn to_keys(self, isa: Isa, page: &mut FloatPage) {
        match self {
            Self::F16(keys) => page.set_keys_f16(isa, keys),
            Self::Q8_0(keys) => page.set_keys_q8_0(isa, keys),
        }
    }

    /// Gives a page these values, from its first on.
    pub(crate) fn to_values(self, isa: Isa, page: &mut FloatPage) {
        match self {
            Self::F16(values) => page.set_values_f16(isa, values),
            Self::Q8_0(values) => page.set_values_q8_0(isa, values),
        }
    }

    /// Adds these values, weighted by `[q, tokens]`, to `[q, dim]`.
    pub(crate) fn mix(self, isa: Isa, weights: &[f32], dim: usize, out: &mut [f32]) {
        match self {
            Self::F16(values) => mix_f16(isa, weights, dim, values, dim, out),
            Self::Q8_0(values) => mix_q8_0(isa, weights, dim, values, out),
        }
    }
}
