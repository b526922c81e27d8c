//! What the draft model has seen of a stream.
//!
//! A shadow knows the tokens whose keys and values its sequence holds. Before anything is computed it compares them with what
//! the stream says now, so that it is right whatever happened to the stream: drafts that were wrong, a context that was shifted,
//! pages that were lost, tokens that came by other ways.
//!
//! Where seeing a whole stream costs too much it sees what follows a place near the end, as if the stream began there.

use alloc::vec::Vec;

use super::request::Vocabulary;
use super::stream::Stream;
use super::trust::Margin;
use crate::kv::{KvCache, Sequence};
use crate::sample::Sampler;
use crate::transformer::Row;

/// A stream's tokens in the draft model's cache.
#[derive(Debug, Default)]
pub(super) struct Shadow {
    pub(super) sequence: Sequence,
    /// Tokens of the stream before the first that it sees.
    start: usize,
    /// Tokens in the cache, in order.
    seen: Vec<u32>,
    fork: Option<Fork>,
}

/// Chooses drafted tokens as the stream's own sampler will choose, with the same chance: a draft model that computes what the
/// model computes is always right, at any temperature.
#[derive(Debug)]
struct Fork {
    sampler: Sampler,
    /// Tokens of the stream and its draft.
    at: usize,
    /// Whether nothing can follow.
    is_over: bool,
}

impl Shadow {
    /// Forgets what the stream does not say any more, and takes the pages that are known of what it says.
    pub(super) fn follow(&mut self, cache: &mut KvCache, stream: &Stream) {
        if self.start >= stream.tokens().len() {
            self.restart(cache, 0);
        }
        let same = self.seen.iter().zip(self.said(stream)).take_while(|&(seen, said)| *seen == said).count();
        // The last known token is computed in any case: what follows it is asked for.
        let last = self.last(stream);
        let done = cache.rewind(&mut self.sequence, same.min(last));
        self.seen.truncate(done);
        let end = last.min(stream.tokens().len());
        // Pages are found by all that comes before them.
        if self.start == 0 && done == self.sequence.capacity() && done < end {
            let done = cache.adopt(&mut self.sequence, &stream.tokens()[..end], stream.sharing);
            self.seen.extend(&stream.tokens()[self.seen.len()..done]);
        }
    }

    /// Forgets all, to see what follows the first `start` tokens.
    pub(super) fn restart(&mut self, cache: &mut KvCache, start: usize) {
        cache.truncate(&mut self.sequence, 0);
        self.seen.clear();
        self.start = start;
    }

    /// What it sees of the stream, and what the draft model has said.
    fn said<'s>(&self, stream: &'s Stream) -> impl Iterator<Item = u32> + use<'s> {
        stream.tokens().iter().chain(stream.guess.modelled()).copied().skip(self.start)
    }

    /// Where in the cache the last of it goes.
    fn last(&self, stream: &Stream) -> usize {
        stream.tokens().len() + stream.guess.modelled().len() - self.start - 1
    }

    /// Tokens that it has to see before it says the next; never none after [`Self::follow`].
    pub(super) fn behind<'s>(&self, stream: &'s Stream) -> impl Iterator<Item = u32> + use<'s> {
        self.said(stream).skip(self.seen.len())
    }

    /// Tokens in the cache.
    pub(super) fn done(&self) -> usize {
        self.seen.len()
    }

    /// Whether the draft model may say one more token.
    pub(super) fn may_draft(&self, stream: &Stream) -> bool {
        let drafted = stream.guess.modelled().len();
        match self.fork.as_ref().filter(|fork| fork.at == stream.tokens().len() + drafted) {
            Some(fork) => !fork.is_over,
            None => drafted == 0,
        }
    }

    /// Its next `count` rows; the last token's logits are wanted.
    pub(super) fn rows<'a>(&'a self, stream: &'a Stream, count: usize) -> impl Iterator<Item = Row<'a>> {
        let last = self.last(stream);
        let tokens = (self.seen.len()..).zip(self.behind(stream)).take(count);
        tokens.map(move |(position, token)| Row {
            token,
            position,
            sequence: &self.sequence,
            wants_logits: position == last,
        })
    }

    /// Takes note of `count` tokens computed, and lets others find the full pages of what the stream has said for good; `true`
    /// if the last one was among them.
    pub(super) fn advance(&mut self, cache: &mut KvCache, stream: &Stream, count: usize) -> bool {
        let new: Vec<u32> = self.behind(stream).take(count).collect();
        self.seen.extend(new);
        if self.start == 0 {
            let end = self.seen.len().min(stream.tokens().len());
            cache.publish(&mut self.sequence, &stream.tokens()[..end], stream.sharing);
        }
        self.behind(stream).next().is_none()
    }

    /// Adds what `logits` say to the stream's draft. A token that ends an answer, or that is not among `tokens`, is none to go
    /// on from.
    pub(super) fn draft(
        &mut self,
        stream: &mut Stream,
        logits: &[f32],
        vocabulary: &impl Vocabulary,
        tokens: usize,
    ) {
        let at = stream.tokens().len();
        if !stream.guess.is_modelled() {
            self.fork = Some(Fork { sampler: stream.sampler().clone(), at, is_over: false });
        }
        let Some(fork) = &mut self.fork else { return };
        let logits = &logits[..logits.len().min(tokens)];
        let token = fork.sampler.choose_token(logits, None);
        if vocabulary.is_end(token) {
            fork.is_over = true;
        } else {
            fork.at += 1;
            stream.guess.push(token, Margin::of(logits, token));
        }
    }
}
