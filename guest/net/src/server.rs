//! All connections, and what the appliance is to do for them.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::answer::{Answer, Delta, Finish, Said, TokenLogprob, Usage};
use crate::api::{Embedding, Generation};
use crate::client::{Client, Job, Work};
use crate::embedding;
use crate::error::ApiError;
use crate::route::{Asked, asked};
use crate::sender::{Credential, Peer, Sender};
use crate::stack::Stack;
use crate::status::Status;

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
    /// The connection of that number is gone, and what it asked for is cancelled: forget what was kept for it alone.
    Forget(u64),
}

/// What a server needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Address of the card.
    pub mac: [u8; 6],
    /// Makes sequence numbers hard to guess.
    pub seed: u64,
    /// Connections at once.
    pub connections: usize,
    /// The model.
    pub model: Model,
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
    clients: Vec<Option<Client>>,
    model: Model,
    next_job: u64,
    next_connection: u64,
}

impl Server {
    /// A server at time `now_ns`.
    #[must_use]
    pub fn new(config: ServerConfig, now_ns: u64) -> Self {
        let stack = Stack::new(config.mac, config.seed, config.connections, now_ns);
        let clients = (0..config.connections).map(|_| None).collect();
        Self { stack, clients, model: config.model, next_job: 0, next_connection: 0 }
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
        for at in 0..self.clients.len() {
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
        let socket = self.stack.socket(at);
        if self.clients[at].is_none() && socket.may_recv() && socket.may_send() {
            let peer = Peer::new(self.next_connection, socket.remote_endpoint());
            self.next_connection += 1;
            self.clients[at] = Some(Client::new(peer, now_ns));
        }
        let Some(mut client) = self.clients[at].take() else {
            if !self.stack.socket(at).is_open() {
                self.stack.listen(at);
            }
            return;
        };
        self.read(at, &mut client);
        self.take_requests(&mut client, now_ns, unix_seconds, status, actions);
        let socket = self.stack.socket(at);
        let sent = socket.send_slice(client.unsent()).unwrap_or(0);
        client.note_sent(sent, now_ns);
        pause(&mut client, actions);
        let is_gone = !socket.may_recv() && socket.recv_queue() == 0;
        if is_gone || client.is_over() || client.is_idle(now_ns) {
            self.let_go(at, client, actions);
        } else {
            self.clients[at] = Some(client);
        }
    }

    fn read(&mut self, at: usize, client: &mut Client) {
        let socket = self.stack.socket(at);
        while socket.can_recv() && client.room() > 0 {
            let room = client.room();
            let taken = socket.recv(|bytes| {
                let taken = bytes.len().min(room);
                client.receive(&bytes[..taken]);
                (taken, taken)
            });
            if taken.unwrap_or(0) == 0 {
                return;
            }
        }
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
        let mut clients = self.clients.iter_mut().flatten();
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
