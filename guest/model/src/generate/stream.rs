//! One answer in the making.

use alloc::vec::Vec;

use super::request::{Event, Finish, Request, RequestId, Usage, Vocabulary};
use super::text::TextStream;
use crate::kv::Sequence;
use crate::sample::Sampler;
use crate::transformer::Row;

/// A request that has its place in the cache.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: RequestId,
    pub(super) sequence: Sequence,
    pub(super) is_paused: bool,
    sampler: Sampler,
    text: TextStream,
    /// Prompt and answer.
    tokens: Vec<u32>,
    prompt: usize,
    /// Tokens that are in the cache.
    done: usize,
    /// Tokens at which the answer ends.
    end: usize,
}

impl Stream {
    /// A stream for a checked request; `end` is the most tokens of prompt and answer.
    pub(super) fn new(
        id: RequestId,
        request: Request,
        sampler: Sampler,
        sequence: Sequence,
        end: usize,
    ) -> Self {
        let text = TextStream::new(&request.stop);
        let prompt = request.prompt.len();
        Self { id, sequence, is_paused: false, sampler, text, tokens: request.prompt, prompt, done: 0, end }
    }

    /// Whether its next pass gives a token of the answer by one row.
    pub(super) fn is_decoding(&self) -> bool {
        self.done + 1 == self.tokens.len()
    }

    /// Its next rows, at most `most`; the last of them wants logits if it is the last known token.
    pub(super) fn rows(&self, most: usize) -> impl Iterator<Item = Row<'_>> {
        let end = self.tokens.len().min(self.done + most);
        (self.done..end).map(move |position| Row {
            token: self.tokens[position],
            position,
            sequence: &self.sequence,
            wants_logits: position + 1 == self.tokens.len(),
        })
    }

    /// Takes note of rows computed; `logits` follow the last one if it wanted them. Adds what happened to `events`;
    /// `true` if the answer is complete.
    pub(super) fn advance(
        &mut self,
        rows: usize,
        logits: Option<&[f32]>,
        vocabulary: &impl Vocabulary,
        events: &mut Vec<Event>,
    ) -> bool {
        self.done += rows;
        logits.is_some_and(|logits| self.take_token(logits, vocabulary, events))
    }

    fn take_token(&mut self, logits: &[f32], vocabulary: &impl Vocabulary, events: &mut Vec<Event>) -> bool {
        let sampled = self.sampler.choose(logits);
        self.tokens.push(sampled.token);
        if vocabulary.is_end(sampled.token) {
            events.push(self.finish(Finish::Stop));
            return true;
        }
        let mut bytes = Vec::new();
        vocabulary.append_bytes(sampled.token, &mut bytes);
        let ready = self.text.push(&bytes);
        let (id, token, logprobs) = (self.id, sampled.token, sampled.logprobs);
        events.push(Event::Token { id, token, text: ready.text, logprobs });
        let finish = if ready.is_stopped { Finish::Stop } else { Finish::Length };
        let is_over = ready.is_stopped || self.tokens.len() >= self.end;
        if is_over {
            events.push(self.finish(finish));
        }
        is_over
    }

    fn finish(&mut self, finish: Finish) -> Event {
        let usage = Usage { prompt_tokens: self.prompt, completion_tokens: self.tokens.len() - self.prompt };
        Event::Done { id: self.id, text: self.text.finish(), finish, usage }
    }
}
