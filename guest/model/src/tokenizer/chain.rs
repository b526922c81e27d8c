//! Joining neighbours: the lowest rank first, the leftmost of equals.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::ops::Range;

/// Which neighbours join.
pub(super) trait Pairs {
    /// Rank and token of two neighbours joined.
    fn join(&self, left: &Symbol, right: &Symbol) -> Option<(u32, u32)>;
}

/// A token in the making, and the bytes of the piece it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Symbol {
    /// Its token, where the vocabulary has one.
    pub(super) token: Option<u32>,
    pub(super) bytes: Range<usize>,
}

/// The symbols of one piece. Kept from piece to piece for its memory.
#[derive(Debug, Default)]
pub(super) struct Chain {
    links: Vec<Link>,
    joins: BinaryHeap<Reverse<Join>>,
}

/// No neighbour.
const NONE: usize = usize::MAX;

#[derive(Debug)]
struct Link {
    symbol: Symbol,
    before: usize,
    after: usize,
    is_gone: bool,
}

/// A join that may be done. A left symbol only ever grows to its right, so the same end means the same neighbours.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Join {
    rank: u32,
    left: usize,
    end: usize,
    token: u32,
}

impl Chain {
    /// Joins `symbols` as far as `pairs` go.
    pub(super) fn join(&mut self, symbols: impl Iterator<Item = Symbol>, pairs: &impl Pairs) {
        self.fill(symbols);
        for at in 1..self.links.len() {
            self.offer(at - 1, pairs);
        }
        while let Some(Reverse(join)) = self.joins.pop() {
            if self.is_there(&join) {
                self.execute(&join, pairs);
            }
        }
    }

    /// What is left, in order.
    pub(super) fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.links.iter().filter(|link| !link.is_gone).map(|link| &link.symbol)
    }

    fn fill(&mut self, symbols: impl Iterator<Item = Symbol>) {
        self.links.clear();
        self.joins.clear();
        let link = |(at, symbol): (usize, Symbol)| Link {
            symbol,
            before: at.wrapping_sub(1),
            after: at + 1,
            is_gone: false,
        };
        self.links.extend(symbols.enumerate().map(link));
        if let Some(last) = self.links.last_mut() {
            last.after = NONE;
        }
    }

    /// Notes that a link may join the one after it.
    fn offer(&mut self, left: usize, pairs: &impl Pairs) {
        let Some(link) = self.links.get(left) else { return };
        let Some(right) = self.links.get(link.after) else { return };
        if let Some((rank, token)) = pairs.join(&link.symbol, &right.symbol) {
            self.joins.push(Reverse(Join { rank, left, end: right.symbol.bytes.end, token }));
        }
    }

    fn is_there(&self, join: &Join) -> bool {
        let left = &self.links[join.left];
        let right = self.links.get(left.after);
        !left.is_gone && right.is_some_and(|right| right.symbol.bytes.end == join.end)
    }

    fn execute(&mut self, join: &Join, pairs: &impl Pairs) {
        let gone = self.links[join.left].after;
        self.links[gone].is_gone = true;
        let after = self.links[gone].after;
        let link = &mut self.links[join.left];
        link.symbol.token = Some(join.token);
        link.symbol.bytes.end = join.end;
        link.after = after;
        let before = link.before;
        if let Some(next) = self.links.get_mut(after) {
            next.before = join.left;
        }
        self.offer(before, pairs);
        self.offer(join.left, pairs);
    }
}
