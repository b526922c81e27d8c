//! The tokens of a vocabulary, by their bytes.

use alloc::vec::Vec;

use crate::expr::number;

/// Longest token in bytes that a mask can allow; vocabularies have few longer ones, of spaces.
pub(crate) const MAX_BYTES: usize = 255;
/// A place in the trie at which no token ends.
pub(crate) const NO_TOKEN: u32 = u32::MAX;

/// A byte of one or more tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) byte: u8,
    /// Bytes before this one.
    pub(crate) depth: u8,
    /// The token that ends here, or [`NO_TOKEN`].
    pub(crate) token: u32,
    /// The first node that is not below this one.
    pub(crate) after: u32,
}

/// All tokens in order of their bytes, beginnings shared: 12 bytes a node. Built once a model.
///
/// Invariant: nodes are in preorder, so that a node's children follow it.
#[derive(Clone, Debug)]
pub struct TokenTrie {
    pub(crate) nodes: Vec<Node>,
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
        self.nodes.len() * size_of::<Node>() + (self.doubles.len() * 2 + self.ends.len()) * 4
    }

    /// Size of the vocabulary.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    fn empty(vocabulary: usize, ends: &[u32]) -> Self {
        let ends = ends.iter().copied().filter(|&token| (token as usize) < vocabulary).collect();
        Self { nodes: Vec::new(), doubles: Vec::new(), ends, vocabulary }
    }

    /// Adds a token whose bytes come after `last` or are the same.
    fn add(&mut self, last: &[u8], bytes: &[u8], token: u32) {
        let common = last.iter().zip(bytes).take_while(|(one, other)| one == other).count();
        for (depth, &byte) in bytes.iter().enumerate().skip(common) {
            let depth = u8::try_from(depth).unwrap_or(u8::MAX);
            self.nodes.push(Node { byte, depth, token: NO_TOKEN, after: 0 });
        }
        match self.nodes.last_mut() {
            Some(node) if common < bytes.len() => node.token = token,
            Some(node) => self.doubles.push((node.token, token)),
            None => {}
        }
    }

    /// Finds each node's `after`, from the last to the first.
    fn close(&mut self) {
        let mut next_at_depth = [number(self.nodes.len()); 256];
        for (at, node) in self.nodes.iter_mut().enumerate().rev() {
            let depth = usize::from(node.depth);
            node.after = next_at_depth[depth];
            next_at_depth[depth..].fill(number(at));
        }
    }
}
