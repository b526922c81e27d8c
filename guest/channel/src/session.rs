//! One connection of the appliance's: records in, plaintext out, and the other way.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};
use zeroize::Zeroize as _;

/// Most bytes of records that wait to be read: one record of the largest size, or a first message in several.
const INCOMING_MAX: usize = 20 << 10;
/// Most bytes of plaintext in one record.
const RECORD_MAX: usize = 16 << 10;
/// What a record has beside its plaintext: header, kind, tag.
const OVERHEAD: usize = 5 + 1 + 16;

/// A session. Its peer is untrusted.
pub struct Session {
    tls: UnbufferedServerConnection,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    sent: usize,
    is_open: bool,
    /// The peer said that nothing follows.
    is_finished: bool,
    /// It broke the protocol; what is left to send is an alert.
    has_failed: bool,
    has_closed: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (incoming, unsent) = (self.incoming.len(), self.unsent().len());
        out.debug_struct("Session")
            .field("incoming", &incoming)
            .field("unsent", &unsent)
            .finish_non_exhaustive()
    }
}

/// What a look at the connection asks for.
enum Step {
    /// Look again.
    Again,
    /// All that came is handled.
    Wait,
    /// The peer broke the protocol.
    Fail,
}

impl Session {
    pub(crate) fn new(tls: UnbufferedServerConnection) -> Self {
        let (incoming, outgoing) = (Vec::new(), Vec::new());
        Self {
            tls,
            incoming,
            outgoing,
            sent: 0,
            is_open: false,
            is_finished: false,
            has_failed: false,
            has_closed: false,
        }
    }

    /// Bytes it may take in now.
    #[must_use]
    pub fn room(&self) -> usize {
        if self.has_failed || self.has_closed { 0 } else { INCOMING_MAX.saturating_sub(self.incoming.len()) }
    }

    /// Takes bytes of the peer, at most [`Self::room`], and tells the plaintext that they complete.
    pub fn receive(&mut self, bytes: &[u8], tell: &mut dyn FnMut(&[u8])) {
        self.incoming.extend_from_slice(bytes);
        self.turn(&[], tell);
        // A first message that fills all room is no client's.
        self.has_failed |= self.incoming.len() >= INCOMING_MAX;
    }

    /// Encrypts the beginning of `plaintext`, as one record; gives how much of it. Nothing while records wait to be sent, so
    /// that a slow reader is felt.
    pub fn send(&mut self, plaintext: &[u8], tell: &mut dyn FnMut(&[u8])) -> usize {
        let is_free = self.is_open && !self.has_failed && !self.has_closed && self.unsent().is_empty();
        if !is_free || plaintext.is_empty() {
            return 0;
        }
        self.turn(plaintext.get(..RECORD_MAX).unwrap_or(plaintext), tell)
    }

    /// Says that nothing follows, and hears no more.
    pub fn close(&mut self) {
        if self.is_open && !self.has_failed && !self.has_closed {
            self.has_closed = true;
            let status = self.tls.process_tls_records(&mut self.incoming);
            if let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state {
                farewell(&mut traffic, &mut self.outgoing);
            }
        }
    }

    /// Records to be sent.
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        self.outgoing.get(self.sent..).unwrap_or_default()
    }

    /// Takes note of bytes sent.
    pub fn note_sent(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.sent >= self.outgoing.len() {
            self.outgoing.clear();
            self.sent = 0;
        }
    }

    /// Whether the peer said that nothing follows, or broke the protocol.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_finished || self.has_failed
    }

    /// Handles all that came; gives how much of `plaintext` was encrypted.
    fn turn(&mut self, plaintext: &[u8], tell: &mut dyn FnMut(&[u8])) -> usize {
        let mut encrypted = 0;
        if self.has_failed || self.has_closed {
            return encrypted;
        }
        loop {
            let UnbufferedStatus { discard, state } = self.tls.process_tls_records(&mut self.incoming);
            let step = match state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    self.is_open = true;
                    if !plaintext.is_empty() {
                        encrypted = encrypt(&mut traffic, plaintext, &mut self.outgoing);
                    }
                    Step::Wait
                }
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        tell(record.payload);
                    }
                    Step::Again
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, &mut self.outgoing),
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    Step::Again
                }
                Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => {
                    self.is_finished = true;
                    Step::Wait
                }
                Ok(ConnectionState::BlockedHandshake) => Step::Wait,
                // Early data is not offered.
                Ok(_) | Err(_) => Step::Fail,
            };
            match step {
                Step::Again => drop_front(&mut self.incoming, discard),
                Step::Wait => {
                    drop_front(&mut self.incoming, discard);
                    return encrypted;
                }
                Step::Fail => {
                    self.fail();
                    return encrypted;
                }
            }
        }
    }

    /// Says why in an alert. rustls has it ready for the next look, and must not be asked again after that.
    fn fail(&mut self) {
        self.has_failed = true;
        let state = self.tls.process_tls_records(&mut self.incoming).state;
        if let Ok(ConnectionState::EncodeTlsData(mut data)) = state {
            let _alert = encode(&mut data, &mut self.outgoing);
        }
        self.incoming.zeroize();
    }
}

/// Drops what was read, and wipes where it lay: records are decrypted in place.
fn drop_front(bytes: &mut Vec<u8>, count: usize) {
    let count = count.min(bytes.len());
    let kept = bytes.len() - count;
    bytes.copy_within(count.., 0);
    if let Some(rest) = bytes.get_mut(kept..) {
        rest.zeroize();
    }
    bytes.truncate(kept);
}

fn encode<Data>(data: &mut EncodeTlsData<'_, Data>, outgoing: &mut Vec<u8>) -> Step {
    let at = outgoing.len();
    loop {
        match data.encode(outgoing.get_mut(at..).unwrap_or_default()) {
            Ok(_) => return Step::Again,
            Err(EncodeError::InsufficientSize(needed)) => outgoing.resize(at + needed.required_size, 0),
            Err(EncodeError::AlreadyEncoded) => return Step::Again,
        }
    }
}

fn encrypt<Data>(traffic: &mut WriteTraffic<'_, Data>, plaintext: &[u8], outgoing: &mut Vec<u8>) -> usize {
    let at = outgoing.len();
    outgoing.resize(at + plaintext.len() + OVERHEAD, 0);
    let written = traffic.encrypt(plaintext, outgoing.get_mut(at..).unwrap_or_default());
    outgoing.truncate(at + written.as_ref().map_or(0, |written| *written));
    written.map_or(0, |_| plaintext.len())
}

fn farewell<Data>(traffic: &mut WriteTraffic<'_, Data>, outgoing: &mut Vec<u8>) {
    let mut alert = vec![0; 64];
    match traffic.queue_close_notify(&mut alert) {
        Ok(written) => outgoing.extend_from_slice(alert.get(..written).unwrap_or_default()),
        // The connection then ends without a word, as one that is cut does.
        Err(EncryptError::InsufficientSize(_) | EncryptError::EncryptExhausted) => {}
    }
}
