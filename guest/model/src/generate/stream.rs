//! One answer in the making.

use alloc::vec::Vec;

use super::constraint::Constraint;
use super::guess::Guess;
use super::request::{Event, Finish, Overflow, Request, RequestId, Usage, Vocabulary};
use super::text::TextStream;
use crate::kv::{KvCache, PAGE_TOKENS, Sequence, Sharing};
use crate::sample::Sampler;
use crate::transformer::Row;

/// A request that has its place in passes.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: RequestId,
    pub(super) client: u64,
    pub(super) sequence: Sequence,
    pub(super) sharing: Sharing,
    pub(super) is_paused: bool,
    has_begun: bool,
    pub(super) is_deterministic: bool,
    /// Drafted tokens to check in the next pass, and how well they did.
    pub(super) guess: Guess,
    sampler: Sampler,
    constraint: Option<Constraint>,
    text: TextStream,
    overflow: Overflow,
    /// Most tokens there may be at once.
    context: usize,
    /// What the model sees: prompt and answer without what was dropped.
    tokens: Vec<u32>,
    /// Tokens that are in the cache.
    done: usize,
    /// Tokens that are computed in chunks; each later one was chosen by a pass of its own.
    chunked: usize,
    /// Tokens found in the cache before the first was computed.
    cached: usize,
    has_computed: bool,
    prompt: usize,
    answered: usize,
    max_tokens: usize,
}

impl Stream {
    /// A stream for a checked request.
    pub(super) fn new(
        id: RequestId,
        request: Request,
        sampler: Sampler,
        constraint: Option<Constraint>,
        public: &[u32],
        context: usize,
    ) -> Self {
        let same = |(one, other): &(&u32, &u32)| one == other;
        let public_tokens = request.prompt.iter().zip(public).take_while(same).count();
        let (scope, is_exact) = (request.cache_scope, request.is_deterministic);
        let prompt = request.prompt.len();
        Self {
            id,
            client: request.client,
            sequence: Sequence::default(),
            sharing: Sharing { public_tokens, scope, is_exact },
            is_paused: false,
            has_begun: false,
            is_deterministic: request.is_deterministic,
            guess: Guess::default(),
            sampler,
            constraint,
            text: TextStream::new(&request.stop),
            overflow: request.overflow,
            context,
            tokens: request.prompt,
            done: 0,
            chunked: prompt,
            cached: 0,
            has_computed: false,
            prompt,
            answered: 0,
            max_tokens: request.max_tokens,
        }
    }

    /// What the model sees.
    pub(super) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Tokens that are in the cache.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// Known tokens that are not in the cache; never none.
    pub(super) fn pending(&self) -> usize {
        self.tokens.len() - self.done
    }

    /// Whether one row gives its next token.
    pub(super) fn is_decoding(&self) -> bool {
        self.pending() == 1
    }

    /// Known tokens of the next pass of a deterministic stream: always the same, whatever else is computed. Chunks end
    /// where their numbers of `chunk` tokens end; what was chosen token by token is computed token by token again.
    pub(super) fn fixed_rows(&self, chunk: usize) -> usize {
        let end = (self.done / chunk + 1) * chunk;
        end.min(self.chunked).saturating_sub(self.done).max(1)
    }

    /// Whether it takes part in passes.
    pub(super) fn is_active(&self) -> bool {
        !self.is_paused
    }

    /// Whether it has been given pages to go on with.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Takes note that it may take pages.
    pub(super) fn begin(&mut self) {
        self.has_begun = true;
    }

    /// Takes note that its pages are gone.
    pub(super) fn restart(&mut self) {
        (self.has_begun, self.done) = (false, 0);
        self.guess.keep(0);
    }

    /// Takes the known pages that go on where its own end, if these are full.
    pub(super) fn adopt(&mut self, cache: &mut KvCache) {
        if self.done == self.sequence.capacity() {
            // The last known token is computed in any case: what follows it is asked for.
            let end = self.tokens.len() - 1;
            let end = if self.is_deterministic { end.min(self.chunked) } else { end };
            self.done = cache.adopt(&mut self.sequence, &self.tokens[..end], self.sharing);
            self.cached = if self.has_computed { self.cached } else { self.done };
        }
    }

    /// Lets others find its full pages.
    pub(super) fn publish(&mut self, cache: &mut KvCache) {
        let end = if self.is_deterministic { self.done.min(self.chunked) } else { self.done };
        cache.publish(&mut self.sequence, &self.tokens[..end], self.sharing);
    }

    /// Most tokens that may be drafted: all but the last of those that may follow.
    pub(super) fn draft_room(&self) -> usize {
        self.context.saturating_sub(self.tokens.len()).min(self.left()).saturating_sub(1)
    }

    /// Most tokens that may follow.
    pub(super) fn left(&self) -> usize {
        self.max_tokens.saturating_sub(self.answered)
    }

    /// Chooses its tokens.
    pub(super) fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    /// Looks at most `most` tokens up; gives the estimated probability that the first is right.
    pub(super) fn look_up(&mut self, most: usize) -> f32 {
        self.guess.look_up(&self.tokens, most.min(self.draft_room()));
        if self.guess.draft().is_empty() { 0.0 } else { self.guess.likely(0) }
    }

    /// Its rows of the next pass: `known` tokens, then the draft if these are all. Rows that an unknown token follows
    /// want logits.
    pub(super) fn rows(&self, known: usize) -> impl Iterator<Item = Row<'_>> {
        let all = self.done..self.done + known + self.drafted(known);
        all.map(move |position| Row {
            token: self.token(position),
            position,
            sequence: &self.sequence,
            wants_logits: position + 1 >= self.tokens.len(),
        })
    }

    /// Logits that these rows want.
    pub(super) fn wanted(&self, known: usize) -> usize {
        if known == self.pending() { 1 + self.drafted(known) } else { 0 }
    }

    /// Drafted tokens that follow the next `known`.
    pub(super) fn drafted(&self, known: usize) -> usize {
        if known == self.pending() { self.guess.draft().len() } else { 0 }
    }

    fn token(&self, position: usize) -> u32 {
        let drafted = || self.guess.draft()[position - self.tokens.len()];
        self.tokens.get(position).copied().unwrap_or_else(drafted)
    }

    /// Takes note of `known` tokens computed; `logits` are those of the rows that wanted them. Adds what happened to
    /// `events`; `true` if the answer is complete.
    ///
    /// Every token is chosen by the sampler from the logits behind the tokens chosen before. A draft only lets these logits
    /// be there sooner: they count while the draft has said what the sampler then chose.
    pub(super) fn advance<'l>(
        &mut self,
        known: usize,
        logits: impl Iterator<Item = &'l [f32]>,
        vocabulary: &impl Vocabulary,
        events: &mut Vec<Event>,
    ) -> bool {
        self.done += known;
        self.has_computed = true;
        let draft = self.guess.take_draft();
        let (mut right, mut is_over) = (0, false);
        for logits in logits {
            let token;
            (token, is_over) = self.take_token(logits, vocabulary, events);
            if is_over || draft.get(right) != Some(&token) {
                break;
            }
            right += 1;
            self.done += 1;
        }
        // Where the answer is over, the rest of the draft was neither right nor wrong.
        self.guess.learn(right, if is_over { right } else { draft.len() });
        is_over
    }

    fn take_token(
        &mut self,
        logits: &[f32],
        vocabulary: &impl Vocabulary,
        events: &mut Vec<Event>,
    ) -> (u32, bool) {
        let id = self.id;
        let mask = match self.constraint.as_mut().map(Constraint::mask).transpose() {
            Ok(mask) => mask,
            Err(error) => {
                events.push(Event::Failed { id, error });
                // No token: the stream is over.
                return (0, true);
            }
        };
        let sampled = self.sampler.choose(logits, mask);
        let token = sampled.token;
        self.tokens.push(token);
        self.answered += 1;
        if vocabulary.is_end(token) {
            events.push(self.finish(Finish::Stop));
            return (token, true);
        }
        let mut bytes = Vec::new();
        vocabulary.append_bytes(token, &mut bytes);
        let is_complete = self.constraint.as_mut().is_some_and(|constraint| constraint.accept(&bytes));
        let ready = self.text.push(&bytes);
        let is_stopped = ready.is_stopped || is_complete;
        events.push(Event::Token { id, token, text: ready.text, logprobs: sampled.logprobs });
        let is_full = self.tokens.len() >= self.context && self.overflow == Overflow::Stop;
        let is_over = is_stopped || is_full || self.answered >= self.max_tokens;
        if is_over {
            events.push(self.finish(if is_stopped { Finish::Stop } else { Finish::Length }));
        }
        (token, is_over)
    }

    fn finish(&mut self, finish: Finish) -> Event {
        let usage = Usage {
            prompt_tokens: self.prompt,
            cached_tokens: self.cached,
            completion_tokens: self.answered,
        };
        Event::Done { id: self.id, text: self.text.finish(), finish, usage }
    }

    /// Drops the older half of what may be dropped, where the context is full.
    pub(super) fn shift(&mut self, cache: &mut KvCache) {
        let Overflow::Shift { keep } = self.overflow else { return };
        if self.tokens.len() < self.context {
            return;
        }
        let keep = keep.min(self.prompt);
        let dropped = keep..keep + (self.tokens.len() - keep).div_ceil(2);
        let pages = dropped.start / PAGE_TOKENS;
        self.done = self.done.min(pages * PAGE_TOKENS);
        self.sharing.public_tokens = self.sharing.public_tokens.min(dropped.start);
        self.tokens.drain(dropped);
        self.chunked = self.tokens.len();
        cache.truncate(&mut self.sequence, pages);
    }
}
