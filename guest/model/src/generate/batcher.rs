//! Continuous batching: every pass serves all streams; new requests join at the next pass.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::embed::Embedding;
use super::request::{Event, Request, RequestId, SubmitError, Vocabulary};
use super::stream::Stream;
use crate::kv::KvCache;
use crate::sample::Sampler;
use crate::transformer::{Engine, Pass, PassError, Row, Transformer};
use crate::weights::Weights;

/// Rows of prompts in a pass that also decodes: few, so that decoding streams keep their pace.
const PREFILL_BESIDE_DECODE: usize = 32;

/// How much a batcher takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most requests generated at once.
    pub streams: usize,
    /// Most requests that wait for a place.
    pub waiting: usize,
}

/// Generates answers to all its requests, one pass at a time.
#[derive(Debug)]
pub struct Batcher<V> {
    pub(super) model: Transformer,
    vocabulary: V,
    pub(super) cache: KvCache,
    pub(super) pass: Pass,
    pub(super) limits: Limits,
    waiting: VecDeque<(RequestId, Request, Sampler)>,
    streams: Vec<Stream>,
    pub(super) embeddings: VecDeque<Embedding>,
    next_id: u64,
}

impl<V: Vocabulary> Batcher<V> {
    /// A batcher without requests. `pass` has room for a row of each stream at least.
    #[must_use]
    pub fn new(model: Transformer, vocabulary: V, cache: KvCache, pass: Pass, limits: Limits) -> Self {
        let limits = Limits { streams: limits.streams.clamp(1, pass.max_rows()), ..limits };
        let (waiting, streams, embeddings) = (VecDeque::new(), Vec::new(), VecDeque::new());
        Self { model, vocabulary, cache, pass, limits, waiting, streams, embeddings, next_id: 0 }
    }

    /// Takes a request; it joins a pass when there is a place for it.
    ///
    /// # Errors
    /// What is wrong with it, or that too many wait.
    pub fn submit(&mut self, request: Request) -> Result<RequestId, SubmitError> {
        request.check(self.model.config.vocabulary, self.cache.plan().context)?;
        if self.waiting.len() >= self.limits.waiting && !self.has_place() {
            return Err(SubmitError::Full { waiting: self.waiting.len() });
        }
        let sampler = Sampler::new(request.sampling.clone(), &request.prompt)?;
        let id = self.new_id();
        self.waiting.push_back((id, request, sampler));
        self.admit();
        Ok(id)
    }

    /// A name that no request had.
    pub(super) fn new_id(&mut self) -> RequestId {
        self.next_id += 1;
        RequestId(self.next_id - 1)
    }

    /// Ends a request without an event; its pages are free at once.
    pub fn cancel(&mut self, id: RequestId) {
        self.waiting.retain(|(waiting, ..)| *waiting != id);
        if let Some(at) = self.streams.iter().position(|stream| stream.id == id) {
            self.close(at);
        }
        self.cancel_embedding(id);
    }

    /// Leaves a request out of passes, for a reader that is slow, or takes it in again.
    pub fn set_paused(&mut self, id: RequestId, is_paused: bool) {
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == id) {
            stream.is_paused = is_paused;
        }
    }

    /// Whether a step would do nothing.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.embeddings.is_empty() && self.streams.iter().all(|stream| stream.is_paused)
    }

    /// Requests being generated, and waiting for a place.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        (self.streams.len(), self.waiting.len())
    }

    /// The vocabulary.
    #[must_use]
    pub fn vocabulary(&self) -> &V {
        &self.vocabulary
    }

    /// Tokens a sequence may have.
    #[must_use]
    pub fn context(&self) -> usize {
        self.cache.plan().context
    }

    /// Runs one pass and tells what happened. A pass that fails ends every request of it.
    pub fn step(&mut self, weights: &mut impl Weights, engine: Engine<'_>) -> Vec<Event> {
        self.admit();
        let shares = self.shares();
        let rows: Vec<Row<'_>> = shares.iter().flat_map(|&(at, most)| self.streams[at].rows(most)).collect();
        if rows.is_empty() {
            return self.step_embedding(weights, engine, true).into_iter().collect();
        }
        let counts: Vec<(usize, usize, bool)> = counts(&shares, &self.streams);
        let mut events = Vec::new();
        let mut ended = Vec::new();
        match self.pass.run(&self.model, weights, &mut self.cache, engine, &rows) {
            Ok(logits) => {
                let mut logits = logits.chunks(self.model.config.vocabulary);
                for (at, rows, wants_logits) in counts {
                    let logits = wants_logits.then(|| logits.next()).flatten();
                    if self.streams[at].advance(rows, logits, &self.vocabulary, &mut events) {
                        ended.push(at);
                    }
                }
            }
            Err(error) => ended = self.fail(&counts, &error, &mut events),
        }
        ended.sort_unstable_by(|one, other| other.cmp(one));
        ended.into_iter().for_each(|at| self.close(at));
        events.extend(self.step_embedding(weights, engine, false));
        self.admit();
        events
    }

    fn fail(
        &self,
        counts: &[(usize, usize, bool)],
        error: &PassError,
        events: &mut Vec<Event>,
    ) -> Vec<usize> {
        let failed = |&(at, ..): &(usize, usize, bool)| Event::Failed {
            id: self.streams[at].id,
            error: error.clone(),
        };
        events.extend(counts.iter().map(failed));
        counts.iter().map(|&(at, ..)| at).collect()
    }

    /// Which streams take part in the next pass, with how many rows at most: all that decode, then prompts.
    fn shares(&self) -> Vec<(usize, usize)> {
        let active = || self.streams.iter().enumerate().filter(|(_, stream)| !stream.is_paused);
        let mut shares: Vec<_> =
            active().filter(|(_, stream)| stream.is_decoding()).map(|(at, _)| (at, 1)).collect();
        let room = self.pass.max_rows() - shares.len();
        let mut room = if shares.is_empty() { room } else { room.min(PREFILL_BESIDE_DECODE) };
        for (at, stream) in active().filter(|(_, stream)| !stream.is_decoding()) {
            let rows = stream.rows(room).count();
            if rows > 0 {
                shares.push((at, rows));
                room -= rows;
            }
        }
        shares
    }

    /// Gives waiting requests a place, in order, while there are places and pages.
    fn admit(&mut self) {
        while self.streams.len() < self.limits.streams {
            let Some((_, request, _)) = self.waiting.front() else { return };
            let context = self.cache.plan().context;
            let end = request.prompt.len().saturating_add(request.max_tokens).min(context);
            let Some(sequence) = self.cache.open(end) else { return };
            if let Some((id, request, sampler)) = self.waiting.pop_front() {
                self.streams.push(Stream::new(id, request, sampler, sequence, end));
            }
        }
    }

    fn has_place(&self) -> bool {
        self.streams.len() < self.limits.streams && self.waiting.is_empty()
    }

    fn close(&mut self, at: usize) {
        let stream = self.streams.remove(at);
        self.cache.close(stream.sequence);
    }
}

/// For each share: its stream, its rows, and whether the last of them wants logits.
fn counts(shares: &[(usize, usize)], streams: &[Stream]) -> Vec<(usize, usize, bool)> {
    let count = |&(at, most): &(usize, usize)| {
        let (mut rows, mut wants_logits) = (0, false);
        for row in streams[at].rows(most) {
            rows += 1;
            wants_logits = row.wants_logits;
        }
        (at, rows, wants_logits)
    };
    shares.iter().map(count).collect()
}
