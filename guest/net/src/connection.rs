//! One connection: records of the bound channel between a socket and its client.

use alloc::vec::Vec;

use smoltcp::socket::tcp::Socket;
use vial_channel::Session;

use crate::client::Client;

/// What a record, and a first message in several, may bring at once.
const READ_ROOM: usize = 32 << 10;
/// Spec: RFC 8446 §5.1: the first byte of every connection of TLS.
const HANDSHAKE: u8 = 22;
/// For whoever forgot the `s`. Nothing is read of what they sent.
const NO_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
    This address speaks HTTPS alone. `vial connect https://HOST:PORT` verifies it and gives clients a plain local address.\n";

/// A connection's state.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    session: Session,
    has_begun: bool,
    speaks_no_tls: bool,
}

impl Connection {
    pub(crate) fn new(client: Client, session: Session) -> Self {
        Self { client, session, has_begun: false, speaks_no_tls: false }
    }

    /// Reads what the socket holds and there is room for.
    pub(crate) fn read(&mut self, socket: &mut Socket<'_>) {
        while socket.can_recv() && self.client.room() >= READ_ROOM && self.session.room() > 0 {
            let taken = socket.recv(|bytes| {
                let taken = bytes.len().min(self.session.room());
                self.take(bytes.get(..taken).unwrap_or_default());
                (taken, taken)
            });
            if self.speaks_no_tls {
                // As much as there is room for, which is all.
                let _sent = socket.send_slice(NO_TLS);
            }
            if taken.unwrap_or(0) == 0 || self.speaks_no_tls {
                return;
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let is_first = !core::mem::replace(&mut self.has_begun, true);
        self.speaks_no_tls = is_first && bytes.first() != Some(&HANDSHAKE);
        if !self.speaks_no_tls {
            let client = &mut self.client;
            self.session.receive(bytes, &mut |text| client.receive(text));
        }
    }

    /// Sends what the client has and the socket has room for.
    pub(crate) fn write(&mut self, socket: &mut Socket<'_>, now_ns: u64) {
        while socket.may_send() {
            if self.client.is_over() {
                self.session.close();
            }
            let sent = socket.send_slice(self.session.unsent()).unwrap_or(0);
            self.session.note_sent(sent);
            if self.session.unsent().is_empty() {
                self.client.note_left();
            }
            let mut told = Vec::new();
            let taken = self.session.send(self.client.unsent(), &mut |text| told.extend_from_slice(text));
            self.client.receive(&told);
            self.client.note_sent(taken, now_ns);
            if sent == 0 && taken == 0 {
                return;
            }
        }
    }

    /// Whether all was said, or nothing can be said any more.
    pub(crate) fn is_over(&self) -> bool {
        let is_flushed = self.session.unsent().is_empty();
        self.session.is_over() || self.speaks_no_tls || self.client.is_over() && is_flushed
    }
}
