//! The memory of pages, and where things lie in one.

use alloc::vec;
use alloc::vec::Vec;

use super::{KvPlan, PAGE_TOKENS};
use crate::transformer::Config;

/// Keys or values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    Keys,
    Values,
}

/// Where things lie in a page: `[layer, keys or values, kv_head, token, element]`.
#[derive(Clone, Copy, Debug)]
struct Shape {
    layers: usize,
    kv_heads: usize,
    head_dim: usize,
}

impl Shape {
    /// Numbers one head's keys of one page take.
    fn head_numbers(self) -> usize {
        PAGE_TOKENS * self.head_dim
    }

    fn page_numbers(self) -> usize {
        2 * self.layers * self.kv_heads * self.head_numbers()
    }

    fn head_start(self, layer: usize, half: Half, kv_head: usize) -> usize {
        let half = usize::from(half == Half::Values);
        ((2 * layer + half) * self.kv_heads + kv_head) * self.head_numbers()
    }
}

/// Every page's memory: none until first used.
#[derive(Debug)]
pub(super) struct Pages {
    shape: Shape,
    pages: Vec<Vec<u16>>,
}

impl Pages {
    pub(super) fn new(config: &Config, plan: KvPlan) -> Self {
        let shape = Shape { layers: config.layers, kv_heads: config.kv_heads, head_dim: config.head_dim };
        Self { shape, pages: vec![Vec::new(); plan.pages] }
    }

    /// Gives a page memory.
    pub(super) fn prepare(&mut self, page: usize) {
        if self.pages[page].is_empty() {
            self.pages[page] = vec![0; self.shape.page_numbers()];
        }
    }

    pub(super) fn wipe(&mut self, page: usize) {
        self.pages[page].fill(0);
    }

    /// One token's keys or values of one head.
    pub(super) fn slot_mut(
        &mut self,
        page: usize,
        token: usize,
        layer: usize,
        (half, kv_head): (Half, usize),
    ) -> &mut [u16] {
        let start = self.shape.head_start(layer, half, kv_head) + token * self.shape.head_dim;
        &mut self.pages[page][start..start + self.shape.head_dim]
    }

    /// One head's keys or values: `[PAGE_TOKENS, head_dim]`, row-major.
    pub(super) fn of_head(&self, page: usize, layer: usize, (half, kv_head): (Half, usize)) -> &[u16] {
        let start = self.shape.head_start(layer, half, kv_head);
        &self.pages[page][start..start + self.shape.head_numbers()]
    }

    /// Whether nothing is left of what any page held.
    #[cfg(test)]
    pub(super) fn are_wiped(&self) -> bool {
        self.pages.iter().flatten().all(|&number| number == 0)
    }

    /// Sum of all bits' values.
    #[cfg(test)]
    pub(super) fn total(&self) -> u64 {
        self.pages.iter().flatten().map(|&number| u64::from(number)).sum()
    }
}
