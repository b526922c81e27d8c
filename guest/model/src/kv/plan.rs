//! How much KV cache a model gets, decided once at start.

use core::fmt;
use vial_tensor::q8_0_bytes;

use crate::transformer::Config;

/// Tokens of one page.
pub const PAGE_TOKENS: usize = 64;

/// How keys and values are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KvKind {
    /// Half floats: each number errs by at most 1/2048 of itself.
    #[default]
    F16,
    /// 8-bit integers with a scale for each 32, in 17/32 of the memory: a number errs by at most 1/254 of the largest of its 32.
    Q8_0,
}

impl KvKind {
    /// Its name, as llama.cpp has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
        }
    }

    /// Bytes of one token's keys, or values, of one head of `head_dim` numbers.
    fn row_bytes(self, head_dim: usize) -> usize {
        match self {
            Self::F16 => 2 * head_dim,
            Self::Q8_0 => q8_0_bytes(head_dim),
        }
    }
}

/// What the cache should hold and may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvWish {
    /// Sequences at once, each of full length.
    pub streams: usize,
    /// Tokens of one sequence, prompt and answer.
    pub context: usize,
    /// Bytes the cache may take.
    pub budget_bytes: u64,
}

/// A cache that fits.
///
/// Holding one proves that at least one sequence of `context` tokens fits the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvPlan {
    /// Pages shared by all sequences.
    pub pages: usize,
    /// Bytes of a page.
    pub page_bytes: u64,
    /// Tokens one sequence may have; never more than the model was trained for.
    pub context: usize,
    /// Sequences at once.
    pub streams: usize,
    /// How keys and values are kept.
    pub kind: KvKind,
}

/// A cache that does not fit, with the arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a context of {context} tokens needs {needed_pages} pages x {page_bytes} bytes \
     (2 x {layers} layers x {kv_heads} heads x {row_bytes} bytes x 64 tokens) = {} bytes of KV cache, \
     {budget_bytes} are left: lower the context to {} or give {} more bytes",
    self.needed_bytes(), self.possible_context(), self.needed_bytes() - budget_bytes
)]
pub struct KvError {
    /// Tokens asked for.
    pub context: usize,
    /// Pages one sequence of that length takes.
    pub needed_pages: usize,
    /// Bytes of a page.
    pub page_bytes: u64,
    /// Layers of the model.
    pub layers: usize,
    /// Heads of keys of a layer.
    pub kv_heads: usize,
    /// Bytes of one head's keys of one token.
    pub row_bytes: usize,
    /// Bytes there are.
    pub budget_bytes: u64,
}

impl KvError {
    fn needed_bytes(&self) -> u64 {
        self.needed_pages as u64 * self.page_bytes
    }

    fn possible_context(&self) -> u64 {
        self.budget_bytes / self.page_bytes * PAGE_TOKENS as u64
    }
}

impl KvPlan {
    /// As many pages of half floats as the wish needs or, where the budget is short, as it allows.
    ///
    /// # Errors
    /// Not even one sequence of the wished length fits.
    pub fn new(config: &Config, wish: KvWish) -> Result<Self, KvError> {
        Self::of_kind(config, wish, KvKind::F16)
    }

    /// As [`Self::new`], of pages of that kind.
    ///
    /// # Errors
    /// Not even one sequence of the wished length fits.
    pub fn of_kind(config: &Config, wish: KvWish, kind: KvKind) -> Result<Self, KvError> {
        let context = wish.context.clamp(1, config.context);
        let (layers, kv_heads) = (config.layers, config.kv_heads);
        let row_bytes = kind.row_bytes(config.head_dim);
        let page_bytes = (2 * layers * kv_heads * row_bytes * PAGE_TOKENS) as u64;
        let needed_pages = context.div_ceil(PAGE_TOKENS);
        let affordable = usize::try_from(wish.budget_bytes / page_bytes).unwrap_or(usize::MAX);
        let streams = wish.streams.max(1);
        if affordable < needed_pages {
            let budget_bytes = wish.budget_bytes;
            return Err(KvError {
                context,
                needed_pages,
                page_bytes,
                layers,
                kv_heads,
                row_bytes,
                budget_bytes,
            });
        }
        let pages = affordable.min(needed_pages.saturating_mul(streams));
        Ok(Self { pages, page_bytes, context, streams, kind })
    }

    /// Bytes of the whole cache.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.pages as u64 * self.page_bytes
    }
}

impl fmt::Display for KvPlan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, pages, bytes) = (self.kind.name(), self.pages, self.bytes());
        write!(out, "{kind}, {pages} pages of {PAGE_TOKENS} tokens, {bytes} bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiny;
    use alloc::string::ToString;

    /// The tiny model takes 2 x 2 layers x 2 heads x 8 x 2 bytes x 64 tokens = 8192 bytes a page.
    fn plan(streams: usize, context: usize, budget_bytes: u64) -> Result<KvPlan, KvError> {
        KvPlan::new(&tiny::config(), KvWish { streams, context, budget_bytes })
    }

    #[test]
    fn pages_follow_the_wish_and_then_the_budget() {
        assert_eq!(plan(4, 100, 1 << 30).unwrap().pages, 8);
        assert_eq!(plan(4, 100, 5 * 8192 + 1).unwrap().pages, 5);
        assert_eq!(plan(1, 1 << 20, 1 << 30).unwrap().context, tiny::config().context);
    }

    #[test]
    fn integers_take_a_block_of_34_bytes_for_each_32_numbers() {
        let wish = KvWish { streams: 1, context: 64, budget_bytes: 1 << 30 };
        let plan = KvPlan::of_kind(&tiny::config(), wish, KvKind::Q8_0).unwrap();
        assert_eq!((plan.page_bytes, plan.kind), (2 * 2 * 2 * 34 * 64, KvKind::Q8_0));
        assert_eq!(plan.to_string(), "q8_0, 1 pages of 64 tokens, 17408 bytes");
    }

    #[test]
    fn a_cache_that_does_not_fit_shows_its_arithmetic() {
        let text = plan(4, 129, 2 * 8192).unwrap_err().to_string();
        let arithmetic = "needs 3 pages x 8192 bytes (2 x 2 layers x 2 heads x 16 bytes x 64 tokens) = 24576";
        assert!(text.contains(arithmetic), "{text}");
        assert!(text.contains("16384 are left: lower the context to 128 or give 8192 more bytes"), "{text}");
    }
}
