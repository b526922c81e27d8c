//! Which sequences may share pages.
//!
//! A page that is found again tells, by the time its request takes, that somebody said the same before. So pages are
//! shared by all only where they hold what every client is given anyway; what a client said itself is shared within the
//! scope that its request names, and without a scope with nobody.

use super::PAGE_TOKENS;

/// With whom a page is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// All: the page holds the beginning of what every client is given.
    Public,
    /// Requests that name this scope.
    Named(u64),
}

/// With whom a sequence shares its pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sharing {
    /// Leading tokens that every client is given anyway; whole pages of them are shared by all.
    pub public_tokens: usize,
    /// Who shares the pages that follow; without a scope nobody does, and they are wiped at close.
    pub scope: Option<u64>,
    /// Shares only pages of sequences that say the same here: those whose every page was computed alone.
    pub is_exact: bool,
}

impl Sharing {
    /// With whom page `page` of the sequence is shared, if with anybody.
    pub(super) fn scope_of(self, page: usize) -> Option<Scope> {
        let is_public = (page + 1) * PAGE_TOKENS <= self.public_tokens;
        if is_public { Some(Scope::Public) } else { self.scope.map(Scope::Named) }
    }

    /// Whether page `page` of both sequences is one page, where their tokens are the same.
    #[must_use]
    pub fn joins(self, other: Self, page: usize) -> bool {
        let scope = self.scope_of(page);
        scope.is_some() && scope == other.scope_of(page) && self.is_exact == other.is_exact
    }
}
