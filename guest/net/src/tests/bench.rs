//! A server and a client on one cable, with the bound channel between them.

use alloc::format;
extern crate std;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use rustls::ClientConnection;
use std::io::{Read as _, Write as _};
use vial_channel::{Identity, client};

use super::model;
use crate::stack::Stack;
use crate::{Action, Sealed, Server, ServerConfig, Status};

/// Different every time, which is all that tests need.
fn random(bytes: &mut [u8]) -> bool {
    static STATE: AtomicU64 = AtomicU64::new(1);
    for byte in bytes {
        let state = STATE.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        *byte = (state.wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 56).to_le_bytes()[0];
    }
    true
}

pub(super) fn client_side() -> ClientConnection {
    let config = client::config(random).unwrap();
    ClientConnection::new(Arc::new(config), "appliance".try_into().unwrap()).unwrap()
}

pub(super) fn sealed() -> Sealed {
    let engine = "1.2.3".into();
    Sealed { manifest_digest: [3; 48], weights_root: [4; 32], draft_root: None, engine }
}

/// A server and a client on one cable.
pub(super) struct Bench {
    pub(super) server: Server,
    pub(super) client: Stack,
    /// Its end of the channel; none where it speaks plainly.
    tls: Option<ClientConnection>,
    /// Bytes of the client's that the socket had no room for.
    pub(super) waiting: Vec<u8>,
    pub(super) now_ns: u64,
    pub(super) status: Status,
    pub(super) actions: Vec<Action>,
    received: Vec<u8>,
}

impl Bench {
    pub(super) fn connected() -> Self {
        let mut bench = Self::unconnected();
        bench.turns();
        assert_eq!(core::mem::take(&mut bench.actions), [Action::Certify]);
        bench.server.certify(b"{}", bench.now_ns).unwrap();
        bench.turns();
        assert!(bench.is_open());
        bench
    }

    pub(super) fn unconnected() -> Self {
        let identity = Arc::new(Identity::new(&[7; 32]));
        let (mac, model) = ([2, 0, 0, 0, 0, 1], model());
        let config = ServerConfig { mac, seed: 1, connections: 2, model, sealed: sealed(), identity, random };
        Self {
            server: Server::new(config, 0),
            client: Stack::gateway(0),
            tls: Some(client_side()),
            waiting: Vec::new(),
            now_ns: 0,
            status: Status::default(),
            actions: Vec::new(),
            received: Vec::new(),
        }
    }

    pub(super) fn turns(&mut self) {
        for _ in 0..60 {
            self.now_ns += 1_000_000;
            self.client.poll(self.now_ns);
            self.move_bytes();
            self.client.poll(self.now_ns);
            while let Some(frame) = self.client.cable.to_send.pop_front() {
                self.server.receive(frame);
            }
            for action in self.server.poll(self.now_ns, 5, &self.status) {
                // It is asked for until it is told.
                if action != Action::Certify || !self.actions.contains(&action) {
                    self.actions.push(action);
                }
            }
            while let Some(frame) = self.server.next_frame() {
                self.client.cable.received.push_back(frame);
            }
        }
    }

    /// Between the client's socket and its end of the channel, or as they are where it has none.
    fn move_bytes(&mut self) {
        let socket = self.client.socket(0);
        if let Some(tls) = &mut self.tls {
            tls.write_tls(&mut self.waiting).unwrap();
        }
        let sent = socket.send_slice(&self.waiting).unwrap_or(0);
        self.waiting.drain(..sent);
        while let Ok(1..) = socket.recv(|bytes| {
            let Some(tls) = &mut self.tls else {
                self.received.extend_from_slice(bytes);
                return (bytes.len(), bytes.len());
            };
            let taken = tls.read_tls(&mut &*bytes).unwrap_or(0);
            (taken, taken)
        }) {
            if let Some(tls) = &mut self.tls {
                tls.process_new_packets().unwrap();
                // Nothing more for now.
                let _empty = tls.reader().read_to_end(&mut self.received);
            }
        }
    }

    /// Leaves and comes again as another connection.
    pub(super) fn reconnect(&mut self, tls: Option<ClientConnection>) {
        self.client.socket(0).abort();
        self.turns();
        self.client.connect(50_001);
        self.tls = tls;
    }

    pub(super) fn is_open(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| !tls.is_handshaking())
    }

    /// What the appliance's certificate carries.
    pub(super) fn evidence(&self) -> Vec<u8> {
        client::said(self.tls.as_ref().unwrap().peer_certificates()).unwrap().evidence
    }

    pub(super) fn send(&mut self, text: &str) {
        self.tls.as_mut().unwrap().writer().write_all(text.as_bytes()).unwrap();
        self.turns();
    }

    pub(super) fn chat(&mut self, rest: &str) {
        let body = Self::chat_body(rest);
        self.send(&format!(
            "POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
    }

    pub(super) fn chat_body(rest: &str) -> String {
        format!(r#"{{"messages":[{{"role":"user","content":"hi"}}]{rest}}}"#)
    }

    pub(super) fn embed(&mut self, body: &str) {
        self.send(&format!("POST /v1/embeddings HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    }

    pub(super) fn text(&mut self) -> String {
        self.turns();
        String::from_utf8(core::mem::take(&mut self.received)).unwrap()
    }
}
