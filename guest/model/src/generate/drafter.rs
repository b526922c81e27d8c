//! A second, smaller model that drafts what the model then checks.
//!
//! It has a cache and passes of its own, and a [`Shadow`] of each stream it drafts for. What it says is never an answer: every
//! token of an answer is chosen from the model's logits. So nothing hangs on it but speed, and where it fails it is left alone.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::pace::Pace;
use super::request::{RequestId, Vocabulary};
use super::shadow::Shadow;
use super::stream::Stream;
use super::trust::Trust;
use crate::kv::KvCache;
use crate::transformer::{Engine, Pass, PassError, Row, Transformer};
use crate::weights::Weights;

/// Part of the estimate of what rows cost that one pass replaces.
const LEARN: f32 = 0.25;
/// What a row costs at most, of what one of the model costs, while no pass was measured: it is tried before it is thought dear.
const UNMEASURED: f32 = 0.25;
/// Passes of the model after which what passes cost is measured again: one slow moment must not end drafts for ever.
const STALE: u32 = 128;

/// A draft model. Its vocabulary must be the model's: see [`crate::tokenizer::Tokenizer::check_draft`].
#[derive(Debug)]
pub struct Drafter {
    model: Transformer,
    cache: KvCache,
    pass: Pass,
    shadows: BTreeMap<RequestId, Shadow>,
    trust: Trust,
    pace: Pace,
    /// What a row costs of what one of the model costs; `None` until a pass was measured.
    ratio: Option<f32>,
    /// Passes of the model since the last one of this.
    idle: u32,
    error: Option<PassError>,
    /// Whether a stream has been caught up with since the model's last pass.
    pub(super) has_caught_up: bool,
}

/// A stream's part in a pass of the draft model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Which stream.
    pub(super) at: usize,
    /// Its rows.
    pub(super) rows: usize,
}

impl Drafter {
    /// A draft model with a cache and passes of its own. Half the pages of its cache may be kept to be found again, where others
    /// may share them; a stream for which there are none is not drafted.
    #[must_use]
    pub fn new(model: Transformer, mut cache: KvCache, pass: Pass) -> Self {
        cache.keep_at_most(cache.plan().pages / 2);
        Self {
            model,
            cache,
            pass,
            shadows: BTreeMap::new(),
            trust: Trust::default(),
            pace: Pace::default(),
            ratio: None,
            idle: 0,
            error: None,
            has_caught_up: false,
        }
    }

    /// Why it drafts no more, if a pass of it has failed.
    #[must_use]
    pub fn error(&self) -> Option<&PassError> {
        self.error.as_ref()
    }

    /// Pages of its cache that no stream holds, and of these the kept ones.
    #[must_use]
    pub fn free_pages(&self) -> (usize, usize) {
        (self.cache.free_pages(), self.cache.kept_pages())
    }

    /// Bytes of weights that one drafted token reads.
    #[must_use]
    pub fn bytes_per_token(&self) -> u64 {
        self.model.bytes_per_token()
    }

    pub(super) fn max_rows(&self) -> usize {
        self.pass.max_rows()
    }

    /// What a new stream may expect of it.
    pub(super) fn trust(&self) -> Trust {
        self.trust.clone()
    }

    /// Takes note of a pass of the model.
    pub(super) fn wait(&mut self) {
        self.has_caught_up = false;
        self.idle += 1;
        if self.idle >= STALE {
            (self.idle, self.ratio, self.pace) = (0, None, Pace::default());
        }
    }

    /// Takes note of what its last pass took, by what passes of `target` take.
    pub(super) fn note(&mut self, rows: usize, ns: u64, target: &Pace) {
        self.idle = 0;
        self.pace.note(rows, ns);
        if let (Some(own), Some(other)) = (self.pace.known(rows), target.estimate(rows)) {
            let found = own / other.max(1.0);
            self.ratio = Some(self.ratio.map_or(found, |ratio| ratio + LEARN * (found - ratio)));
        }
    }

    /// What a pass of `rows` takes, in ns: as lately, or by what one of `target` takes, which reads `target_bytes` a row.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(super) fn estimate(&self, rows: usize, target: &Pace, target_bytes: u64) -> Option<f32> {
        let by_bytes = || UNMEASURED.min(self.bytes_per_token() as f32 / target_bytes.max(1) as f32);
        let by_ratio = || Some(self.ratio.unwrap_or_else(by_bytes) * target.estimate(rows)?);
        self.pace.known(rows).or_else(by_ratio)
    }

    /// Tokens that it has to see before it says what follows those of `stream` and its draft; `None` where it may say nothing.
    pub(super) fn behind(&mut self, stream: &Stream) -> Option<usize> {
        let shadow = self.shadows.entry(stream.id).or_default();
        shadow.follow(&mut self.cache, stream);
        let known = |token: u32| (token as usize) < self.model.config.vocabulary;
        let behind = shadow.behind(stream).count();
        let fits = shadow.done() + behind <= self.cache.plan().context;
        let is_able = fits && shadow.may_draft(stream) && shadow.behind(stream).all(known);
        is_able.then_some(behind)
    }

    /// Wipes what is kept of a scope.
    pub(super) fn forget(&mut self, scope: u64) {
        self.cache.forget(scope);
    }

    /// Lets it see no more than the last `tokens` of a stream.
    pub(super) fn restart(&mut self, stream: &Stream, tokens: usize) {
        let shadow = self.shadows.entry(stream.id).or_default();
        shadow.restart(&mut self.cache, stream.tokens().len().saturating_sub(tokens));
    }

    /// Runs one pass; gives its rows. Streams of which the last token was computed have one more token in their drafts.
    /// `tokens` is the size of the model's vocabulary.
    pub(super) fn run(
        &mut self,
        streams: &mut [Stream],
        parts: &[Part],
        (vocabulary, tokens): (&impl Vocabulary, usize),
        weights: &mut impl Weights,
        engine: Engine<'_>,
    ) -> usize {
        let taken: Vec<(Part, Shadow)> =
            parts.iter().filter_map(|&part| Some((part, self.take(part, &streams[part.at])?))).collect();
        let rows = taken.iter().flat_map(|(part, shadow)| shadow.rows(&streams[part.at], part.rows));
        let rows: Vec<Row<'_>> = rows.collect();
        if rows.is_empty() {
            return 0;
        }
        let count = rows.len();
        let logits = match self.pass.run(&self.model, weights, &mut self.cache, engine, &rows) {
            Ok(logits) => logits,
            Err(error) => {
                taken.into_iter().for_each(|(_, shadow)| self.cache.close(shadow.sequence));
                self.stop(error);
                return count;
            }
        };
        let mut logits = logits.chunks(self.model.config.vocabulary);
        for (part, mut shadow) in taken {
            let stream = &mut streams[part.at];
            let is_level = shadow.advance(&mut self.cache, stream, part.rows);
            if let Some(logits) = is_level.then(|| logits.next()).flatten() {
                shadow.draft(stream, logits, vocabulary, tokens);
            }
            self.shadows.insert(stream.id, shadow);
        }
        count
    }

    /// A stream's shadow with pages for `part`, at the cost of those of streams that are not drafted for now.
    fn take(&mut self, part: Part, stream: &Stream) -> Option<Shadow> {
        let mut shadow = self.shadows.remove(&stream.id)?;
        let needed = shadow.done() + part.rows;
        while !self.cache.extend(&mut shadow.sequence, needed) {
            let Some((_, other)) = self.shadows.pop_first() else {
                self.cache.close(shadow.sequence);
                return None;
            };
            self.cache.close(other.sequence);
        }
        Some(shadow)
    }

    /// Gives back what a stream that ends has of it, and remembers how well it did.
    pub(super) fn close(&mut self, stream: &Stream) {
        if let Some(shadow) = self.shadows.remove(&stream.id) {
            self.cache.close(shadow.sequence);
            self.trust.meet(&stream.guess.trust);
        }
    }

    fn stop(&mut self, error: PassError) {
        self.error = Some(error);
        while let Some((_, shadow)) = self.shadows.pop_first() {
            self.cache.close(shadow.sequence);
        }
    }
}
