//! Rows one by one: the heads that share one key head are one piece of work.

use vial_tensor::{Isa, Softened, Team, for_each_chunk, soft_cap};

use super::{Attention, within};
use crate::kv::{PAGE_TOKENS, Vectors};
use crate::transformer::pass::Row;

impl Attention<'_> {
    pub(super) fn singles(&self, team: &Team<'_>, isa: Isa, out: &mut [f32]) {
        let group = self.config.heads / self.config.kv_heads;
        let len = group * self.config.head_dim;
        let scratch = || (alloc::vec![0.0; group * PAGE_TOKENS], alloc::vec![Softened::NONE; group]);
        for_each_chunk(team, out, len, scratch, |index, out, (scores, sums)| {
            let (row, kv_head) = (index / self.config.kv_heads, index % self.config.kv_heads);
            let queries = &self.queries[index * len..][..len];
            out.fill(0.0);
            sums.fill(Softened::NONE);
            let (dim, cap) = (self.config.head_dim, self.config.attending.score_cap);
            let mut mixer = Mixer { isa, dim, cap, scores, sums, out };
            self.mix(&mut mixer, &self.rows[row], kv_head, queries);
            mixer.finish();
        });
    }

    fn mix(&self, mixer: &mut Mixer<'_>, row: &Row<'_>, kv_head: usize, queries: &[f32]) {
        let seen = self.seen(row);
        for page in seen.start / PAGE_TOKENS..seen.end.div_ceil(PAGE_TOKENS) {
            let tokens = within(&seen, page);
            let [keys, values] = self.vectors(row, page, tokens.clone(), kv_head);
            mixer.page(tokens.len(), queries, keys, values);
        }
    }
}

/// Softmax and weighted sum over pages as they come.
struct Mixer<'a> {
    isa: Isa,
    dim: usize,
    /// Bound of scores.
    cap: Option<f32>,
    /// `[queries, PAGE_TOKENS]`, the front of it used.
    scores: &'a mut [f32],
    /// Of each query.
    sums: &'a mut [Softened],
    /// `[queries, dim]`.
    out: &'a mut [f32],
}

impl Mixer<'_> {
    fn page(&mut self, tokens: usize, queries: &[f32], keys: Vectors<'_>, values: Vectors<'_>) {
        let (isa, dim) = (self.isa, self.dim);
        let scores = &mut self.scores[..self.sums.len() * tokens];
        keys.scores(isa, queries, dim, scores);
        if let Some(cap) = self.cap {
            soft_cap(isa, cap, scores);
        }
        let outs = self.out.chunks_mut(dim).zip(scores.chunks_mut(tokens));
        for ((out, scores), sum) in outs.zip(&mut *self.sums) {
            sum.soften(isa, scores, out);
        }
        values.mix(isa, scores, dim, self.out);
    }

    fn finish(&mut self) {
        for (out, sum) in self.out.chunks_mut(self.dim).zip(&*self.sums) {
            out.iter_mut().for_each(|element| *element /= sum.sum());
        }
    }
}
