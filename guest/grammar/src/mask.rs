//! Which tokens may come next.

use alloc::vec;
use alloc::vec::Vec;

/// One bit a token: set if the token may come next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    words: Vec<u64>,
    tokens: usize,
}

impl Mask {
    /// A mask that allows none of `tokens` tokens.
    #[must_use]
    pub fn new(tokens: usize) -> Self {
        Self { words: vec![0; tokens.div_ceil(64)], tokens }
    }

    /// Whether a token may come next.
    #[must_use]
    pub fn allows(&self, token: u32) -> bool {
        self.words.get(token as usize / 64).is_some_and(|word| word >> (token % 64) & 1 == 1)
    }

    /// Whether no token may come next.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// How many tokens may come next.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// Size of the vocabulary.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// The bits, 64 tokens a word, the first token lowest.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The tokens that may come next, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        let words = (0..).step_by(64).zip(&self.words);
        words.flat_map(|(first, &word)| bits(word).map(move |bit| first + bit))
    }

    pub(crate) fn clear(&mut self) {
        self.words.fill(0);
    }

    pub(crate) fn copy_from(&mut self, words: &[u64]) {
        self.words.copy_from_slice(words);
    }

    /// Allows a token of the vocabulary.
    pub(crate) fn allow(&mut self, token: u32) {
        if let Some(word) = self.words.get_mut(token as usize / 64) {
            *word |= 1 << (token % 64);
        }
    }
}

/// Places of the bits that are set, the lowest first.
fn bits(word: u64) -> impl Iterator<Item = u32> {
    let rest = core::iter::successors(Some(word), |word| Some(word & word.wrapping_sub(1)));
    rest.take_while(|word| *word != 0).map(u64::trailing_zeros)
}
