//! Continuous batching: a pass serves all streams; new requests join at the next.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use vial_grammar::TokenTrie;

use super::constraint::{Constraint, trie};
use super::drafter::Drafter;
use super::embed::Embedding;
use super::ledger::Ledger;
use super::pace::Pace;
use super::queue::{Queue, Waiting};
use super::request::{Event, Request, RequestId, SubmitError, Vocabulary};
use super::speculate::{Last, Speculation};
use super::stream::Stream;
use super::trust::Trust;
use super::turn::{Room, Share, Turn};
use crate::kv::KvCache;
use crate::sample::Sampler;
use crate::transformer::{Engine, Pass, PassError, Row, Transformer};
use crate::weights::Weights;

/// How much a batcher takes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Most requests generated at once; at least 1.
    pub streams: usize,
    /// Most requests that wait for a place. As many again may wait of clients that wait for nothing else, so that one client
    /// does not take all.
    pub waiting: usize,
    /// Most pages of closed requests that are kept to be found again; the longest unused give way to pages that are needed.
    /// Only pages that others may share are kept: see [`Request::cache_scope`].
    pub kept_pages: usize,
    /// Most drafted tokens of a pass, each of which takes a row and logits; 0 for no drafts.
    pub drafts: usize,
}

/// Generates answers to all its requests, one pass at a time.
#[derive(Debug)]
pub struct Batcher<V> {
    pub(super) model: Transformer,
    pub(super) vocabulary: V,
    pub(super) cache: KvCache,
    pub(super) pass: Pass,
    pub(super) limits: Limits,
    queue: Queue,
    /// In the order they got their places.
    pub(super) streams: Vec<Stream>,
    pub(super) embeddings: VecDeque<Embedding>,
    next_id: u64,
    /// What every client's prompt begins with.
    public: Vec<u32>,
    pub(super) pace: Pace,
    /// Rows of the last pass.
    pub(super) rows: usize,
    pub(super) last: Last,
    pub(super) drafter: Option<Drafter>,
    pub(super) ledger: Ledger,
    pub(super) speculation: Speculation,
    /// The deterministic stream that last had a pass, and whether that was the last pass.
    last_alone: (RequestId, bool),
    /// The vocabulary's tokens by their bytes, from the first grammar on.
    trie: Option<Arc<TokenTrie>>,
}

impl<V: Vocabulary> Batcher<V> {
    /// A batcher without requests. `pass` has room for a row of each stream at least.
    #[must_use]
    pub fn new(model: Transformer, vocabulary: V, mut cache: KvCache, pass: Pass, limits: Limits) -> Self {
        cache.keep_at_most(limits.kept_pages);
        Self {
            limits: Limits { streams: limits.streams.clamp(1, pass.max_rows()), ..limits },
            model,
            vocabulary,
            cache,
            pass,
            queue: Queue::default(),
            streams: Vec::new(),
            embeddings: VecDeque::new(),
            next_id: 0,
            public: Vec::new(),
            pace: Pace::default(),
            rows: 0,
            last: Last::default(),
            drafter: None,
            ledger: Ledger::default(),
            speculation: Speculation::default(),
            last_alone: (RequestId(0), false),
            trie: None,
        }
    }

    /// Names what every client's prompt begins with, such as the appliance's own system message: its pages are shared by all
    /// requests and kept, since finding them tells nobody anything.
    pub fn set_public_prefix(&mut self, tokens: Vec<u32>) {
        self.public = tokens;
    }

    /// Takes a request; it joins a pass when there is a place for it.
    ///
    /// # Errors
    /// What is wrong with it, or that too many wait.
    pub fn submit(&mut self, request: Request) -> Result<RequestId, SubmitError> {
        request.check(self.model.config.vocabulary, self.cache.plan().context)?;
        let has_place = self.streams.len() < self.limits.streams && self.queue.len() == 0;
        let most = match self.queue.of(request.client) {
            0 => self.limits.waiting.saturating_mul(2),
            _ => self.limits.waiting,
        };
        if self.queue.len() >= most && !has_place {
            return Err(SubmitError::Full { waiting: self.queue.len() });
        }
        let sampler = Sampler::new(request.sampling.clone(), &request.prompt)?;
        let id = self.new_id();
        self.queue.push(Waiting { id, request, sampler });
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
        self.queue.cancel(id);
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

    /// Wipes what requests of a scope left to be found, where nobody will name the scope again: see [`Request::cache_scope`].
    pub fn forget(&mut self, scope: u64) {
        self.cache.forget(scope);
        if let Some(drafter) = &mut self.drafter {
            drafter.forget(scope);
        }
    }

    /// Whether a step would do nothing.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.can_embed() && !self.streams.iter().any(Stream::is_active)
    }

    /// Requests being generated, and waiting for a place.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        (self.streams.len(), self.queue.len())
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

    /// Pages of the cache that no request holds, and of these the kept ones.
    #[must_use]
    pub fn free_pages(&self) -> (usize, usize) {
        (self.cache.free_pages(), self.cache.kept_pages())
    }

    /// Runs one pass and tells what happened. A pass that fails ends every request of it.
    pub fn step(&mut self, weights: &mut impl Weights, engine: Engine<'_>) -> Vec<Event> {
        self.admit();
        let shares = self.turn();
        self.last = self.last_of(&shares);
        let rows: Vec<Row<'_>> =
            shares.iter().flat_map(|share| self.streams[share.at].rows(share.known)).collect();
        // What a chunk of a text beside them takes is not what these rows take.
        self.rows = if self.embeddings.is_empty() { rows.len() } else { 0 };
        if rows.is_empty() {
            return self.step_embedding(weights, engine, true).into_iter().collect();
        }
        let mut events = Vec::new();
        let engine = if self.is_steady(&shares) { engine.steady() } else { engine };
        let ended = match self.pass.run(&self.model, weights, &mut self.cache, engine, &rows) {
            Ok(logits) => {
                let (vocabulary, mut logits) = (self.model.config.vocabulary, logits);
                let mut advance = |&Share { at, known }: &Share| {
                    let stream = &mut self.streams[at];
                    let (own, others) = logits.split_at(stream.wanted(known) * vocabulary);
                    logits = others;
                    let is_over =
                        stream.advance(known, own.chunks(vocabulary), &self.vocabulary, &mut events);
                    stream.publish(&mut self.cache);
                    stream.shift(&mut self.cache);
                    is_over.then_some(at)
                };
                let ended = shares.iter().filter_map(&mut advance).collect();
                self.count(&shares, &events);
                ended
            }
            Err(error) => self.fail(&shares, &error, &mut events),
        };
        // The last first, so that the others keep their places.
        ended.into_iter().rev().for_each(|at| self.close(at));
        events.extend(self.step_embedding(weights, engine, false));
        self.admit();
        events
    }

    /// Whether rows must have the bits that each has in a pass of its own: a deterministic stream's, and those of a stream that
    /// decodes alone, so that what is drafted changes nothing. Beside others the bits of a row hang on none of them.
    fn is_steady(&self, shares: &[Share]) -> bool {
        let [Share { at, .. }] = shares else { return false };
        let stream = &self.streams[*at];
        stream.is_deterministic || stream.is_decoding()
    }

    fn fail(&self, shares: &[Share], error: &PassError, events: &mut Vec<Event>) -> Vec<usize> {
        let failed = |share: &Share| Event::Failed { id: self.streams[share.at].id, error: error.clone() };
        events.extend(shares.iter().map(failed));
        shares.iter().map(|share| share.at).collect()
    }

    /// The parts of the next pass, in the order of streams: of all that share passes and, in turn with them, of one
    /// deterministic stream.
    fn turn(&mut self) -> Vec<Share> {
        let is_alone = self.next_is_alone();
        self.last_alone.1 = is_alone.is_some();
        let room = self.room();
        let (streams, cache, pace) = (&mut self.streams[..], &mut self.cache, &self.pace);
        let turn = Turn { streams, cache, pace, room };
        match is_alone {
            Some(at) => {
                self.last_alone.0 = turn.streams[at].id;
                turn.alone(at)
            }
            None => turn.shared(),
        }
    }

    /// What a pass may have.
    pub(super) fn room(&self) -> Room {
        Room { rows: self.pass.max_rows(), drafts: self.limits.drafts }
    }

    /// The deterministic stream that has the next pass, if it is not that of all others.
    pub(super) fn next_is_alone(&self) -> Option<usize> {
        let others = self.streams.iter().any(|stream| stream.is_active() && !stream.is_deterministic);
        self.next_alone().filter(|_| !(others && self.last_alone.1))
    }

    /// The deterministic stream whose turn it is among its like.
    fn next_alone(&self) -> Option<usize> {
        let last = self.last_alone.0;
        let wants =
            self.streams.iter().enumerate().filter(|(_, one)| one.is_active() && one.is_deterministic);
        wants.min_by_key(|(_, stream)| (stream.id <= last, stream.id)).map(|(at, _)| at)
    }

    /// Gives waiting requests a place while there are places.
    pub(super) fn admit(&mut self) {
        while self.streams.len() < self.limits.streams {
            let streams = &self.streams;
            let places = |client| streams.iter().filter(|stream| stream.client == client).count();
            let Some(Waiting { id, request, sampler }) = self.queue.next(places) else { return };
            let context = self.cache.plan().context;
            let grammar = request.grammar.clone();
            let constraint = grammar.map(|grammar| Constraint::new(grammar, self.trie()));
            let mut stream = Stream::new(id, request, sampler, constraint, &self.public, context);
            stream.guess.trust = self.drafter.as_ref().map_or_else(Trust::default, Drafter::trust);
            self.streams.push(stream);
        }
    }

    fn trie(&mut self) -> Arc<TokenTrie> {
        let (vocabulary, tokens) = (&self.vocabulary, self.model.config.vocabulary);
        Arc::clone(self.trie.get_or_insert_with(|| Arc::new(trie(vocabulary, tokens))))
    }

    fn close(&mut self, at: usize) {
        let stream = self.streams.remove(at);
        if let Some(drafter) = &mut self.drafter {
            drafter.close(&stream);
        }
        self.cache.close(stream.sequence);
    }
}
