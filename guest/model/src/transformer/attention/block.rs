//! Many rows of one sequence: keys and values of a page become floats once for a block of them.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;
use vial_tensor::{FloatPage, HeadRows, Isa, Softened, Team, for_each_chunk, soft_cap};

use super::{Attention, within};
use crate::kv::PAGE_TOKENS;

/// Most rows of a block: so many that a page's turning costs little beside its products.
const MOST_ROWS: usize = 16;
/// Blocks for each cpu, where there are rows enough: later rows see more.
const BLOCKS_EACH: usize = 4;

/// Memory of one cpu.
struct Scratch {
    page: FloatPage,
    /// `[queries, PAGE_TOKENS]`.
    scores: Vec<f32>,
    /// Of each query.
    sums: Vec<Softened>,
}

impl Attention<'_> {
    /// As [`Self::singles`], of rows of one sequence.
    pub(super) fn blocks(&self, team: &Team<'_>, isa: Isa, out: &mut [f32]) {
        let (config, width) = (self.config, self.config.query_width());
        let rows = self.rows.len().div_ceil(BLOCKS_EACH * team.cpus()).clamp(MOST_ROWS / 2, MOST_ROWS);
        let queries = rows * config.heads / config.kv_heads;
        let scratch = || Scratch {
            page: FloatPage::new(PAGE_TOKENS, config.head_dim),
            scores: vec![0.0; queries * PAGE_TOKENS],
            sums: vec![Softened::NONE; queries],
        };
        for_each_chunk(team, out, rows * width, scratch, |index, out, scratch| {
            let first = index * rows;
            let block = self.part(first..first + out.len() / width);
            out.fill(0.0);
            (0..config.kv_heads).for_each(|kv_head| block.head(isa, kv_head, scratch, out));
        });
    }

    /// The heads of all rows that share one key head.
    fn head(&self, isa: Isa, kv_head: usize, scratch: &mut Scratch, out: &mut [f32]) {
        let (config, group) = (self.config, self.config.heads / self.config.kv_heads);
        let heads = HeadRows {
            rows: self.rows.len(),
            stride: config.query_width(),
            heads: group,
            dim: config.head_dim,
        };
        let first = kv_head * group * config.head_dim;
        let (queries, out) = (&self.queries[first..], &mut out[first..]);
        let sums = &mut scratch.sums[..heads.count()];
        sums.fill(Softened::NONE);
        let seen = self.rows.iter().map(|row| self.seen(row));
        let seen: Range<usize> = seen.reduce(|one, next| one.start..next.end).unwrap_or_default();
        for page in seen.start / PAGE_TOKENS..seen.end.div_ceil(PAGE_TOKENS) {
            let tokens = within(&seen, page);
            let [keys, values] = self.vectors(&self.rows[0], page, 0..tokens.end, kv_head);
            keys.to_keys(isa, &mut scratch.page);
            values.to_values(isa, &mut scratch.page);
            let scores = &mut scratch.scores[..heads.count() * PAGE_TOKENS];
            scratch.page.scores(isa, queries, heads, tokens.clone(), scores);
            if let Some(cap) = config.attending.score_cap {
                soft_cap(isa, cap, scores);
            }
            self.soften(isa, page, heads, scores, sums, out);
            scratch.page.mix(isa, scores, heads, tokens, out);
        }
        for (vector, sum) in sums.iter().enumerate() {
            let out = &mut out[heads.start(vector)..][..heads.dim];
            out.iter_mut().for_each(|element| *element /= sum.sum());
        }
    }

    /// Makes scores weights; those of places that a row does not see are nothing.
    fn soften(
        &self,
        isa: Isa,
        page: usize,
        heads: HeadRows,
        scores: &mut [f32],
        sums: &mut [Softened],
        out: &mut [f32],
    ) {
        for (vector, (scores, sum)) in scores.chunks_mut(PAGE_TOKENS).zip(sums).enumerate() {
            let seen = within(&self.seen(&self.rows[vector / heads.heads]), page);
            sum.soften(isa, &mut scores[seen.clone()], &mut out[heads.start(vector)..][..heads.dim]);
            scores[..seen.start].fill(0.0);
            scores[seen.end..].fill(0.0);
        }
    }
}
