//! Both sides over memory: rustls's own client against our session.

use alloc::string::ToString as _;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use rustls::crypto::SupportedKxGroup;
use rustls::pki_types::ServerName;
use rustls::{CipherSuite, ClientConfig, ClientConnection, NamedGroup, ProtocolVersion};
use std::io::{Read as _, Write as _};

use crate::certificate::{self, NotOurs};
use crate::provider::provider;
use crate::{Acceptor, Identity, Session, client};

extern crate std;

/// Different every time; what it gives need not be hard to guess here.
fn random(bytes: &mut [u8]) -> bool {
    static STATE: AtomicU64 = AtomicU64::new(1);
    for byte in bytes {
        let state = STATE.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        *byte = (state.wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 56) as u8;
    }
    true
}

fn identity() -> Arc<Identity> {
    Arc::new(Identity::new(&[7; 32]))
}

fn acceptor() -> Acceptor {
    let mut acceptor = Acceptor::new(identity(), random);
    acceptor.certify(b"{\"evidence\":1}").unwrap();
    acceptor
}

/// A client and the appliance's session.
struct Pair {
    client: ClientConnection,
    session: Session,
    /// What the appliance read.
    told: Vec<u8>,
    failure: Option<rustls::Error>,
}

impl Pair {
    fn new(config: ClientConfig) -> Self {
        let name = ServerName::try_from("appliance").unwrap();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        Self { client, session: acceptor().accept().unwrap(), told: Vec::new(), failure: None }
    }

    fn open() -> Self {
        let mut pair = Self::new(client::config(random).unwrap());
        pair.turns();
        assert!(!pair.client.is_handshaking(), "{:?}", pair.failure);
        pair
    }

    /// Moves bytes until nothing moves, in pieces of 1,000.
    fn turns(&mut self) {
        for _ in 0..200 {
            let mut sent = Vec::new();
            self.client.write_tls(&mut sent).unwrap();
            let told = &mut self.told;
            for piece in sent.chunks(1000) {
                self.session.receive(piece, &mut |text| told.extend_from_slice(text));
            }
            let unsent = self.session.unsent().to_vec();
            let mut unread = unsent.get(..1000).unwrap_or(&unsent);
            let taken = self.client.read_tls(&mut unread).unwrap_or(0);
            self.session.note_sent(taken);
            if let Err(error) = self.client.process_new_packets() {
                self.failure = Some(error);
            }
        }
    }

    fn send(&mut self, text: &[u8]) -> usize {
        let told = &mut self.told;
        self.session.send(text, &mut |text| told.extend_from_slice(text))
    }
}

#[test]
fn a_client_reads_key_and_evidence_and_both_sides_are_heard() {
    let mut pair = Pair::open();
    let said = client::said(pair.client.peer_certificates()).unwrap();
    assert_eq!((said.key, said.evidence.as_slice()), (identity().public(), b"{\"evidence\":1}".as_slice()));
    pair.client.writer().write_all(&[1; 50_000]).unwrap();
    pair.turns();
    assert_eq!(pair.told, vec![1; 50_000]);
    assert_eq!(pair.send(b"an answer"), 9);
    pair.turns();
    let mut answer = [0; 9];
    pair.client.reader().read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"an answer");
}

#[test]
fn nothing_is_encrypted_while_records_wait_and_a_record_at_once() {
    let mut pair = Pair::open();
    let long = vec![9; 40_000];
    assert_eq!(pair.send(&long), 16 << 10);
    assert_eq!(pair.send(&long), 0);
    pair.turns();
    assert_eq!(pair.send(&long[..3]), 3);
}

#[test]
fn both_ends_say_that_nothing_follows() {
    let mut pair = Pair::open();
    pair.session.close();
    assert_eq!(pair.send(b"late"), 0);
    pair.turns();
    let mut rest = Vec::new();
    assert_eq!(pair.client.reader().read_to_end(&mut rest).unwrap(), 0);
    let mut pair = Pair::open();
    assert!(!pair.session.is_over());
    pair.client.send_close_notify();
    pair.turns();
    assert!(pair.session.is_over());
}

#[test]
fn only_tls_1_3_is_spoken_with_the_suites_and_groups_that_there_are() {
    let pair = Pair::open();
    assert_eq!(pair.client.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    for suite in [
        CipherSuite::TLS13_AES_256_GCM_SHA384,
        CipherSuite::TLS13_AES_128_GCM_SHA256,
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    ] {
        for group in [NamedGroup::X25519, NamedGroup::secp256r1] {
            let mut chosen = (*provider(random)).clone();
            chosen.cipher_suites.retain(|known| known.suite() == suite);
            chosen.kx_groups.retain(|known: &&'static dyn SupportedKxGroup| known.name() == group);
            let mut pair = Pair::new(with(chosen));
            pair.turns();
            let negotiated = pair.client.negotiated_cipher_suite().map(|it| it.suite());
            assert_eq!(negotiated, Some(suite), "{:?}", pair.failure);
            let exchanged = pair.client.negotiated_key_exchange_group().map(|it| it.name());
            assert_eq!(exchanged, Some(group));
        }
    }
}

#[test]
fn no_session_is_resumed_and_no_ticket_given() {
    let config = Arc::new(client::config(random).unwrap());
    for _ in 0..2 {
        let name = ServerName::try_from("appliance").unwrap();
        let client = ClientConnection::new(Arc::clone(&config), name).unwrap();
        let session = acceptor().accept().unwrap();
        let mut pair = Pair { client, session, told: Vec::new(), failure: None };
        pair.turns();
        assert_eq!(pair.client.handshake_kind(), Some(rustls::HandshakeKind::Full));
        assert_eq!(pair.client.tls13_tickets_received(), 0);
    }
}

#[test]
fn whoever_speaks_no_tls_or_breaks_it_gets_an_alert_and_nothing_more() {
    let mut session = acceptor().accept().unwrap();
    session.receive(b"GET / HTTP/1.1\r\n\r\n", &mut |_| panic!("plaintext"));
    assert!(session.is_over() && session.room() == 0);
    // Spec: RFC 8446 §6: content type 21, fatal.
    assert_eq!(session.unsent().first(), Some(&21));
    let mut pair = Pair::open();
    let mut record = vec![23, 3, 3, 0, 40];
    record.extend([0; 40]);
    pair.session.receive(&record, &mut |_| panic!("plaintext"));
    assert!(pair.session.is_over());
}

#[test]
fn a_first_message_without_end_is_refused() {
    let mut session = acceptor().accept().unwrap();
    // A handshake message of 60,000 bytes in records of 1,000.
    let mut piece = vec![22, 3, 1, 3, 0xE8];
    piece.extend([1, 0, 0xEA, 0x60]);
    piece.resize(1005, 0);
    let mut taken = 0;
    while session.room() > 0 && taken < 100_000 {
        let part = piece.get(..session.room()).unwrap_or(&piece).to_vec();
        session.receive(&part, &mut |_| ());
        taken += part.len();
        piece = [&[22, 3, 1, 3, 0xE8], vec![0; 1000].as_slice()].concat();
    }
    assert!(session.is_over() && taken < 30_000, "{taken}");
}

#[test]
fn a_processor_without_randomness_opens_no_session() {
    let mut acceptor = Acceptor::new(identity(), |_| false);
    let opened = acceptor.certify(b"{}").and_then(|()| {
        let mut session = acceptor.accept().ok_or(rustls::Error::HandshakeNotComplete)?;
        let mut hello = Vec::new();
        let name = ServerName::try_from("appliance").unwrap();
        let mut client = ClientConnection::new(Arc::new(client::config(random).unwrap()), name).unwrap();
        client.write_tls(&mut hello).unwrap();
        session.receive(&hello, &mut |_| ());
        if session.is_over() { Err(rustls::Error::FailedToGetRandomBytes) } else { Ok(()) }
    });
    assert_eq!(opened, Err(rustls::Error::FailedToGetRandomBytes));
}

#[test]
fn certificates_of_another_form_key_or_signature_are_refused() {
    let evidence = vec![b'x'; 20_000];
    let good = certificate::make(&identity(), &evidence).unwrap();
    assert_eq!(certificate::read(&good).unwrap().evidence, evidence);
    let at = |wanted: &[u8]| good.windows(wanted.len()).position(|part| part == wanted).unwrap();
    let changed = |at: usize| {
        let mut changed = good.clone();
        changed[at] ^= 1;
        certificate::read(&changed)
    };
    assert_eq!(changed(good.len() - 1), Err(NotOurs::Signature));
    assert_eq!(changed(at(&evidence)), Err(NotOurs::Signature));
    assert_eq!(changed(at(&identity().public()) + 3), Err(NotOurs::Signature));
    assert_eq!(certificate::read(&good[..good.len() - 1]), Err(NotOurs::Form));
    assert_eq!(certificate::read(&[good.as_slice(), b"x"].concat()), Err(NotOurs::Form));
    assert!(NotOurs::Key.to_string().contains("Ed25519"));
}

/// Settings with another provider.
fn with(provider: rustls::crypto::CryptoProvider) -> ClientConfig {
    client::with(Arc::new(provider)).unwrap()
}
