//! Embeddings: one vector for a whole text, out of the states behind the last norm.
//!
//! They share the cache and the passes' memory with generation. Each step computes one chunk of the oldest request, beside
//! the pass of those that generate, so that neither waits for the other's end.

use alloc::vec;
use alloc::vec::Vec;

use super::batcher::Batcher;
use super::request::{Event, RequestId, SubmitError, Vocabulary};
use crate::kv::{PAGE_TOKENS, Sequence};
use crate::transformer::{Engine, Row};
use crate::weights::Weights;

/// Rows of a chunk beside streams that decode.
const BESIDE_DECODE: usize = 32;

/// A text to embed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbedRequest {
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// How one vector is made of those of all tokens.
    pub pooling: Pooling,
}

/// How one vector is made of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// The mean of all tokens' states.
    #[default]
    Mean,
    /// The last token's, which alone has seen the whole text.
    Last,
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Embedding {
    id: RequestId,
    request: EmbedRequest,
    /// Its place in the cache, once there is one.
    sequence: Option<Sequence>,
    /// Tokens computed, and the sum of the states that count.
    done: usize,
    sum: Vec<f64>,
}

impl Embedding {
    /// Its next rows.
    fn rows<'a>(&'a self, sequence: &'a Sequence, most: usize) -> Vec<Row<'a>> {
        let tokens = &self.request.tokens;
        let end = tokens.len().min(self.done + most);
        let row = |position: usize| {
            let wants_logits = self.request.pooling == Pooling::Mean || position + 1 == tokens.len();
            Row { token: tokens[position], position, sequence, wants_logits }
        };
        (self.done..end).map(row).collect()
    }

    fn add(&mut self, rows: usize, states: &[f32]) {
        self.done += rows;
        for state in states.chunks(self.sum.len()) {
            self.sum.iter_mut().zip(state).for_each(|(sum, element)| *sum += f64::from(*element));
        }
    }

    /// The sum at length one: the mean's direction is the sum's.
    fn vector(&self) -> Vec<f32> {
        let norm = libm::sqrt(self.sum.iter().map(|element| element * element).sum());
        let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, reason = "vectors are f32")]
        self.sum.iter().map(|element| (element * scale) as f32).collect()
    }
}

impl<V: Vocabulary> Batcher<V> {
    /// Takes a text to embed; its vector comes as [`Event::Embedded`], at length one.
    ///
    /// # Errors
    /// What is wrong with it, or that too many wait.
    pub fn embed(&mut self, request: EmbedRequest) -> Result<RequestId, SubmitError> {
        let (vocabulary, context) = (self.model.config.vocabulary, self.cache.plan().context);
        super::request::check_tokens(&request.tokens, vocabulary, context + 1)?;
        if self.embeddings.len() >= self.limits.waiting.max(1) {
            return Err(SubmitError::Full { waiting: self.embeddings.len() });
        }
        let (id, sum) = (self.new_id(), vec![0.0; self.model.config.width]);
        self.embeddings.push_back(Embedding { id, request, sequence: None, done: 0, sum });
        Ok(id)
    }

    /// Whether the oldest text has its place in the cache, or finds one.
    pub(super) fn can_embed(&self) -> bool {
        let fits = |tokens: usize| tokens.div_ceil(PAGE_TOKENS) <= self.cache.free_pages();
        let oldest = self.embeddings.front();
        oldest.is_some_and(|text| text.sequence.is_some() || fits(text.request.tokens.len()))
    }

    /// Ends a text's request without an event.
    pub(super) fn cancel_embedding(&mut self, id: RequestId) {
        if let Some(at) = self.embeddings.iter().position(|embedding| embedding.id == id) {
            self.close_embedding(at);
        }
    }

    /// Computes the next chunk of the oldest text, if there is one and the cache has room for it.
    pub(super) fn step_embedding(
        &mut self,
        weights: &mut impl Weights,
        engine: Engine<'_>,
        is_alone: bool,
    ) -> Option<Event> {
        let most = if is_alone { self.pass.max_rows() } else { self.pass.max_rows().min(BESIDE_DECODE) };
        let embedding = self.embeddings.front_mut()?;
        if embedding.sequence.is_none() {
            embedding.sequence = Some(self.cache.open(embedding.request.tokens.len())?);
        }
        let rows = embedding.rows(embedding.sequence.as_ref()?, most);
        let count = rows.len();
        let states = self.pass.states(&self.model, weights, &mut self.cache, engine, &rows);
        let event = match states {
            Ok(states) => {
                embedding.add(count, states);
                let (id, tokens) = (embedding.id, embedding.request.tokens.len());
                let is_done = embedding.done == tokens;
                is_done.then(|| Event::Embedded { id, vector: embedding.vector(), tokens })
            }
            Err(error) => Some(Event::Failed { id: embedding.id, error }),
        };
        if event.is_some() {
            self.close_embedding(0);
        }
        event
    }

    fn close_embedding(&mut self, at: usize) {
        if let Some(sequence) = self.embeddings.remove(at).and_then(|embedding| embedding.sequence) {
            self.cache.close(sequence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{Limits, Request};
    use crate::gguf::Gguf;
    use crate::kv::{KvCache, KvPlan, KvWish};
    use crate::tiny;
    use crate::transformer::{Pass, Transformer};
    use crate::weights::Resident;
    use vial_tensor::{Alone, Isa, Team};

    struct NoText;

    impl Vocabulary for NoText {
        fn append_bytes(&self, _token: u32, _out: &mut Vec<u8>) {}

        fn is_end(&self, _token: u32) -> bool {
            false
        }
    }

    struct Bench {
        file: Vec<u8>,
        batcher: Batcher<NoText>,
    }

    impl Bench {
        fn new(rows: usize) -> Self {
            let file = tiny::llama(3);
            let model = Transformer::from_gguf(&Gguf::parse(&file, file.len() as u64).unwrap()).unwrap();
            let wish = KvWish { streams: 2, context: 128, budget_bytes: 1 << 30 };
            let cache = KvCache::new(&model.config, KvPlan::new(&model.config, wish).unwrap());
            let pass = Pass::new(&model, rows);
            let limits = Limits { streams: 2, waiting: 2, ..Limits::default() };
            let batcher = Batcher::new(model, NoText, cache, pass, limits);
            Self { file, batcher }
        }

        fn step(&mut self) -> Vec<Event> {
            let team = Team::new(1, &Alone);
            self.batcher.step(&mut Resident::new(&self.file), Engine { team: &team, isa: Isa::PORTABLE })
        }

        /// The vectors that come, in order.
        fn vectors(&mut self) -> Vec<Vec<f32>> {
            let mut vectors = Vec::new();
            while !self.batcher.is_idle() {
                vectors.extend(self.step().into_iter().filter_map(|event| match event {
                    Event::Embedded { vector, .. } => Some(vector),
                    _ => None,
                }));
            }
            vectors
        }

        fn embed(&mut self, tokens: &[u32], pooling: Pooling) -> Vec<f32> {
            self.batcher.embed(EmbedRequest { tokens: tokens.to_vec(), pooling }).unwrap();
            self.vectors().remove(0)
        }
    }

    fn close(one: &[f32], other: &[f32]) -> bool {
        one.len() == other.len() && one.iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-4)
    }

    const TEXT: [u32; 9] = [1, 5, 9, 2, 33, 63, 0, 7, 8];

    #[test]
    fn a_vector_has_length_one_and_does_not_depend_on_chunks_or_company() {
        for pooling in [Pooling::Mean, Pooling::Last] {
            let whole = Bench::new(16).embed(&TEXT, pooling);
            let length: f32 = whole.iter().map(|element| element * element).sum();
            assert!((length - 1.0).abs() < 1e-5 && whole.len() == 32);
            assert!(close(&Bench::new(4).embed(&TEXT, pooling), &whole), "in chunks of 4");
            let mut busy = Bench::new(16);
            let beside = Request { prompt: [7; 5].to_vec(), max_tokens: 6, ..Request::default() };
            busy.batcher.submit(beside).unwrap();
            assert!(close(&busy.embed(&TEXT, pooling), &whole), "beside a stream");
        }
    }

    #[test]
    fn mean_and_last_differ_but_for_one_token() {
        let mut bench = Bench::new(16);
        assert!(!close(&bench.embed(&TEXT, Pooling::Mean), &bench.embed(&TEXT, Pooling::Last)));
        assert!(close(&bench.embed(&TEXT[..1], Pooling::Mean), &bench.embed(&TEXT[..1], Pooling::Last)));
    }

    #[test]
    fn a_vector_is_the_mean_of_the_states_or_the_last_one() {
        let mut bench = Bench::new(16);
        let Batcher { model, cache, pass, .. } = &mut bench.batcher;
        let sequence = cache.open(TEXT.len()).unwrap();
        let row = |(position, &token): (usize, &u32)| Row {
            token,
            position,
            sequence: &sequence,
            wants_logits: true,
        };
        let rows: Vec<_> = TEXT.iter().enumerate().map(row).collect();
        let team = Team::new(1, &Alone);
        let engine = Engine { team: &team, isa: Isa::PORTABLE };
        let states =
            pass.states(model, &mut Resident::new(&bench.file), cache, engine, &rows).unwrap().to_vec();
        let sums: Vec<f32> = (0..32).map(|at| states.iter().skip(at).step_by(32).sum()).collect();
        assert!(close(&bench.embed(&TEXT, Pooling::Mean), &unit(&sums)));
        assert!(close(&bench.embed(&TEXT, Pooling::Last), &unit(&states[8 * 32..])));
    }

    fn unit(x: &[f32]) -> Vec<f32> {
        let norm = x.iter().map(|element| element * element).sum::<f32>().sqrt();
        x.iter().map(|element| element / norm).collect()
    }

    #[test]
    fn a_text_without_pages_keeps_nobody_awake_and_comes_when_there_are_some() {
        let mut bench = Bench::new(64);
        let request = |token| Request { prompt: [token; 70].to_vec(), max_tokens: 20, ..Request::default() };
        let ids = [7, 9].map(|token| bench.batcher.submit(request(token)).unwrap());
        (0..4).for_each(|_| drop(bench.step()));
        assert_eq!(bench.batcher.free_pages().0, 0);
        ids.into_iter().for_each(|id| bench.batcher.set_paused(id, true));
        bench.batcher.embed(EmbedRequest { tokens: TEXT.to_vec(), pooling: Pooling::Mean }).unwrap();
        assert!(bench.batcher.is_idle() && bench.step().is_empty());
        bench.batcher.cancel(ids[0]);
        assert!(!bench.batcher.is_idle());
        assert_eq!(bench.vectors().len(), 1);
    }

    #[test]
    fn texts_wait_in_order_are_cancelled_and_refused() {
        let mut bench = Bench::new(16);
        let submit = |bench: &mut Bench, tokens: &[u32]| {
            bench.batcher.embed(EmbedRequest { tokens: tokens.to_vec(), pooling: Pooling::Mean })
        };
        let first = submit(&mut bench, &TEXT).unwrap();
        submit(&mut bench, &TEXT[..2]).unwrap();
        assert_eq!(submit(&mut bench, &TEXT), Err(SubmitError::Full { waiting: 2 }));
        bench.batcher.cancel(first);
        assert_eq!(bench.vectors().len(), 1);
        assert_eq!(submit(&mut bench, &[]), Err(SubmitError::EmptyPrompt));
        assert_eq!(submit(&mut bench, &[1; 129]), Err(SubmitError::TooLong { found: 129, context: 129 }));
        assert!(submit(&mut bench, &[1; 128]).is_ok(), "a text may fill the context");
        assert_eq!(submit(&mut bench, &[288]), Err(SubmitError::Token { found: 288, vocabulary: 288 }));
    }
}
