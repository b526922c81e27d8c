//! The loop: frames, requests, passes, waiting.

mod frames;
mod rates;
mod tell;

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use vial_abi::Mark;
use vial_abi::report::Purpose;
use vial_model::generate::{DraftCounts, Event, Request, RequestId, Speculation, Usage};
use vial_model::transformer::Engine;
use vial_net::{
    Action, ApiError, Cache, Drafts, ExpertHits, Generation, JobId, Sender, Server, Status, Window,
};
use vial_user::clock::Clock;
use vial_user::virtio::{DeviceError, Net};
use vial_user::{Heap, console, syscall};

use self::rates::Rates;
use crate::checked::Checked;
use crate::embedding::Embedding;
use crate::evidence::{self, Bound};
use crate::files::Files;
use crate::form::Reader;
use crate::load::Loaded;
use crate::requests::{input_refusal, refusal, request, sampled};
use crate::scope::Scopes;
use crate::streamed::{self, Spent};

/// What a client is told once a leaf has differed, or could not be read.
const UNHEALTHY: &str =
    "the weights on the disk cannot be read or differ from what was sealed; this appliance answers no more";

/// Everything the loop joins.
#[derive(Debug)]
pub struct Appliance<'a> {
    /// The card.
    pub net: Net,
    /// Its connections.
    pub server: Server,
    /// The model.
    pub loaded: Loaded,
    /// Its weights.
    pub weights: Files,
    /// What computes.
    pub engine: Engine<'a>,
    /// For verifiers.
    pub bound: Bound,
    /// The time.
    pub clock: Clock,
    /// Where seeds of requests come from.
    pub seed: u64,
    /// Where its memory comes from.
    pub heap: &'a Heap,
    /// Which requests share what they compute.
    pub scopes: Scopes,
}

/// The loop's own state.
#[derive(Debug, Default)]
struct Turns {
    status: Status,
    jobs: BTreeMap<RequestId, JobId>,
    /// Of the jobs that generate.
    readers: BTreeMap<RequestId, Reader>,
    embeddings: BTreeMap<JobId, Embedding>,
    has_whole_weights: bool,
    has_first_token: bool,
    rates: Rates,
}

impl Appliance<'_> {
    /// Serves for ever.
    ///
    /// # Errors
    /// The card misbehaves.
    pub fn serve(mut self) -> Result<core::convert::Infallible, DeviceError> {
        let mut turns = Turns::default();
        loop {
            let is_busy = self.turn(&mut turns)?;
            if !is_busy {
                self.wait()?;
            }
        }
    }

    /// One turn; `true` if there is more to do at once.
    fn turn(&mut self, turns: &mut Turns) -> Result<bool, DeviceError> {
        let mut is_busy = self.take_frames()?;
        let now_ns = self.clock.now_ns();
        let unix_seconds = self.unix_s().unwrap_or(0);
        self.update(turns);
        for action in self.server.poll(now_ns, unix_seconds, &turns.status) {
            is_busy = true;
            self.act(action, turns);
        }
        // No pass waits for the draft model.
        is_busy |= self.weights.poll();
        if !self.loaded.batcher.is_idle() {
            is_busy = true;
            for event in self.step(turns) {
                self.tell(event, turns);
            }
            self.server
                .poll(self.clock.now_ns(), unix_seconds, &turns.status)
                .into_iter()
                .for_each(|action| self.act(action, turns));
        }
        self.note_weights(turns);
        self.tell_rates(turns);
        Ok(self.send_frames()? || is_busy)
    }

    /// One pass: of the model, or of the draft model once it is there.
    fn step(&mut self, turns: &mut Turns) -> Vec<Event> {
        let started_ns = self.clock.now_ns();
        let batcher = &mut self.loaded.batcher;
        let events = self.weights.step(batcher, self.engine);
        let pass_ns = self.clock.now_ns().saturating_sub(started_ns);
        batcher.note_pass(pass_ns);
        turns.status.times.all_ns += pass_ns;
        events
    }

    fn update(&self, turns: &mut Turns) {
        let (streams, waiting) = self.loaded.batcher.load();
        (turns.status.streams, turns.status.waiting) = (streams, waiting);
        let Checked { bytes, leaves } = self.weights.checked();
        (turns.status.checked_bytes, turns.status.checked_leaves) = (bytes, leaves);
        self.update_streamed(turns);
        turns.status.round_tokens = self.loaded.agent.privacy.round_tokens.into();
        turns.status.planned_bytes = self.loaded.planned_bytes;
        turns.status.peak_bytes = self.heap.peak_bytes() as u64;
        let (kv, (free_pages, _)) = (&self.loaded.kv, self.loaded.batcher.free_pages());
        turns.status.cache = Cache { kind: kv.kind.name(), bytes: kv.bytes(), pages: kv.pages, free_pages };
        let Speculation { passes, rows, tokens, looked_up, modelled, .. } = self.loaded.batcher.speculation();
        (turns.status.passes, turns.status.rows, turns.status.told) = (passes, rows, tokens);
        let drafts = |counts: DraftCounts| Drafts { drafted: counts.drafted, right: counts.right };
        (turns.status.looked_up, turns.status.modelled) = (drafts(looked_up), drafts(modelled));
    }

    fn update_streamed(&self, turns: &mut Turns) {
        let Some(model) = self.weights.streamed() else { return };
        let (Spent { disk, check }, times) = (model.spent(), &mut turns.status.times);
        (times.disk_ns, times.check_ns) = (self.clock.ns_of(disk), self.clock.ns_of(check));
        let streamed::Window { bytes, filled_bytes } = model.window();
        turns.status.window = Window { bytes, filled_bytes };
        let streamed::Hits { memory, disk } = model.hits();
        turns.status.experts = ExpertHits { memory, disk };
    }

    fn note_weights(&mut self, turns: &mut Turns) {
        if self.weights.is_whole() && !turns.has_whole_weights {
            turns.has_whole_weights = true;
            syscall::mark(Mark::Weights);
        }
        if let Some(error) = self.weights.failure().filter(|_| turns.status.unhealthy.is_none()) {
            console::print(format_args!("{error}"));
            turns.status.unhealthy = Some(UNHEALTHY);
            self.server.renew();
        }
    }

    fn tell_rates(&self, turns: &mut Turns) {
        if self.weights.streamed().is_some() {
            self.update(turns);
            let line = turns.rates.line(&turns.status, self.clock.now_ns());
            line.into_iter().for_each(|line| console::print(format_args!("{line}")));
        }
    }

    fn act(&mut self, action: Action, turns: &mut Turns) {
        match action {
            Action::Generate(job, generation, sender) => {
                turns.status.requests += 1;
                match self.submit(job, *generation, &sender) {
                    Ok((id, reader)) => {
                        turns.jobs.insert(id, job);
                        turns.readers.insert(id, reader);
                    }
                    Err(error) => self.refuse(job, &error, turns),
                }
            }
            Action::Embed(job, request) => {
                turns.status.requests += 1;
                let (tokenizer, context) = (self.loaded.batcher.vocabulary(), self.loaded.batcher.context());
                match Embedding::new(&request, tokenizer, context, self.loaded.pooling) {
                    Ok(embedding) => self.embed(job, embedding, turns),
                    Err(error) => self.refuse(job, &error, turns),
                }
            }
            Action::Cancel(job) => {
                turns.embeddings.remove(&job);
                let ids: Vec<_> = turns.ids(job);
                ids.into_iter().for_each(|id| {
                    turns.jobs.remove(&id);
                    turns.readers.remove(&id);
                    self.loaded.batcher.cancel(id);
                });
            }
            Action::Pause(job, is_paused) => {
                turns.ids(job).into_iter().for_each(|id| self.loaded.batcher.set_paused(id, is_paused));
            }
            Action::Attest(job, nonce) => match evidence::json(&self.bound, &nonce, turns.purpose()) {
                Ok(json) => self.server.attested(job, &json),
                Err(error) => self.server.fail(job, &error),
            },
            // It is not locked any more.
            Action::Offer(job, _) | Action::Unlock(job, ..) => {
                self.server.fail(job, &ApiError::http(409, "this appliance is not locked"));
            }
            Action::Certify => self.certify(turns),
            Action::Forget(connection) => {
                let ended = self.scopes.leave(connection);
                ended.into_iter().for_each(|scope| self.loaded.batcher.forget(scope));
            }
        }
    }

    fn certify(&mut self, turns: &Turns) {
        let shown = evidence::shown(&self.bound, turns.purpose());
        if let Err(error) = self.server.certify(&shown, self.clock.now_ns()) {
            console::print(format_args!("channel: {}", error.message));
        }
    }

    fn submit(
        &mut self,
        job: JobId,
        generation: Generation,
        sender: &Sender,
    ) -> Result<(RequestId, Reader), ApiError> {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let now_s = self.unix_s().and_then(|now_s| i64::try_from(now_s).ok());
        let caching = generation.caching.clone();
        let (request, form) = request(&self.loaded, generation, self.seed, now_s)?;
        let cache_scope = self.scopes.enter(sender, &caching, |ended| self.loaded.batcher.forget(ended));
        self.server.sampled(job, sampled(&request));
        let request = Request { client: self.scopes.client(sender), cache_scope, ..request };
        let id = self.loaded.batcher.submit(request).map_err(|error| refusal(&error))?;
        Ok((id, Reader::new(&form, self.seed)))
    }

    /// Gives the next input to the batcher; tells the vectors where there is none.
    fn embed(&mut self, job: JobId, mut embedding: Embedding, turns: &mut Turns) {
        let Some(input) = embedding.next_input() else {
            let (vectors, tokens) = embedding.done();
            turns.status.prompt_tokens += tokens as u64;
            return self.server.embedded(job, vectors, tokens);
        };
        match self.loaded.batcher.embed(input) {
            Ok(id) => {
                turns.jobs.insert(id, job);
                turns.embeddings.insert(job, embedding);
            }
            Err(error) => self.refuse(job, &input_refusal(&error), turns),
        }
    }

    fn refuse(&mut self, job: JobId, error: &ApiError, turns: &mut Turns) {
        turns.status.refused += 1;
        self.server.fail(job, error);
    }

    /// Seconds since 1970, where the clock knows them.
    fn unix_s(&self) -> Option<u64> {
        self.clock.unix_ns(self.clock.now_ns()).map(|now_ns| now_ns / 1_000_000_000)
    }
}

impl Turns {
    /// What reports of this appliance say.
    fn purpose(&self) -> Purpose {
        if self.status.unhealthy.is_none() { Purpose::Attestation } else { Purpose::Unhealthy }
    }

    fn ids(&self, job: JobId) -> Vec<RequestId> {
        let found = self.jobs.iter().find(|(_, known)| **known == job);
        found.map_or_else(Vec::new, |(id, _)| vec![*id])
    }

    fn count(&mut self, usage: Usage) {
        self.status.prompt_tokens += usage.prompt_tokens as u64;
        self.status.cached_tokens += usage.cached_tokens as u64;
        self.status.completion_tokens += usage.completion_tokens as u64;
    }
}
