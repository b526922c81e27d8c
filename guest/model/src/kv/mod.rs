//! The KV cache: pages of half floats, or of 8-bit integers, that sequences take as they grow.
//!
//! - [`KvPlan`]: how many pages fit;
//! - [`Sequence`]: the pages of one prompt and its answer;
//! - [`Sharing`]: which sequences share pages that hold the same tokens after the same prefix.
//!
//! Pages get memory at first use. They hold what prompts said, so a page is wiped when nobody holds it: at once, or, where
//! its content may be shared, when it is given away or its scope forgotten. At most [`KvCache::keep_at_most`] pages outlive their sequences,
//! and those go first when pages are needed.

mod page;
mod plan;
mod pool;
mod sharing;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::ops::Range;
use vial_tensor::Isa;

pub(crate) use page::{Half, Part, Vectors};
pub use plan::{KvError, KvKind, KvPlan, KvWish, PAGE_TOKENS};
pub use sharing::Sharing;

use self::page::Pages;
use self::pool::{Content, Pool};
use self::sharing::Scope;
use crate::transformer::Config;

/// Pages of one sequence. Goes back by [`KvCache::close`].
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    pages: Vec<usize>,
    /// Leading pages that are indexed.
    indexed: usize,
}

impl Sequence {
    /// Tokens this sequence may hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.pages.len() * PAGE_TOKENS
    }

    /// Pages it holds.
    #[must_use]
    pub fn pages(&self) -> usize {
        self.pages.len()
    }
}

/// All pages, and who holds them.
#[derive(Debug)]
pub struct KvCache {
    plan: KvPlan,
    pages: Pages,
    pool: Pool,
}

impl KvCache {
    /// A cache of that plan, all pages free. Keeps no pages without a sequence.
    #[must_use]
    pub fn new(config: &Config, plan: KvPlan) -> Self {
        Self { plan, pages: Pages::new(config, plan), pool: Pool::new(plan.pages) }
    }

    /// Most pages that outlive their sequences, to be found again.
    pub fn keep_at_most(&mut self, pages: usize) {
        self.pool.keep_at_most(pages);
        self.trim();
    }

    /// The plan it was made by.
    #[must_use]
    pub fn plan(&self) -> &KvPlan {
        &self.plan
    }

    /// Pages no sequence holds.
    #[must_use]
    pub fn free_pages(&self) -> usize {
        self.pool.available()
    }

    /// Pages that no sequence holds and that are not wiped yet.
    #[must_use]
    pub fn kept_pages(&self) -> usize {
        self.pool.kept()
    }

    /// A sequence of `tokens` with all its pages, or `None` while too few are free.
    pub fn open(&mut self, tokens: usize) -> Option<Sequence> {
        let mut sequence = Sequence::default();
        self.extend(&mut sequence, tokens).then_some(sequence)
    }

    /// Takes pages until `sequence` has room for `tokens`; `false`, and nothing is taken, while too few are free.
    pub fn extend(&mut self, sequence: &mut Sequence, tokens: usize) -> bool {
        let missing = tokens.div_ceil(PAGE_TOKENS).saturating_sub(sequence.pages.len());
        if missing > self.pool.available() {
            return false;
        }
        let taken = (0..missing).map_while(|_| self.take());
        sequence.pages.extend(taken);
        true
    }

    /// Takes the pages that hold what `tokens` continue `sequence` with, as many as are known; gives the tokens that
    /// are in the cache for it then. Pages of `sequence` before that are full.
    pub fn adopt(&mut self, sequence: &mut Sequence, tokens: &[u32], sharing: Sharing) -> usize {
        while sequence.indexed == sequence.pages.len() {
            let Some(content) = content(sequence, sequence.indexed, tokens, sharing) else { break };
            let Some(page) = self.pool.find(&content) else { break };
            sequence.pages.push(page);
            sequence.indexed += 1;
        }
        sequence.capacity()
    }

    /// Lets others find the full pages of `sequence`: those of `tokens`, all of which are computed. A page that is known
    /// already is replaced by the known one.
    pub fn publish(&mut self, sequence: &mut Sequence, tokens: &[u32], sharing: Sharing) {
        while let Some(content) = content(sequence, sequence.indexed, tokens, sharing) {
            let at = sequence.indexed;
            match self.pool.find(&content) {
                Some(known) => {
                    let own = core::mem::replace(&mut sequence.pages[at], known);
                    self.release(own);
                }
                None => self.pool.insert(content, sequence.pages[at]),
            }
            sequence.indexed += 1;
        }
    }

    /// Takes a sequence's pages back but for the first `pages`.
    pub fn truncate(&mut self, sequence: &mut Sequence, pages: usize) {
        self.pool.tick();
        while sequence.pages.len() > pages {
            if let Some(page) = sequence.pages.pop() {
                self.release(page);
            }
        }
        sequence.indexed = sequence.indexed.min(pages);
        self.trim();
    }

    /// Prepares a sequence to be written anew behind its first `tokens`; gives how many of them stay. Pages that others may
    /// find are never written again: from the first that would be, they are given back.
    pub(crate) fn rewind(&mut self, sequence: &mut Sequence, tokens: usize) -> usize {
        if tokens >= sequence.indexed * PAGE_TOKENS {
            return tokens;
        }
        let pages = tokens / PAGE_TOKENS;
        self.truncate(sequence, pages);
        pages * PAGE_TOKENS
    }

    /// Takes a sequence's pages back. What nobody may share is wiped.
    pub fn close(&mut self, mut sequence: Sequence) {
        self.truncate(&mut sequence, 0);
    }

    /// Wipes the kept pages of a scope that nobody will name again. Pages that sequences hold stay.
    pub fn forget(&mut self, scope: u64) {
        for page in self.pool.evict_scope(Scope::Named(scope)) {
            self.pages.wipe(page);
        }
    }

    fn take(&mut self) -> Option<usize> {
        let page = self.pool.take_free().or_else(|| {
            let evicted = self.pool.evict()?;
            self.pages.wipe(evicted);
            self.pool.take_free()
        })?;
        self.pages.prepare(page);
        Some(page)
    }

    fn release(&mut self, page: usize) {
        if self.pool.release(page) {
            self.pages.wipe(page);
        }
    }

    fn trim(&mut self) {
        while let Some(page) = self.pool.evict_surplus() {
            self.pages.wipe(page);
        }
    }

    /// Writes one token's keys or values of one head.
    pub(crate) fn store(
        &mut self,
        isa: Isa,
        sequence: &Sequence,
        position: usize,
        part: Part,
        numbers: &[f32],
    ) {
        let page = sequence.pages[position / PAGE_TOKENS];
        self.pages.store(isa, page, position % PAGE_TOKENS, part, numbers);
    }

    /// One head's keys or values of some tokens of one page of a sequence.
    pub(crate) fn vectors(
        &self,
        sequence: &Sequence,
        page: usize,
        tokens: Range<usize>,
        part: Part,
    ) -> Vectors<'_> {
        self.pages.vectors(sequence.pages[page], tokens, part)
    }
}

/// What page `page` of a sequence of these tokens holds; `None` where it is not full or not shared.
fn content(sequence: &Sequence, page: usize, tokens: &[u32], sharing: Sharing) -> Option<Content> {
    let tokens = *tokens.get(page * PAGE_TOKENS..)?.first_chunk()?;
    let parent = page.checked_sub(1).and_then(|before| sequence.pages.get(before)).copied();
    Some(Content { scope: sharing.scope_of(page)?, is_exact: sharing.is_exact, parent, tokens })
}
