//! One look at every connection.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Action, JobId, Server};
use crate::answer::{Answer, Said};
use crate::api::{Dialect, Generation};
use crate::client::{Client, Job, Work};
use crate::connection::Connection;
use crate::error::ApiError;
use crate::http::Request;
use crate::notary::{Moment, hex};
use crate::route::{Asked, asked};
use crate::sender::{Peer, Sender};
use crate::status::Status;

/// How long a certificate's evidence is shown before there is new.
const EVIDENCE_NS: u64 = 60_000_000_000;
const NO_RECEIPT: &str = "no such receipt, or too many came after it";

/// When it is, and what comes of it.
pub(super) struct Turn<'a> {
    pub(super) now_ns: u64,
    pub(super) unix_seconds: u64,
    pub(super) status: &'a Status,
    pub(super) actions: Vec<Action>,
}

impl Turn<'_> {
    fn moment(&self) -> Moment {
        Moment { unix_seconds: self.unix_seconds, checked_leaves: self.status.checked_leaves }
    }
}

impl Server {
    pub(super) fn serve(&mut self, at: usize, turn: &mut Turn<'_>) {
        let Some(mut connection) = self.connections[at].take() else {
            return self.accept(at, turn);
        };
        connection.read(self.stack.socket(at));
        self.take_requests(&mut connection.client, turn);
        connection.client.keep_pace(turn.now_ns);
        let socket = self.stack.socket(at);
        connection.write(socket, turn.now_ns);
        pause(&mut connection.client, &mut turn.actions);
        let is_gone = !socket.may_recv() && socket.recv_queue() == 0;
        if is_gone || connection.is_over() || connection.client.is_idle(turn.now_ns) {
            self.let_go(at, connection.client, turn);
        } else {
            self.connections[at] = Some(connection);
        }
    }

    /// Lets in whoever waits, as soon as there is a certificate to be shown.
    fn accept(&mut self, at: usize, turn: &mut Turn<'_>) {
        let now_ns = turn.now_ns;
        let is_fresh = self.certified_ns.is_some_and(|then| now_ns.saturating_sub(then) < EVIDENCE_NS);
        let socket = self.stack.socket(at);
        if !socket.is_open() {
            return self.stack.listen(at);
        }
        if !socket.may_recv() || !socket.may_send() {
            return;
        }
        if !is_fresh {
            if !turn.actions.contains(&Action::Certify) {
                turn.actions.push(Action::Certify);
            }
            return;
        }
        let Some(session) = self.acceptor.accept() else { return socket.abort() };
        let peer = Peer::new(self.next_connection, socket.remote_endpoint());
        self.next_connection += 1;
        self.connections[at] = Some(Connection::new(Client::new(peer, self.certified, now_ns), session));
    }

    fn take_requests(&mut self, client: &mut Client, turn: &mut Turn<'_>) {
        while let Some(request) = client.next_request(turn.now_ns) {
            match request {
                Err(error) => client.refuse(&error, true),
                Ok(request) => {
                    let taken = asked(&request, &self.model, turn.unix_seconds, turn.status);
                    let taken = taken.and_then(|asked| self.take(client, asked, &request, turn));
                    taken.unwrap_or_else(|error| client.refuse(&error, false));
                }
            }
        }
    }

    fn take(
        &mut self,
        client: &mut Client,
        asked: Asked,
        request: &Request,
        turn: &mut Turn<'_>,
    ) -> Result<(), ApiError> {
        let id = JobId(self.next_job);
        let work = match asked {
            Asked::Ready(status, kind, body) => {
                client.respond(status, kind, &body, "");
                return Ok(());
            }
            Asked::Receipt(name) => {
                let body = self.notary.find(&name).ok_or_else(|| ApiError::http(404, NO_RECEIPT))?;
                client.respond(200, "application/json", &body, "Cache-Control: no-store\r\n");
                return Ok(());
            }
            Asked::Attest(nonce) => {
                turn.actions.push(Action::Attest(id, nonce));
                Work::Evidence
            }
            Asked::Offer => {
                turn.actions.push(Action::Offer(id, client.peer.connection));
                Work::Evidence
            }
            Asked::Unlock(release) => {
                turn.actions.push(Action::Unlock(id, client.peer.connection, release));
                Work::Evidence
            }
            Asked::Embed(embedding) => {
                let form = embedding.form;
                turn.actions.push(Action::Embed(id, embedding));
                Work::Embedding(form)
            }
            Asked::Generate(generation, is_chat) => {
                let answer = self.new_answer(&generation, is_chat, client.evidence, request, turn)?;
                if answer.is_stream {
                    let kind = stream_kind(&answer);
                    client.start_stream(kind, &named(&answer), generation.pace, turn.now_ns);
                }
                let sender = Sender { peer: client.peer, credential: request.credential.clone() };
                turn.actions.push(Action::Generate(id, generation, sender));
                Work::Answer(answer)
            }
        };
        self.next_job += 1;
        client.job = Some(Job { id, work, is_paused: false });
        Ok(())
    }

    fn new_answer(
        &self,
        generation: &Generation,
        is_chat: bool,
        evidence: [u8; 32],
        request: &Request,
        turn: &Turn<'_>,
    ) -> Result<Answer, ApiError> {
        let draft = || self.notary.draft(&request.body, evidence, turn.status.checked_leaves);
        let no_name = || ApiError::server("the processor gave no randomness for a receipt");
        let receipt = generation.wants_receipt.then(|| draft().ok_or_else(no_name)).transpose()?;
        let prefix = if is_chat { "chatcmpl" } else { "cmpl" };
        Ok(Answer {
            id: format!("{prefix}-{}", self.next_job),
            is_chat,
            dialect: generation.dialect,
            is_stream: generation.is_stream,
            includes_usage: generation.includes_usage,
            created: turn.unix_seconds,
            model: self.model.name.clone(),
            has_logprobs: generation.logprobs.is_some(),
            said: Said::default(),
            logprobs: Vec::new(),
            is_started: false,
            receipt,
        })
    }

    /// Closes a connection; one whose peer is still there gets its last bytes first.
    fn let_go(&mut self, at: usize, client: Client, turn: &mut Turn<'_>) {
        let (sent, connection) = (client.told, client.peer.connection);
        if let Some(Job { id, work, .. }) = client.job {
            if !matches!(work, Work::Evidence) {
                turn.actions.push(Action::Cancel(id));
            }
            if let Work::Answer(Answer { receipt: Some(draft), .. }) = work {
                self.notary.sign_cut(draft, sent, turn.moment());
            }
        }
        turn.actions.push(Action::Forget(connection));
        self.stack.socket(at).close();
    }
}

/// How a stream's body is called.
fn stream_kind(answer: &Answer) -> &'static str {
    if answer.dialect == Dialect::OpenAi { "text/event-stream" } else { "application/x-ndjson" }
}

/// A header that names the receipt, where there will be one.
fn named(answer: &Answer) -> String {
    let name = answer.receipt.as_ref().map(|draft| format!("Vial-Receipt: {}\r\n", hex(&draft.id)));
    name.unwrap_or_default()
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
