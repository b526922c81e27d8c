//! Who uses each page, which pages are found again by what they hold, and which may be given away.
//!
//! Knows page numbers only, never what a page holds of keys and values: its caller wipes every page that is told to
//! be free again.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::PAGE_TOKENS;
use super::sharing::Scope;

/// What makes two pages one: the same tokens after the same prefix, computed alike, for the same clients.
///
/// Tokens are compared, not only a hash of them. `parent` stands for the whole prefix: a page is kept at least as long as
/// the pages that follow it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Content {
    pub(super) scope: Scope,
    pub(super) is_exact: bool,
    pub(super) parent: Option<usize>,
    pub(super) tokens: [u32; PAGE_TOKENS],
}

#[derive(Clone, Debug, Default)]
struct State {
    /// Sequences that hold it.
    users: usize,
    /// Indexed pages that follow it.
    children: usize,
    /// When a sequence last let go of it.
    stamp: u64,
    /// Where it is indexed.
    content: Option<Content>,
}

/// All pages of a cache.
///
/// Invariant: a page is free, or held by a sequence, or *kept*: indexed and held by none. A kept page without children is
/// in `idle`.
#[derive(Debug)]
pub(super) struct Pool {
    states: Vec<State>,
    free: Vec<usize>,
    index: BTreeMap<Content, usize>,
    /// By stamp, oldest first.
    idle: BTreeSet<(u64, usize)>,
    kept: usize,
    keep_at_most: usize,
    now: u64,
}

impl Pool {
    pub(super) fn new(pages: usize) -> Self {
        Self {
            states: alloc::vec![State::default(); pages],
            free: (0..pages).rev().collect(),
            index: BTreeMap::new(),
            idle: BTreeSet::new(),
            kept: 0,
            keep_at_most: 0,
            now: 0,
        }
    }

    /// Pages that no sequence holds.
    pub(super) fn available(&self) -> usize {
        self.free.len() + self.kept
    }

    /// Pages that are kept for their content alone.
    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    pub(super) fn keep_at_most(&mut self, pages: usize) {
        self.keep_at_most = pages;
    }

    /// A free page for one sequence.
    pub(super) fn take_free(&mut self) -> Option<usize> {
        let page = self.free.pop()?;
        self.states[page].users = 1;
        Some(page)
    }

    /// Frees the kept page that was let go of first, to be wiped by the caller.
    pub(super) fn evict(&mut self) -> Option<usize> {
        let entry = *self.idle.first()?;
        self.free_idle(entry);
        Some(entry.1)
    }

    /// Frees all kept pages of a scope, to be wiped by the caller.
    pub(super) fn evict_scope(&mut self, scope: Scope) -> Vec<usize> {
        let is_of = |states: &[State], page: usize| {
            states[page].content.as_ref().is_some_and(|content| content.scope == scope)
        };
        let mut idle: Vec<_> =
            self.idle.iter().filter(|entry| is_of(&self.states, entry.1)).copied().collect();
        let mut freed = Vec::new();
        while let Some(entry) = idle.pop() {
            let parent = self.free_idle(entry);
            idle.extend(parent.filter(|parent| is_of(&self.states, parent.1)));
            freed.push(entry.1);
        }
        freed
    }

    /// Frees a page of `idle`; gives the page that it followed, if that is idle now.
    fn free_idle(&mut self, entry: (u64, usize)) -> Option<(u64, usize)> {
        self.idle.remove(&entry);
        self.kept -= 1;
        self.free.push(entry.1);
        let content = self.states[entry.1].content.take()?;
        self.index.remove(&content);
        self.lose_child(content.parent)
    }

    /// As [`Self::evict`], while more pages are kept than may be.
    pub(super) fn evict_surplus(&mut self) -> Option<usize> {
        if self.kept > self.keep_at_most { self.evict() } else { None }
    }

    /// Begins a round of [`Self::release`].
    pub(super) fn tick(&mut self) {
        self.now += 1;
    }

    /// A sequence lets go of a page; `true` if it is free now, to be wiped by the caller.
    pub(super) fn release(&mut self, page: usize) -> bool {
        let state = &mut self.states[page];
        state.users -= 1;
        state.stamp = self.now;
        let (is_unused, is_indexed, has_children) =
            (state.users == 0, state.content.is_some(), state.children > 0);
        if is_unused && !is_indexed {
            self.free.push(page);
        } else if is_unused {
            self.kept += 1;
            if !has_children {
                self.idle.insert((self.now, page));
            }
        }
        is_unused && !is_indexed
    }

    /// The page of that content, held by one more sequence.
    pub(super) fn find(&mut self, content: &Content) -> Option<usize> {
        let page = *self.index.get(content)?;
        let state = &mut self.states[page];
        if state.users == 0 {
            self.kept -= 1;
            self.idle.remove(&(state.stamp, page));
        }
        state.users += 1;
        Some(page)
    }

    /// Indexes a page that a sequence holds. Nothing of that content may be indexed.
    pub(super) fn insert(&mut self, content: Content, page: usize) {
        if let Some(parent) = content.parent {
            self.states[parent].children += 1;
        }
        self.states[page].content = Some(content.clone());
        self.index.insert(content, page);
    }

    fn lose_child(&mut self, parent: Option<usize>) -> Option<(u64, usize)> {
        let page = parent?;
        let state = &mut self.states[page];
        state.children -= 1;
        let entry = (state.stamp, page);
        (state.children == 0 && state.users == 0 && self.idle.insert(entry)).then_some(entry)
    }
}
