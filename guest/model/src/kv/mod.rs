//! The KV cache: pages of half floats shared by all sequences.
//!
//! A sequence holds all the pages it can ever need from the moment it is opened, so that no sequence stops
//! half-way for want of one. Pages get memory at first use and are wiped when a sequence closes: they hold
//! what prompts said.

mod plan;

use alloc::vec;
use alloc::vec::Vec;

pub use plan::{KvError, KvPlan, KvWish, PAGE_TOKENS};

use crate::transformer::Config;

/// Pages of one sequence. Made by [`KvCache::open`]; goes back by [`KvCache::close`].
#[derive(Debug, PartialEq, Eq)]
pub struct Sequence {
    pages: Vec<usize>,
}

impl Sequence {
    /// Tokens this sequence may hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.pages.len() * PAGE_TOKENS
    }
}

/// Keys or values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    Keys,
    Values,
}

/// All pages, and which of them are free.
#[derive(Debug)]
pub struct KvCache {
    plan: KvPlan,
    shape: Shape,
    /// Empty until first used.
    pages: Vec<Vec<u16>>,
    free: Vec<usize>,
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

impl KvCache {
    /// A cache of that plan, all pages free.
    #[must_use]
    pub fn new(config: &Config, plan: KvPlan) -> Self {
        let shape = Shape { layers: config.layers, kv_heads: config.kv_heads, head_dim: config.head_dim };
        Self { plan, shape, pages: vec![Vec::new(); plan.pages], free: (0..plan.pages).rev().collect() }
    }

    /// The plan it was made by.
    #[must_use]
    pub fn plan(&self) -> &KvPlan {
        &self.plan
    }

    /// Pages no sequence holds.
    #[must_use]
    pub fn free_pages(&self) -> usize {
        self.free.len()
    }

    /// Pages for a sequence of `tokens`, or `None` while too few are free.
    pub fn open(&mut self, tokens: usize) -> Option<Sequence> {
        let left = self.free.len().checked_sub(tokens.div_ceil(PAGE_TOKENS))?;
        let pages = self.free.split_off(left);
        for &page in &pages {
            if self.pages[page].is_empty() {
                self.pages[page] = vec![0; self.shape.page_numbers()];
            }
        }
        Some(Sequence { pages })
    }

    /// Takes a sequence's pages back and wipes them.
    pub fn close(&mut self, sequence: Sequence) {
        for &page in &sequence.pages {
            self.pages[page].fill(0);
        }
        self.free.extend(sequence.pages);
    }

    /// Where one token's keys or values of one head go.
    pub(crate) fn slot_mut(
        &mut self,
        sequence: &Sequence,
        position: usize,
        layer: usize,
        (half, kv_head): (Half, usize),
    ) -> &mut [u16] {
        let start =
            self.shape.head_start(layer, half, kv_head) + position % PAGE_TOKENS * self.shape.head_dim;
        let page = &mut self.pages[sequence.pages[position / PAGE_TOKENS]];
        &mut page[start..start + self.shape.head_dim]
    }

    /// One head's keys or values of one page: `[PAGE_TOKENS, head_dim]`, row-major.
    pub(crate) fn page_of_head(
        &self,
        sequence: &Sequence,
        page: usize,
        layer: usize,
        (half, kv_head): (Half, usize),
    ) -> &[u16] {
        let start = self.shape.head_start(layer, half, kv_head);
        &self.pages[sequence.pages[page]][start..start + self.shape.head_numbers()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiny;

    fn cache(pages: usize) -> KvCache {
        let config = tiny::config();
        let wish = KvWish { streams: pages, context: PAGE_TOKENS, budget_bytes: 1 << 30 };
        KvCache::new(&config, KvPlan::new(&config, wish).unwrap())
    }

    #[test]
    fn sequences_share_the_pages_and_give_them_back() {
        let mut cache = cache(4);
        let long = cache.open(129).unwrap();
        assert_eq!((long.capacity(), cache.free_pages()), (192, 1));
        assert_eq!(cache.open(65), None);
        let short = cache.open(1).unwrap();
        cache.close(long);
        assert_eq!(cache.free_pages(), 3);
        cache.close(short);
        assert_eq!(cache.free_pages(), 4);
    }

    #[test]
    fn a_slot_is_seen_in_its_page_alone_and_wiped_on_close() {
        let mut cache = cache(2);
        let sequence = cache.open(128).unwrap();
        cache.slot_mut(&sequence, 65, 1, (Half::Values, 1)).fill(7);
        let page = cache.page_of_head(&sequence, 1, 1, (Half::Values, 1));
        assert_eq!((page[7], page[8], page[15], page[16]), (0, 7, 7, 0));
        let total: u64 = cache.pages.iter().flatten().map(|&number| u64::from(number)).sum();
        assert_eq!(total, 7 * 8);
        cache.close(sequence);
        assert!(cache.pages.iter().flatten().all(|&number| number == 0));
    }
}
