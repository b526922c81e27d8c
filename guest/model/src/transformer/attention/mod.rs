//! Attention of every row of a pass over the cached keys and values of its sequence.

mod block;
mod single;

use core::ops::Range;
use vial_tensor::{Isa, Team};

use super::config::Config;
use super::pass::Row;
use crate::kv::{Half, KvCache, PAGE_TOKENS, Part, Vectors};

/// Rows of one sequence that make it worth to turn its keys into floats. Drafts and what is decoded are fewer.
const MANY: usize = 16;

/// What attention of one layer reads.
pub(super) struct Attention<'a> {
    pub(super) config: &'a Config,
    pub(super) cache: &'a KvCache,
    pub(super) layer: usize,
    pub(super) rows: &'a [Row<'a>],
    /// Queries `[rows, heads, head_dim]`, already scaled.
    pub(super) queries: &'a [f32],
}

impl Attention<'_> {
    /// Writes the mixed values `[rows, heads, head_dim]`.
    pub(super) fn run(&self, team: &Team<'_>, isa: Isa, out: &mut [f32]) {
        let mut start = 0;
        while start < self.rows.len() {
            let many = self.same_sequence(start);
            let end = if many.len() >= MANY { many.end } else { self.few_from(start) };
            let part = self.part(start..end);
            let out = &mut out[start * self.config.query_width()..end * self.config.query_width()];
            if many.len() >= MANY {
                part.blocks(team, isa, out)
            } else {
                part.singles(team, isa, out)
            }
            start = end;
        }
    }

    fn part(&self, rows: Range<usize>) -> Self {
        let width = self.config.query_width();
        let queries = &self.queries[rows.start * width..rows.end * width];
        Self { rows: &self.rows[rows], queries, ..*self }
    }

    /// The rows from `start` on that are of its sequence.
    fn same_sequence(&self, start: usize) -> Range<usize> {
        let rest = &self.rows[start..];
        let same = rest.iter().take_while(|row| core::ptr::eq(row.sequence, rest[0].sequence));
        start..start + same.count()
    }

    /// Where the next sequence of many rows starts, or the rows end.
    fn few_from(&self, mut start: usize) -> usize {
        while start < self.rows.len() {
            let same = self.same_sequence(start);
            if same.len() >= MANY {
                break;
            }
            start = same.end;
        }
        start
    }

    /// First and last place that a row sees, the latter not included.
    fn seen(&self, row: &Row<'_>) -> Range<usize> {
        let end = row.position + 1;
        let window = self.config.attending.window_of(self.layer);
        window.map_or(0, |tokens| end.saturating_sub(tokens))..end
    }

    fn vectors(&self, row: &Row<'_>, page: usize, tokens: Range<usize>, kv_head: usize) -> [Vectors<'_>; 2] {
        [Half::Keys, Half::Values].map(|half| {
            self.cache.vectors(row.sequence, page, tokens.clone(), Part { layer: self.layer, half, kv_head })
        })
    }
}

/// The part of `seen` that lies in a page, from the page's start.
fn within(seen: &Range<usize>, page: usize) -> Range<usize> {
    let from_start = |at: usize| at.saturating_sub(page * PAGE_TOKENS).min(PAGE_TOKENS);
    from_start(seen.start)..from_start(seen.end)
}
