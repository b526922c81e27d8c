//! An answer that follows a grammar.

use alloc::sync::Arc;
use alloc::vec::Vec;
use vial_grammar::{Grammar, Mask, Matcher, TokenTrie};

use super::request::Vocabulary;
use crate::transformer::PassError;

/// How far one answer has come in its grammar, and which tokens may follow.
#[derive(Debug)]
pub(super) struct Constraint {
    matcher: Matcher,
    trie: Arc<TokenTrie>,
    mask: Mask,
}

impl Constraint {
    /// The start of an answer.
    pub(super) fn new(grammar: Arc<Grammar>, trie: Arc<TokenTrie>) -> Self {
        let mask = Mask::new(trie.vocabulary());
        Self { matcher: Matcher::new(grammar), trie, mask }
    }

    /// The tokens that may come next; at least one.
    ///
    /// # Errors
    /// There is none, or finding out takes more work than is taken on.
    pub(super) fn mask(&mut self) -> Result<&Mask, PassError> {
        self.matcher.mask(&self.trie, &mut self.mask)?;
        if self.mask.is_empty() { Err(PassError::NoToken) } else { Ok(&self.mask) }
    }

    /// Goes on by the bytes of a token that the mask allows; `true` if the answer is complete and cannot go on.
    pub(super) fn accept(&mut self, bytes: &[u8]) -> bool {
        // A token that the mask allows is accepted: both walk the same states.
        self.matcher.accept_bytes(bytes).is_ok() && !self.matcher.can_continue()
    }
}

/// The trie of a vocabulary's tokens.
pub(super) fn trie(vocabulary: &impl Vocabulary, tokens: usize) -> TokenTrie {
    let ends: Vec<u32> = (0..).take(tokens).filter(|&token| vocabulary.is_end(token)).collect();
    TokenTrie::new(tokens, &ends, |token, out| vocabulary.append_bytes(token, out))
}
