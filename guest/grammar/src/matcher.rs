//! Following one answer through a grammar.

use alloc::sync::Arc;

use crate::cache::MaskCache;
use crate::grammar::Grammar;
use crate::mask::Mask;
use crate::states::{DEAD, States};
use crate::trie::{MAX_BYTES, NO_TOKEN, TokenTrie};

/// Most places of the grammar looked at for one mask: about half a second.
const MAX_WORK: usize = 1 << 23;

/// A byte that the grammar does not allow here. The matcher is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at} does not follow the grammar")]
pub struct Refused {
    /// Its index in what was given.
    pub at: usize,
}

/// A mask that takes more work than is taken on: the grammar is too ambiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the grammar is too ambiguous: one mask takes more than {MAX_WORK} steps")]
pub struct TooComplex;

/// How far an answer has come in a grammar.
///
/// It is deterministic: what is allowed is a function of the grammar and the bytes accepted. Where a grammar is so
/// ambiguous, or rules nest so deeply, that a state would pass its bounds, texts that lead there are refused.
#[derive(Clone, Debug)]
pub struct Matcher {
    states: States,
    state: u32,
    masks: MaskCache,
    /// Tokens of the vocabulary that the masks are for.
    vocabulary: usize,
}

impl Matcher {
    /// A matcher at the start of a text.
    #[must_use]
    pub fn new(grammar: Arc<Grammar>) -> Self {
        let (states, state) = States::new(grammar);
        Self { states, state, masks: MaskCache::default(), vocabulary: 0 }
    }

    /// Goes on by the bytes of a token.
    ///
    /// # Errors
    /// They do not continue the text; the matcher is as it was.
    pub fn accept_bytes(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let mut walk = [self.state, self.state];
        for (at, &byte) in bytes.iter().enumerate() {
            self.make_room(&mut walk);
            walk[1] = self.states.step(walk[1], byte);
            if walk[1] == DEAD {
                self.state = walk[0];
                return Err(Refused { at });
            }
        }
        self.state = walk[1];
        Ok(())
    }

    /// Whether the text may end here.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.states.is_end(self.state)
    }

    /// Whether the text may go on. Where it may not and is complete, the answer is finished.
    #[must_use]
    pub fn can_continue(&self) -> bool {
        self.states.has_more(self.state)
    }

    /// Fills `mask` with the tokens that may come next. One matcher is used with one vocabulary.
    ///
    /// A token is allowed if all its bytes continue the text; one that ends an answer, if the text may end here. A mask
    /// without tokens means that the vocabulary cannot spell what the grammar wants.
    ///
    /// # Errors
    /// The grammar is too ambiguous.
    pub fn mask(&mut self, trie: &TokenTrie, mask: &mut Mask) -> Result<(), TooComplex> {
        if mask.tokens() != trie.vocabulary() {
            *mask = Mask::new(trie.vocabulary());
        }
        if self.vocabulary != trie.vocabulary() {
            self.vocabulary = trie.vocabulary();
            self.masks.clear();
        }
        if let Some(words) = self.masks.get(self.state) {
            mask.copy_from(words);
            return Ok(());
        }
        mask.clear();
        self.walk(trie, mask)?;
        self.masks.put(self.state, mask.words());
        Ok(())
    }

    /// Walks trie and grammar together; what the grammar refuses is skipped with all that is below it.
    fn walk(&mut self, trie: &TokenTrie, mask: &mut Mask) -> Result<(), TooComplex> {
        self.states.start_work();
        // For each depth, the state before that byte.
        let mut walk = [DEAD; MAX_BYTES + 1];
        walk[0] = self.state;
        let mut at = 0;
        while let Some(node) = trie.nodes.get(at) {
            let depth = usize::from(node.depth);
            let next = match self.states.known_step(walk[depth], node.byte) {
                Some(next) => next,
                None => self.new_step(&mut walk, depth, node.byte)?,
            };
            if next == DEAD {
                at = node.after as usize;
                continue;
            }
            if node.token != NO_TOKEN {
                mask.allow(node.token);
            }
            if let Some(slot) = walk.get_mut(depth + 1) {
                *slot = next;
            }
            at += 1;
        }
        self.finish(trie, mask);
        Ok(())
    }

    /// A step that was not made before: there may be too many states, or too much work.
    fn new_step(&mut self, walk: &mut [u32], depth: usize, byte: u8) -> Result<u32, TooComplex> {
        self.make_room(walk);
        self.state = walk[0];
        let next = self.states.step(walk[depth], byte);
        if self.states.work() > MAX_WORK { Err(TooComplex) } else { Ok(next) }
    }

    /// Tokens of equal bytes, and those that end the answer.
    fn finish(&self, trie: &TokenTrie, mask: &mut Mask) {
        for &(first, double) in &trie.doubles {
            if mask.allows(first) {
                mask.allow(double);
            }
        }
        if self.is_complete() {
            trie.ends.iter().for_each(|&end| mask.allow(end));
        }
    }

    /// Drops states that are not in use where there are too many.
    fn make_room(&mut self, walk: &mut [u32]) {
        if self.states.is_full() {
            self.states.keep(walk);
            self.masks.clear();
        }
    }
}
