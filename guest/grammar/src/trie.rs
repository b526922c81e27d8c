//! The tokens of a vocabulary, by their bytes.

use alloc::vec::Vec;

use crate::expr::number;

/// Longest token in bytes that a mask can allow; vocabularies have few longer ones, of spaces.
pub(crate) const MAX_BYTES: usize = 255;
/// A place in the trie at which no token ends.
pub(crate) const NO_TOKEN: u32 = u32::MAX;

/// All tokens in order of their bytes, beginnings shared: 10 bytes a node. Built once a model.
///
/// Invariant: nodes are in preorder; a node's children follow it, and `after` is the first node that is not below it.
#[derive(Clone, Debug)]
pub struct TokenTrie {
    pub(crate) bytes: Vec<u8>,
    /// Bytes before a node's own.
    pub(crate) depths: Vec<u8>,
    pub(crate) after: Vec<u32>,
    /// The token that ends at a node.
    pub(crate) tokens: Vec<u32>,
    /// Further tokens of the same bytes, after the first.
    pub(crate) doubles: Vec<(u32, u32)>,
    /// Tokens that end an answer.
    pub(crate) ends: Vec<u32>,
    pub(crate) vocabulary: usize,
}

impl TokenTrie {
    /// The trie of the tokens from 0 to `vocabulary`.
    ///
    /// `bytes_of` appends the bytes of a token, and nothing for control tokens, which no grammar allows. `ends` are the
    /// tokens that end an answer: they are allowed exactly where a grammar may end. Measured.
    #[must_use]
    pub fn new(vocabulary: usize, ends: &[u32], mut bytes_of: impl FnMut(u32, &mut Vec<u8>)) -> Self {
        let (mut text, mut tokens) = (Vec::new(), Vec::new());
        for token in (0..number(vocabulary)).filter(|token| !ends.contains(token)) {
            let start = text.len();
            bytes_of(token, &mut text);
            match text.len() - start {
                1..=MAX_BYTES => tokens.push((start, text.len(), token)),
                _ => text.truncate(start),
            }
        }
        tokens.sort_by(|one, other| text[one.0..one.1].cmp(&text[other.0..other.1]));
        let mut trie = Self::empty(vocabulary, ends);
        let mut last: &[u8] = &[];
        for (start, end, token) in tokens {
            let bytes = &text[start..end];
            trie.add(last, bytes, token);
            last = bytes;
        }
        trie.close();
        trie
    }

    /// Memory it takes, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.bytes.len() * 10 + (self.doubles.len() * 2 + self.ends.len()) * 4
    }

    /// Size of the vocabulary.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    fn empty(vocabulary: usize, ends: &[u32]) -> Self {
        let (bytes, depths, after, tokens) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let ends = ends.iter().copied().filter(|&token| (token as usize) < vocabulary).collect();
        Self { bytes, depths, after, tokens, doubles: Vec::new(), ends, vocabulary }
    }

    /// Adds a token whose bytes come after `last` or are the same.
    fn add(&mut self, last: &[u8], bytes: &[u8], token: u32) {
        let common = last.iter().zip(bytes).take_while(|(one, other)| one == other).count();
        if common == bytes.len() {
            self.doubles.push((self.tokens[self.tokens.len() - 1], token));
            return;
        }
        for (depth, &byte) in bytes.iter().enumerate().skip(common) {
            self.bytes.push(byte);
            self.depths.push(u8::try_from(depth).unwrap_or(u8::MAX));
            self.tokens.push(NO_TOKEN);
        }
        let at = self.tokens.len() - 1;
        self.tokens[at] = token;
    }

    /// Finds each node's `after`, from the last to the first.
    fn close(&mut self) {
        let count = number(self.bytes.len());
        let mut next_at_depth = [count; 256];
        self.after = alloc::vec![count; self.bytes.len()];
        for node in (0..self.bytes.len()).rev() {
            let depth = usize::from(self.depths[node]);
            self.after[node] = next_at_depth[depth];
            next_at_depth[depth..].fill(number(node));
        }
    }
}
