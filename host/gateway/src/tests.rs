//! The gateway in front of servers that speak the bound channel and echo what they hear, one byte more each.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use vial_channel::{Acceptor, Identity};
use vial_client::Connection;

use crate::{Gateway, Refusal, Told, Verifier};

const KEY: [u8; 32] = [7; 32];

/// A server under a key, on a free port; counts who came.
fn server(came: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut acceptor = Acceptor::new(Arc::new(Identity::new(&KEY)), |bytes| getrandom::fill(bytes).is_ok());
    acceptor.certify(b"{}").unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            came.fetch_add(1, Ordering::SeqCst);
            let session = acceptor.accept().unwrap();
            std::thread::spawn(move || echo(session, socket.unwrap()));
        }
    });
    address
}

fn echo(mut session: vial_channel::Session, mut socket: TcpStream) {
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = socket.read(&mut piece) {
        let mut heard = Vec::new();
        session.receive(&piece[..read], &mut |text| heard.extend(text.iter().map(|byte| byte + 1)));
        loop {
            let _sent = socket.write_all(session.unsent());
            session.note_sent(session.unsent().len());
            match session.send(&heard, &mut |_| ()) {
                0 => break,
                taken => drop(heard.drain(..taken)),
            }
        }
        if session.is_over() {
            return;
        }
    }
}

/// Accepts one key, as long as it is told to.
struct Keyed {
    is_accepted: Arc<AtomicBool>,
    is_reachable: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Verifier for Keyed {
    fn verify(&self, connection: &mut Connection) -> Result<(), Refusal> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if !self.is_reachable.load(Ordering::SeqCst) {
            return Err(Refusal::Unreachable("no answer".to_owned()));
        }
        let is_known = *connection.key() == Identity::new(&KEY).public();
        let is_accepted = is_known && self.is_accepted.load(Ordering::SeqCst);
        if is_accepted { Ok(()) } else { Err(Refusal::Refused("channel key".to_owned())) }
    }
}

/// A gateway that runs.
struct Bench {
    local: SocketAddr,
    came: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
    is_accepted: Arc<AtomicBool>,
    is_reachable: Arc<AtomicBool>,
    told: mpsc::Receiver<Told>,
    ended: JoinHandle<String>,
}

impl Bench {
    fn new(every: Duration) -> Self {
        let came = Arc::new(AtomicUsize::new(0));
        Self::before(server(Arc::clone(&came)), came, every)
    }

    fn before(server: SocketAddr, came: Arc<AtomicUsize>, every: Duration) -> Self {
        let (is_accepted, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let is_reachable = Arc::new(AtomicBool::new(true));
        let keyed = Keyed {
            is_accepted: Arc::clone(&is_accepted),
            is_reachable: Arc::clone(&is_reachable),
            asked: Arc::clone(&asked),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let local = listener.local_addr().unwrap();
        let gateway = Gateway::new(format!("https://{server}"), Arc::new(keyed), listener, every);
        let (tell, told) = mpsc::channel();
        let ended = std::thread::spawn(move || gateway.run(&mut |event| drop(tell.send(event))));
        Self { local, came, asked, is_accepted, is_reachable, told, ended }
    }

    fn client(&self) -> TcpStream {
        let client = TcpStream::connect(self.local).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        client
    }
}

const LONG: Duration = Duration::from_secs(3600);

fn echoed(client: &mut TcpStream, text: &[u8]) -> Vec<u8> {
    client.write_all(text).unwrap();
    let mut heard = vec![0; text.len()];
    client.read_exact(&mut heard).unwrap();
    heard
}

#[test]
fn every_client_gets_a_verified_connection_of_its_own() {
    let bench = Bench::new(LONG);
    assert_eq!(bench.told.recv().unwrap(), Told::Verified);
    let mut clients: Vec<_> = (0..4).map(|_| bench.client()).collect();
    for client in &mut clients {
        assert_eq!(echoed(client, b"abc"), b"bcd");
    }
    // The one that waits for the next client may not have been asked yet.
    assert!(bench.asked.load(Ordering::SeqCst) >= 4 && bench.came.load(Ordering::SeqCst) >= 4);
}

#[test]
fn long_texts_pass_both_ways_at_once() {
    let bench = Bench::new(LONG);
    let mut client = bench.client();
    let text: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251).to_le_bytes()[0]).collect();
    let mut writer = client.try_clone().unwrap();
    let sent = text.clone();
    let writing = std::thread::spawn(move || writer.write_all(&sent).unwrap());
    let mut heard = vec![0; text.len()];
    client.read_exact(&mut heard).unwrap();
    writing.join().unwrap();
    assert!(heard.iter().zip(&text).all(|(heard, said)| *heard == said + 1));
}

#[test]
fn all_is_closed_in_the_moment_that_verification_fails() {
    let bench = Bench::new(Duration::from_millis(50));
    let mut client = bench.client();
    assert_eq!(echoed(&mut client, b"a"), b"b");
    bench.is_accepted.store(false, Ordering::SeqCst);
    assert_eq!(bench.ended.join().unwrap(), "channel key");
    // Nothing more comes, and nobody is let in.
    assert!(matches!(client.read(&mut [0; 1]), Ok(0) | Err(_)));
    let mut late = [0; 1];
    let refused = TcpStream::connect(bench.local).and_then(|mut client| {
        client.set_read_timeout(Some(Duration::from_secs(5)))?;
        client.write_all(b"secret")?;
        client.read(&mut late)
    });
    assert!(matches!(refused, Ok(0) | Err(_)), "{refused:?}");
}

#[test]
fn a_client_that_comes_when_verification_fails_is_told_and_nothing_of_it_passed_on() {
    let bench = Bench::new(LONG);
    assert_eq!(bench.told.recv().unwrap(), Told::Verified);
    bench.is_accepted.store(false, Ordering::SeqCst);
    // The connection that waits was verified before; the one after it is refused.
    drop(bench.client());
    assert_eq!(bench.ended.join().unwrap(), "channel key");
}

#[test]
fn an_appliance_that_cannot_be_reached_is_told_to_clients_and_tried_again() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let bench = Bench::before(free, Arc::new(AtomicUsize::new(0)), LONG);
    assert!(matches!(bench.told.recv().unwrap(), Told::Unreachable(why) if why.contains(&free.to_string())));
    let mut answer = String::new();
    bench.client().read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains("server_error"), "{answer}");
    assert!(matches!(bench.told.recv_timeout(Duration::from_secs(10)).unwrap(), Told::Unreachable(_)));
}

#[test]
fn a_client_that_leaves_ends_its_connection_to_the_appliance() {
    let bench = Bench::new(LONG);
    let mut client = bench.client();
    assert_eq!(echoed(&mut client, b"a"), b"b");
    drop(client);
    // Another is served all the same.
    assert_eq!(echoed(&mut bench.client(), b"x"), b"y");
}

#[test]
fn connections_end_where_nobody_can_verify_any_more_and_come_again() {
    let bench = Bench::new(Duration::from_millis(200));
    let mut client = bench.client();
    assert_eq!(echoed(&mut client, b"a"), b"b");
    bench.is_reachable.store(false, Ordering::SeqCst);
    assert!(matches!(client.read(&mut [0; 1]), Ok(0) | Err(_)));
    bench.is_reachable.store(true, Ordering::SeqCst);
    assert_eq!(echoed(&mut bench.client(), b"x"), b"y");
    assert!(!bench.ended.is_finished());
}
