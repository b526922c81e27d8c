//! All connections, and what the appliance is to do for them.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use vial_channel::{Acceptor, Identity, Random};

use crate::answer::{Answer, Delta, Finish, Said, TokenLogprob, Usage};
use crate::api::{Embedding, Generation};
use crate::client::{Client, Job, Work};
use crate::connection::Connection;
use crate::embedding;
use crate::error::ApiError;
use crate::route::{Asked, asked};
use crate::sender::{Credential, Peer, Sender};
use crate::stack::Stack;
use crate::status::Status;
use crate::unlock::Release;

/// How long a certificate's evidence is shown before there is new.
const EVIDENCE_NS: u64 = 60_000_000_000;

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
    /// The key that every connection shows.
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
        let acceptor = Acceptor::new(config.identity, config.random);
        let (model, certified_ns) = (config.model, None);
        Self { stack, connections, acceptor, certified_ns, model, next_job: 0, next_connection: 0 }
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
        self.certified_ns = Some(now_ns);
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
        self.stack.poll_delay_ns(now_ns)
    }

    /// Handles frames and timers; gives what is to be done. `unix_seconds` dates answers.
    pub fn poll(&mut self, now_ns: u64, unix_seconds: u64, status: &Status) -> Vec<Action> {
        let mut actions = Vec::new();
        self.stack.poll(now_ns);
        for at in 0..self.connections.len() {
            self.serve(at, now_ns, unix_seconds, status, &mut actions);
        }
        self.stack.poll(now_ns);
        actions
    }

    /// Tells the next piece of an answer, and the probabilities of the token that it ends with.
    pub fn delta(&mut self, id: JobId, delta: Delta<'_>, logprob: Option<TokenLogprob>) {
        let Some(client) = self.client(id) else { return };
        let events = client.answer().map(|answer| answer.add(delta, logprob)).unwrap_or_default();
        client.send_part(&events);
    }

    /// Tells that an answer is complete.
    pub fn finish(&mut self, id: JobId, finish: Finish, usage: Usage) {
        let Some(client) = self.client(id) else { return };
        let Some(answer) = client.answer() else { return };
        let (body, is_stream) = (answer.finish(finish, usage), answer.is_stream);
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
        let is_stream = client.answer().is_some_and(|answer| answer.is_stream);
        client.job = None;
        if is_stream {
            client.send_part(&[b"data: ", error.body().as_slice(), b"\n\n"].concat());
            client.end_stream();
        } else {
            client.refuse(error, false);
        }
    }

    /// Tells the evidence.
    pub fn attested(&mut self, id: JobId, json: &[u8]) {
        let Some(client) = self.client(id) else { return };
        client.job = None;
        client.respond(200, "application/json", json, "Cache-Control: no-store\r\n");
    }

    fn serve(
        &mut self,
        at: usize,
        now_ns: u64,
        unix_seconds: u64,
        status: &Status,
        actions: &mut Vec<Action>,
    ) {
        let Some(mut connection) = self.connections[at].take() else {
            return self.accept(at, now_ns, actions);
        };
        connection.read(self.stack.socket(at));
        self.take_requests(&mut connection.client, now_ns, unix_seconds, status, actions);
        let socket = self.stack.socket(at);
        connection.write(socket, now_ns);
        pause(&mut connection.client, actions);
        let is_gone = !socket.may_recv() && socket.recv_queue() == 0;
        if is_gone || connection.is_over() || connection.client.is_idle(now_ns) {
            self.let_go(at, connection.client, actions);
        } else {
            self.connections[at] = Some(connection);
        }
    }

    /// Lets in whoever waits, as soon as there is a certificate to be shown.
    fn accept(&mut self, at: usize, now_ns: u64, actions: &mut Vec<Action>) {
        let is_fresh = self.certified_ns.is_some_and(|then| now_ns.saturating_sub(then) < EVIDENCE_NS);
        let socket = self.stack.socket(at);
        if !socket.is_open() {
            return self.stack.listen(at);
        }
        if !socket.may_recv() || !socket.may_send() {
            return;
        }
        if !is_fresh {
            if !actions.contains(&Action::Certify) {
                actions.push(Action::Certify);
            }
            return;
        }
        let Some(session) = self.acceptor.accept() else { return socket.abort() };
        let peer = Peer::new(self.next_connection, socket.remote_endpoint());
        self.next_connection += 1;
        self.connections[at] = Some(Connection::new(Client::new(peer, now_ns), session));
    }

    fn take_requests(
        &mut self,
        client: &mut Client,
        now_ns: u64,
        unix_seconds: u64,
        status: &Status,
        actions: &mut Vec<Action>,
    ) {
        while let Some(request) = client.next_request(now_ns) {
            match request {
                Err(error) => client.refuse(&error, true),
                Ok(request) => match asked(&request, &self.model, unix_seconds, status) {
                    Err(error) => client.refuse(&error, false),
                    Ok(asked) => self.take(client, asked, request.credential, unix_seconds, actions),
                },
            }
        }
    }

    fn take(
        &mut self,
        client: &mut Client,
        asked: Asked,
        credential: Credential,
        created: u64,
        actions: &mut Vec<Action>,
    ) {
        let id = JobId(self.next_job);
        let work = match asked {
            Asked::Ready(status, kind, body) => return client.respond(status, kind, &body, ""),
            Asked::Attest(nonce) => {
                actions.push(Action::Attest(id, nonce));
                Work::Evidence
            }
            Asked::Offer => {
                actions.push(Action::Offer(id, client.peer.connection));
                Work::Evidence
            }
            Asked::Unlock(release) => {
                actions.push(Action::Unlock(id, client.peer.connection, release));
                Work::Evidence
            }
            Asked::Embed(embedding) => {
                let form = embedding.form;
                actions.push(Action::Embed(id, embedding));
                Work::Embedding(form)
            }
            Asked::Generate(generation, is_chat) => {
                let answer = self.new_answer(&generation, is_chat, created);
                if answer.is_stream {
                    client.start_stream();
                }
                let sender = Sender { peer: client.peer, credential };
                actions.push(Action::Generate(id, generation, sender));
                Work::Answer(answer)
            }
        };
        self.next_job += 1;
        client.job = Some(Job { id, work, is_paused: false });
    }

    fn new_answer(&self, generation: &Generation, is_chat: bool, created: u64) -> Answer {
        let prefix = if is_chat { "chatcmpl" } else { "cmpl" };
        Answer {
            id: format!("{prefix}-{}", self.next_job),
            is_chat,
            is_stream: generation.is_stream,
            includes_usage: generation.includes_usage,
            created,
            model: self.model.name.clone(),
            has_logprobs: generation.logprobs.is_some(),
            said: Said::default(),
            logprobs: Vec::new(),
            is_started: false,
        }
    }

    /// Closes a connection; one whose peer is still there gets its last bytes first.
    fn let_go(&mut self, at: usize, client: Client, actions: &mut Vec<Action>) {
        if let Some(Job { id, work: Work::Answer(_) | Work::Embedding(_), .. }) = client.job {
            actions.push(Action::Cancel(id));
        }
        actions.push(Action::Forget(client.peer.connection));
        self.stack.socket(at).close();
    }

    fn client(&mut self, id: JobId) -> Option<&mut Client> {
        let mut clients = self.connections.iter_mut().flatten().map(|connection| &mut connection.client);
        clients.find(|client| client.job.as_ref().is_some_and(|job| job.id == id))
    }
}

fn pause(client: &mut Client, actions: &mut Vec<Action>) {
    let is_clogged = client.is_clogged();
    if let Some(Job { id, work: Work::Answer(_), is_paused }) = &mut client.job
        && *is_paused != is_clogged
    {
        *is_paused = is_clogged;
        actions.push(Action::Pause(*id, is_clogged));
    }
}
