//! Attention of every row of a pass over the cached keys and values of its sequence.

use vial_tensor::{Isa, Team, exp, for_each_chunk, soft_cap};

use super::config::Config;
use super::pass::Row;
use crate::kv::{Half, KvCache, PAGE_TOKENS, Part, Vectors};

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
    /// Writes the mixed values `[rows, heads, head_dim]`. The heads that share one key head are one piece of work.
    pub(super) fn run(&self, team: &Team<'_>, isa: Isa, out: &mut [f32]) {
        let group = self.config.heads / self.config.kv_heads;
        let len = group * self.config.head_dim;
        for_each_chunk(team, out, len, group * (PAGE_TOKENS + 2), &|index, out, scratch| {
            let (row, kv_head) = (index / self.config.kv_heads, index % self.config.kv_heads);
            let queries = &self.queries[index * len..][..len];
            let (scores, sums) = scratch.split_at_mut(group * PAGE_TOKENS);
            let (dim, cap) = (self.config.head_dim, self.config.attending.score_cap);
            let mut mixer = Mixer { isa, dim, cap, scores, sums, out };
            mixer.start();
            self.mix(&mut mixer, &self.rows[row], kv_head, queries);
            mixer.finish();
        });
    }

    fn mix(&self, mixer: &mut Mixer<'_>, row: &Row<'_>, kv_head: usize, queries: &[f32]) {
        let end = row.position + 1;
        let start =
            self.config.attending.window_of(self.layer).map_or(0, |tokens| end.saturating_sub(tokens));
        for page in start / PAGE_TOKENS..end.div_ceil(PAGE_TOKENS) {
            let before = page * PAGE_TOKENS;
            let (first, last) = (start.saturating_sub(before), (end - before).min(PAGE_TOKENS));
            let part = |half| Part { layer: self.layer, half, kv_head };
            let [keys, values] = [Half::Keys, Half::Values]
                .map(|half| self.cache.vectors(row.sequence, page, first..last, part(half)));
            mixer.page(last - first, queries, keys, values);
        }
    }
}

/// Softmax and weighted sum over pages as they come: sums are rescaled whenever a larger score appears.
/// Source: Milakov and Gimelshein, "Online normalizer calculation for softmax" (2018), algorithm 3.
struct Mixer<'a> {
    isa: Isa,
    dim: usize,
    /// Bound of scores.
    cap: Option<f32>,
    /// `[queries, PAGE_TOKENS]`, the front of it used.
    scores: &'a mut [f32],
    /// Largest score so far and sum of weights, for each query.
    sums: &'a mut [f32],
    /// `[queries, dim]`.
    out: &'a mut [f32],
}

impl Mixer<'_> {
    fn start(&mut self) {
        self.out.fill(0.0);
        self.sums.as_chunks_mut::<2>().0.fill([f32::NEG_INFINITY, 0.0]);
    }

    fn page(&mut self, tokens: usize, queries: &[f32], keys: Vectors<'_>, values: Vectors<'_>) {
        let (isa, dim) = (self.isa, self.dim);
        let scores = &mut self.scores[..queries.len() / dim * tokens];
        keys.scores(isa, queries, dim, scores);
        if let Some(cap) = self.cap {
            soft_cap(isa, cap, scores);
        }
        let outs = self.out.chunks_mut(dim).zip(scores.chunks_mut(tokens));
        for ((out, scores), [largest, sum]) in outs.zip(self.sums.as_chunks_mut::<2>().0) {
            let top = scores.iter().copied().fold(*largest, f32::max);
            let factor = libm::expf(*largest - top);
            out.iter_mut().for_each(|element| *element *= factor);
            scores.iter_mut().for_each(|score| *score -= top);
            exp(isa, scores);
            *sum = *sum * factor + scores.iter().sum::<f32>();
            *largest = top;
        }
        values.mix(isa, scores, dim, self.out);
    }

    fn finish(&mut self) {
        for (out, [_, sum]) in self.out.chunks_mut(self.dim).zip(self.sums.as_chunks::<2>().0) {
            out.iter_mut().for_each(|element| *element /= sum);
        }
    }
}
