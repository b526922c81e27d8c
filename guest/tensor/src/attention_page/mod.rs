//! Attention of many queries over one page of the cache, as prompts have them.
//!
//! Keys and values become floats once for all queries. Keys are turned on their side, so that one register holds one column
//! of sixteen keys, queries are broadcast, and no sum needs a joining of lanes: a panel, as many inputs have for weights.
//! Each query's sums run in the same order whatever queries are computed beside it.

mod cached;
mod product;

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::Isa;
use crate::attention_q8_0::Blocks;
use crate::simd::Line;
pub(crate) use cached::Cached;
use cached::{Halves, Keys, Values};
use product::{Lines, Product};

/// Memory of one cpu for the keys and values of one head in one page.
#[derive(Debug)]
pub struct FloatPage {
    tokens: usize,
    dim: usize,
    /// `[column][tokens / 16]`: an element of sixteen keys.
    keys: Vec<Line>,
    /// `[token][dim / 16]`.
    values: Vec<Line>,
}

/// Where queries, or sums, lie: rows are `stride` apart, and in each row `heads` vectors of `dim` follow each other. They are
/// numbered row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadRows {
    /// Rows.
    pub rows: usize,
    /// Elements from one row to the next.
    pub stride: usize,
    /// Heads that share keys.
    pub heads: usize,
    /// Elements of a vector.
    pub dim: usize,
}

impl HeadRows {
    /// How many vectors they are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rows * self.heads
    }

    /// Where one of them starts.
    #[must_use]
    pub fn start(&self, vector: usize) -> usize {
        vector / self.heads * self.stride + vector % self.heads * self.dim
    }

    fn check(&self, page: &FloatPage, elements: usize, weights: usize, tokens: &Range<usize>) {
        assert!(self.dim == page.dim && self.count() > 0, "vectors of another page: {self:?}");
        let end = self.start(self.count() - 1) + self.dim;
        assert!(end <= elements, "{self:?} in {elements} elements");
        assert!(weights == self.count() * page.tokens, "{weights} weights of {self:?}");
        assert!(tokens.start <= tokens.end && tokens.end <= page.tokens, "{tokens:?} of {}", page.tokens);
    }
}

impl FloatPage {
    /// Memory for pages of so many tokens, a multiple of 16, and vectors of `dim` elements.
    ///
    /// # Panics
    /// If there are no elements or `tokens` is no multiple of 16.
    #[must_use]
    pub fn new(tokens: usize, dim: usize) -> Self {
        assert!(dim > 0 && tokens.is_multiple_of(16), "{tokens} tokens of {dim} elements");
        let lines = vec![Line::ZERO; tokens * dim.div_ceil(16)];
        Self { tokens, dim, keys: lines.clone(), values: lines }
    }

    /// Takes in keys `[some tokens, dim]`, from the page's first on.
    ///
    /// # Panics
    /// If they are no vectors, or more than a page has.
    pub fn set_keys_f16(&mut self, isa: Isa, keys: &[u16]) {
        let tokens = self.tokens_of(keys.len(), self.dim);
        let cached = Halves { cache: keys, dim: self.dim };
        isa.run(Keys { page: self, cached, tokens });
    }

    /// Takes in values; as [`Self::set_keys_f16`].
    ///
    /// # Panics
    /// As [`Self::set_keys_f16`].
    pub fn set_values_f16(&mut self, isa: Isa, values: &[u16]) {
        let tokens = self.tokens_of(values.len(), self.dim);
        let cached = Halves { cache: values, dim: self.dim };
        isa.run(Values { page: self, cached, tokens });
    }

    /// Takes in keys of blocks of integers; as [`Self::set_keys_f16`].
    ///
    /// # Panics
    /// As [`Self::set_keys_f16`].
    pub fn set_keys_q8_0(&mut self, isa: Isa, keys: &[u8]) {
        let cached = Blocks::new(keys, self.dim);
        let tokens = self.tokens_of(cached.count(), 1);
        isa.run(Keys { page: self, cached, tokens });
    }

    /// Takes in values of blocks of integers; as [`Self::set_keys_f16`].
    ///
    /// # Panics
    /// As [`Self::set_keys_f16`].
    pub fn set_values_q8_0(&mut self, isa: Isa, values: &[u8]) {
        let cached = Blocks::new(values, self.dim);
        let tokens = self.tokens_of(cached.count(), 1);
        isa.run(Values { page: self, cached, tokens });
    }

    fn tokens_of(&self, elements: usize, dim: usize) -> usize {
        let tokens = elements / dim;
        assert!(elements.is_multiple_of(dim) && tokens <= self.tokens, "{elements} elements by {dim}");
        tokens
    }

    /// Writes the dot product of each query with the keys of `tokens`, and with up to fifteen on either side.
    ///
    /// Shapes: `queries` as `rows` says; `scores` `[count, the page's tokens]`.
    ///
    /// # Panics
    /// If the lengths do not fit.
    pub fn scores(
        &self,
        isa: Isa,
        queries: &[f32],
        rows: HeadRows,
        tokens: Range<usize>,
        scores: &mut [f32],
    ) {
        rows.check(self, queries.len(), scores.len(), &tokens);
        let groups = self.tokens / 16;
        for group in tokens.start / 16..tokens.end.div_ceil(16) {
            let lines = Lines { lines: &self.keys, first: group, stride: groups, columns: 0..self.dim };
            let product = Product { lines, inputs: queries, out: scores, len: 16, is_later: false };
            product.all(
                isa,
                rows.count(),
                |query| rows.start(query),
                |query| query * self.tokens + group * 16,
            );
        }
    }

    /// Adds to each output the weighted sum of the values of `tokens`.
    ///
    /// Shapes: `weights` `[count, the page's tokens]`; `out` as `rows` says.
    ///
    /// # Panics
    /// If the lengths do not fit.
    pub fn mix(&self, isa: Isa, weights: &[f32], rows: HeadRows, tokens: Range<usize>, out: &mut [f32]) {
        rows.check(self, out.len(), weights.len(), &tokens);
        let units = self.dim.div_ceil(16);
        for unit in 0..units {
            let lines = Lines { lines: &self.values, first: unit, stride: units, columns: tokens.clone() };
            let len = (self.dim - unit * 16).min(16);
            let product = Product { lines, inputs: weights, out, len, is_later: true };
            product.all(
                isa,
                rows.count(),
                |query| query * self.tokens,
                |query| rows.start(query) + unit * 16,
            );
        }
    }
}
