//! All connections, and what the appliance is to do for them.

mod turn;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use vial_channel::{Acceptor, Identity, Random};
use vial_receipt::{Outcome, Sampling, Tokens, digest};

use self::turn::Turn;

use crate::answer::{Delta, Finish, TokenLogprob, Usage, ollama};
use crate::api::{Dialect, Embedding, Generation};
use crate::client::{Client, Job, Work};
use crate::connection::Connection;
use crate::embedding;
use crate::error::ApiError;
use crate::notary::{Moment, Notary, Sealed};
use crate::sender::Sender;
use crate::stack::Stack;
use crate::status::Status;
use crate::unlock::Release;

/// Names a request; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// What the appliance is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Generate an answer; tell it by [`Server::delta`] and [`Server::finish`], or [`Server::fail`].
    Generate(JobId, Box<Generation>, Sender),
    /// Embed inputs; tell their vectors by [`Server::embedded`], or [`Server::fail`].
    Embed(JobId, Embedding),
    /// The client is gone: stop computing, tell nothing more.
    Cancel(JobId),
    /// The reader is slow (`true`) or has caught up: leave the request out of passes meanwhile.
    Pause(JobId, bool),
    /// Obtain evidence over this nonce; tell it by [`Server::attested`] or [`Server::fail`].
    Attest(JobId, [u8; 64]),
    /// Make an offer for the connection of that number; tell it by [`Server::offered`] or [`Server::fail`].
    Offer(JobId, u64),
    /// Open a release that came over that connection; tell it by [`Server::unlocked`] or [`Server::fail`].
    Unlock(JobId, u64, Box<Release>),
    /// Obtain evidence for certificates; tell it by [`Server::certify`]. Nobody is let in before.
    Certify,
    /// The connection of that number is gone, and what it asked for is cancelled: forget what was kept for it alone.
    Forget(u64),
}

/// What a server needs to know.
#[derive(Debug)]
pub struct ServerConfig {
    /// Address of the card.
    pub mac: [u8; 6],
    /// Makes sequence numbers hard to guess.
    pub seed: u64,
    /// Connections at once.
    pub connections: usize,
    /// The model.
    pub model: Model,
    /// What receipts name.
    pub sealed: Sealed,
    /// The key that every connection shows, and that signs receipts.
    pub identity: Arc<Identity>,
    /// Randomness for channels: secret from everybody.
    pub random: Random,
}

/// What requests are checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Elements of its vectors.
    pub width: usize,
}

/// All connections.
#[derive(Debug)]
pub struct Server {
    stack: Stack,
    connections: Vec<Option<Connection>>,
    acceptor: Acceptor,
    notary: Notary,
    /// SHA-256 of the evidence in certificates.
    certified: [u8; 32],
    /// When evidence for certificates was obtained.
    certified_ns: Option<u64>,
    model: Model,
    next_job: u64,
    next_connection: u64,
}

impl Server {
    /// A server at time `now_ns`.
    #[must_use]
    pub fn new(config: ServerConfig, now_ns: u64) -> Self {
        let stack = Stack::new(config.mac, config.seed, config.connections, now_ns);
        let connections = (0..config.connections).map(|_| None).collect();
        let notary = Notary::new(Arc::clone(&config.identity), config.random, config.sealed);
        let acceptor = Acceptor::new(config.identity, config.random);
        Self {
            stack,
            connections,
            acceptor,
            notary,
            certified: [0; 32],
            certified_ns: None,
            model: config.model,
            next_job: 0,
            next_connection: 0,
        }
    }

    /// Elements of the model's vectors, which an encrypted model tells only when it is unlocked.
    pub fn set_width(&mut self, width: usize) {
        self.model.width = width;
    }

    /// Shows evidence in certificates from now on.
    ///
    /// # Errors
    /// No certificate can be made of it; the one before is shown for a while, and nobody let in where there is none.
    pub fn certify(&mut self, evidence: &[u8], now_ns: u64) -> Result<(), ApiError> {
        (self.certified, self.certified_ns) = (digest(evidence), Some(now_ns));
        self.acceptor
            .certify(evidence)
            .map_err(|_| ApiError::server("no certificate can be made of the evidence"))
    }

    /// What the evidence said is true no more: asks for new before the next connection.
    pub fn renew(&mut self) {
        self.certified_ns = None;
    }

    /// Takes a frame of the card.
    pub fn receive(&mut self, frame: Vec<u8>) {
        self.stack.cable.received.push_back(frame);
    }

    /// The next frame for the card.
    pub fn next_frame(&mut self) -> Option<Vec<u8>> {
        self.stack.cable.to_send.pop_front()
    }

    /// Gives a frame back that the card had no room for.
    pub fn keep_frame(&mut self, frame: Vec<u8>) {
        self.stack.cable.to_send.push_front(frame);
    }

    /// When [`Self::poll`] is due without a frame or answer, in nanoseconds from now.
    #[must_use]
    pub fn poll_delay_ns(&mut self, now_ns: u64) -> Option<u64> {
        let clients = self.connections.iter().flatten();
        let frame = clients.filter_map(|connection| connection.client.due_ns()).min();
        let frame = frame.map(|due_ns| due_ns.saturating_sub(now_ns));
        self.stack.poll_delay_ns(now_ns).into_iter().chain(frame).min()
    }

    /// Handles frames and timers; gives what is to be done. `unix_seconds` dates answers.
    pub fn poll(&mut self, now_ns: u64, unix_seconds: u64, status: &Status) -> Vec<Action> {
        let mut turn = Turn { now_ns, unix_seconds, status, actions: Vec::new() };
        self.stack.poll(now_ns);
        for at in 0..self.connections.len() {
            self.serve(at, &mut turn);
        }
        self.stack.poll(now_ns);
        turn.actions
    }

    /// Tells the next piece of an answer, and the probabilities of the token that it ends with.
    pub fn delta(&mut self, id: JobId, delta: Delta<'_>, logprob: Option<TokenLogprob>) {
        let Some(client) = self.client(id) else { return };
        let events = client.answer().map(|answer| answer.add(delta, logprob)).unwrap_or_default();
        client.send_part(&events);
        let queued = client.queued();
        if let Some(draft) = client.answer().and_then(|answer| answer.receipt.as_mut()) {
            draft.mark(queued);
        }
    }

    /// Tells how the tokens of an answer will be chosen, for its receipt.
    pub fn sampled(&mut self, id: JobId, sampling: Sampling) {
        let answer = self.client(id).and_then(Client::answer);
        if let Some(draft) = answer.and_then(|answer| answer.receipt.as_mut()) {
            draft.sampling = sampling;
        }
    }

    /// Tells that an answer is complete, and when that is.
    pub fn finish(&mut self, id: JobId, finish: Finish, usage: Usage, now: Moment) {
        let Some(answer) = self.client(id).and_then(Client::answer) else { return };
        let draft = answer.receipt.take();
        let receipt =
            draft.and_then(|draft| self.notary.sign(&draft, outcome(finish), Some(tokens(usage)), now));
        let Some(client) = self.client(id) else { return };
        let Some(answer) = client.answer() else { return };
        let (body, is_stream) = (answer.finish(finish, usage, receipt.as_deref()), answer.is_stream);
        client.job = None;
        if is_stream {
            client.send_part(&body);
            client.end_stream();
        } else {
            client.respond(200, "application/json", &body, "");
        }
    }

    /// Tells the pooled states of an embedding's inputs, one vector an input and in order, and the tokens of them all.
    pub fn embedded(&mut self, id: JobId, vectors: &[Vec<f32>], tokens: usize) {
        let name = self.model.name.clone();
        let Some(client) = self.client(id) else { return };
        let Some(Job { work: Work::Embedding(form), .. }) = client.job else { return };
        client.job = None;
        match embedding::body(&name, form, vectors, tokens) {
            Ok(body) => client.respond(200, "application/json", &body, ""),
            Err(error) => client.refuse(&error, false),
        }
    }

    /// Tells that a request cannot be answered.
    pub fn fail(&mut self, id: JobId, error: &ApiError) {
        let Some(client) = self.client(id) else { return };
        let stream = client.answer().filter(|answer| answer.is_stream).map(|answer| answer.dialect);
        client.job = None;
        if let Some(dialect) = stream {
            client.send_part(&match dialect {
                Dialect::OpenAi => [b"data: ", error.body().as_slice(), b"\n\n"].concat(),
                Dialect::OllamaChat | Dialect::OllamaGenerate => ollama::error(&error.message),
            });
            client.end_stream();
        } else {
            client.refuse(error, false);
        }
    }

    /// Tells the evidence.
    pub fn attested(&mut self, id: JobId, json: &[u8]) {
        let Some(client) = self.client(id) else { return };
        client.job = None;
        client.evidence = digest(json);
        client.respond(200, "application/json", json, "Cache-Control: no-store\r\n");
    }

    pub(crate) fn client(&mut self, id: JobId) -> Option<&mut Client> {
        let mut clients = self.connections.iter_mut().flatten().map(|connection| &mut connection.client);
        clients.find(|client| client.job.as_ref().is_some_and(|job| job.id == id))
    }
}

fn outcome(finish: Finish) -> Outcome {
    match finish {
        Finish::Stop => Outcome::Stop,
        Finish::Length => Outcome::Length,
        Finish::ToolCalls => Outcome::ToolCalls,
    }
}

fn tokens(usage: Usage) -> Tokens {
    Tokens { prompt: usage.prompt_tokens as u64, completion: usage.completion_tokens as u64 }
}
