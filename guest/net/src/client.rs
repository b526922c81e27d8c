//! One connection: bytes in, requests out; answers in, bytes out.

use alloc::vec::Vec;

use crate::answer::Answer;
use crate::api::Form;
use crate::error::ApiError;
use crate::http::{self, Parsed, Request};
use crate::paced::{Pace, Paced};
use crate::sender::Peer;
use crate::server::JobId;

/// A client that sends no whole request for so long is let go.
const REQUEST_NS: u64 = 20_000_000_000;
/// A connection without a request is closed after this.
const IDLE_NS: u64 = 75_000_000_000;
/// Output past which a generation pauses.
const OUTPUT_HIGH: usize = 256 << 10;

/// What a connection is busy with.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) work: Work,
    pub(crate) is_paused: bool,
}

/// What is being made.
#[derive(Debug)]
pub(crate) enum Work {
    /// Evidence, or what unlocks, at once.
    Evidence,
    /// Text, piece by piece.
    Answer(Answer),
    /// Vectors, all together.
    Embedding(Form),
}

impl Work {
    /// The answer, if it is one.
    pub(crate) fn answer(&mut self) -> Option<&mut Answer> {
        if let Self::Answer(answer) = self { Some(answer) } else { None }
    }
}

/// A connection's state.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) peer: Peer,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    pub(crate) job: Option<Job>,
    keeps_alive: bool,
    has_continued: bool,
    closes: bool,
    quiet_since_ns: u64,
    /// Bytes that were taken to be sent, all in all.
    taken: u64,
    /// Those of them that left.
    pub(crate) told: u64,
    /// SHA-256 of the evidence that it was shown last.
    pub(crate) evidence: [u8; 32],
    /// A stream in frames of one size.
    paced: Option<Paced>,
}

impl Client {
    pub(crate) fn new(peer: Peer, evidence: [u8; 32], now_ns: u64) -> Self {
        Self {
            peer,
            taken: 0,
            told: 0,
            evidence,
            paced: None,
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
            job: None,
            keeps_alive: true,
            has_continued: false,
            closes: false,
            quiet_since_ns: now_ns,
        }
    }

    /// Bytes it may still take in: one request at a time.
    pub(crate) fn room(&self) -> usize {
        (http::HEAD_MAX + 2 * http::BODY_MAX).saturating_sub(self.input.len())
    }

    /// Takes bytes of the client.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The next whole request, while none is being answered.
    pub(crate) fn next_request(&mut self, now_ns: u64) -> Option<Result<Request, ApiError>> {
        if self.job.is_some() || self.paced.is_some() || self.closes || self.input.is_empty() {
            return None;
        }
        match http::parse(&self.input) {
            Ok(Parsed::Whole(request, taken)) => {
                self.input.drain(..taken);
                (self.keeps_alive, self.has_continued, self.quiet_since_ns) =
                    (request.keeps_alive, false, now_ns);
                Some(Ok(request))
            }
            Ok(Parsed::Partial { expects_continue }) => {
                if expects_continue && !self.has_continued {
                    self.has_continued = true;
                    self.output.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                }
                let is_late = now_ns.saturating_sub(self.quiet_since_ns) > REQUEST_NS;
                is_late.then(|| Err(ApiError::http(408, "the request did not come in time")))
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// Whether nothing has happened for too long.
    pub(crate) fn is_idle(&self, now_ns: u64) -> bool {
        self.job.is_none() && self.is_flushed() && now_ns.saturating_sub(self.quiet_since_ns) > IDLE_NS
    }

    /// Sends a whole response.
    pub(crate) fn respond(&mut self, status: u16, kind: &str, body: &[u8], extra: &str) {
        let response = http::response(status, kind, body, self.keeps_alive, extra);
        self.output.extend(response);
        self.closes = !self.keeps_alive;
    }

    /// Sends an error; one in the request's own form ends the connection, for what follows cannot be told apart.
    pub(crate) fn refuse(&mut self, error: &ApiError, is_in_form: bool) {
        self.keeps_alive &= !is_in_form;
        let retry =
            error.retry_after.map(|seconds| alloc::format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
        self.respond(error.status, "application/json", &error.body(), &retry);
    }

    /// Starts a streamed response, in frames of one size where it has a pace.
    pub(crate) fn start_stream(&mut self, kind: &str, extra: &str, pace: Option<Pace>, now_ns: u64) {
        self.output.extend(http::stream_head(kind, self.keeps_alive, extra));
        self.paced = pace.map(|pace| Paced::new(pace, now_ns));
    }

    /// Sends a part of a streamed response.
    pub(crate) fn send_part(&mut self, events: &[u8]) {
        match &mut self.paced {
            Some(paced) => paced.hold(events),
            None if events.is_empty() => {}
            None => self.output.extend(http::chunk(events)),
        }
    }

    /// Ends a streamed response.
    pub(crate) fn end_stream(&mut self) {
        match &mut self.paced {
            Some(paced) => paced.end(),
            None => self.send_end(),
        }
    }

    fn send_end(&mut self) {
        self.output.extend_from_slice(b"0\r\n\r\n");
        self.closes = !self.keeps_alive;
    }

    /// Sends the frame that is due, and the end behind the last.
    pub(crate) fn keep_pace(&mut self, now_ns: u64) {
        let Some(paced) = &mut self.paced else { return };
        self.output.extend(paced.frame(now_ns).unwrap_or_default());
        if paced.is_over() {
            self.paced = None;
            self.send_end();
        }
    }

    /// When it next has something to send by itself.
    pub(crate) fn due_ns(&self) -> Option<u64> {
        self.paced.as_ref().map(Paced::due_ns)
    }

    /// The answer in the making, if there is one.
    pub(crate) fn answer(&mut self) -> Option<&mut Answer> {
        self.job.as_mut()?.work.answer()
    }

    /// Bytes to be sent.
    pub(crate) fn unsent(&self) -> &[u8] {
        self.output.get(self.sent..).unwrap_or_default()
    }

    /// Bytes for it, all in all: those that were taken, and those that are to be sent.
    pub(crate) fn queued(&self) -> u64 {
        let framed = self.paced.as_ref().map_or(0, Paced::framed);
        self.taken + self.unsent().len() as u64 + framed
    }

    /// Takes note that all that was taken has left.
    pub(crate) fn note_left(&mut self) {
        self.told = self.taken;
    }

    /// Takes note of bytes sent.
    pub(crate) fn note_sent(&mut self, bytes: usize, now_ns: u64) {
        self.sent += bytes;
        self.taken += bytes as u64;
        if bytes > 0 {
            self.quiet_since_ns = now_ns;
        }
        if self.sent == self.output.len() {
            self.output.clear();
            self.sent = 0;
        }
    }

    /// Whether its reader is so slow that generation should pause.
    pub(crate) fn is_clogged(&self) -> bool {
        self.unsent().len() + self.paced.as_ref().map_or(0, Paced::held) > OUTPUT_HIGH
    }

    pub(crate) fn is_flushed(&self) -> bool {
        self.paced.is_none() && self.unsent().is_empty()
    }

    /// Whether the connection is to be closed now.
    pub(crate) fn is_over(&self) -> bool {
        self.closes && self.job.is_none() && self.is_flushed()
    }
}
