//! Clients in, and the watch over the appliance.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use vial_client::Connection;

use crate::open::Open;
use crate::relay::Relay;
use crate::spare::{Refusal, Spare, Verifier};

/// Between two tries to reach an appliance that cannot be reached.
const PAUSE: Duration = Duration::from_secs(2);

/// What its user is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The appliance verified.
    Verified,
    /// It could not be asked; clients get an error until it can.
    Unreachable(String),
}

/// A local address in front of one appliance.
pub struct Gateway {
    spare: Spare,
    open: Open,
    listener: TcpListener,
    every: Duration,
}

impl core::fmt::Debug for Gateway {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Gateway").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl Gateway {
    /// A gateway for the appliance at `url`, which must verify before anything is passed on, and again `every` so often.
    #[must_use]
    pub fn new(url: String, verifier: Arc<dyn Verifier>, listener: TcpListener, every: Duration) -> Self {
        Self { spare: Spare::new(url, verifier), open: Open::default(), listener, every }
    }

    /// Verifies once.
    ///
    /// # Errors
    /// It is not the expected appliance, or could not be asked.
    pub fn verify(&self) -> Result<(), Refusal> {
        self.spare.renew()
    }

    /// Serves clients, until the appliance is refused; gives why. Everything that was open is closed then.
    pub fn run(self, tell: &mut dyn FnMut(Told)) -> String {
        let gateway = Arc::new(self);
        let accepting = Arc::clone(&gateway);
        std::thread::spawn(move || accepting.accept());
        let why = gateway.watch(tell);
        gateway.open.shut();
        gateway.wake();
        why
    }

    /// Keeps a verified connection ready, and verifies on time.
    fn watch(&self, tell: &mut dyn FnMut(Told)) -> String {
        let mut verified = Instant::now();
        loop {
            match self.spare.renew() {
                Ok(()) => {
                    verified = Instant::now();
                    tell(Told::Verified);
                }
                Err(Refusal::Refused(why)) => return why,
                Err(Refusal::Unreachable(why)) => {
                    // Whoever keeps it from being asked must not keep old connections open for ever.
                    if verified.elapsed() > 2 * self.every {
                        self.open.end();
                    }
                    tell(Told::Unreachable(why));
                    std::thread::sleep(PAUSE);
                    continue;
                }
            }
            if self.open.is_shut() {
                return "the appliance was refused".to_owned();
            }
            self.spare.wait(self.every);
        }
    }

    fn accept(self: Arc<Self>) {
        for client in self.listener.incoming() {
            if self.open.is_shut() {
                return;
            }
            let Ok(client) = client else { continue };
            let gateway = Arc::clone(&self);
            std::thread::spawn(move || gateway.serve(client));
        }
    }

    fn serve(&self, client: TcpStream) {
        match self.spare.take() {
            Ok(connection) => self.relay(connection, client),
            Err(Refusal::Unreachable(why)) => refuse(client, &why),
            Err(Refusal::Refused(_)) => {
                // The watch finds the same, and ends it all; not a byte is passed on until then.
                self.open.shut();
                refuse(client, "the appliance does not verify any more");
            }
        }
    }

    fn relay(&self, connection: Connection, client: TcpStream) {
        // Without it each small piece of a stream would wait for the one before.
        let _hint = client.set_nodelay(true);
        let relay = Relay::new(connection.into_parts(), client);
        let Some(number) = relay.sockets().ok().and_then(|sockets| self.open.enter(sockets)) else { return };
        relay.run();
        self.open.leave(number);
    }

    /// Lets the accepting thread see that it is over.
    fn wake(&self) {
        if let Ok(address) = self.listener.local_addr() {
            drop(TcpStream::connect_timeout(&own(address), PAUSE));
        }
    }
}

/// An address of this machine by which a listener can be reached.
fn own(address: SocketAddr) -> SocketAddr {
    let is_any = address.ip().is_unspecified();
    if is_any { SocketAddr::from(([127, 0, 0, 1], address.port())) } else { address }
}

/// An error in OpenAI's form. Holds no content: nothing of the client was read.
fn refuse(mut client: TcpStream, why: &str) {
    let why: String =
        why.chars().filter(|letter| !matches!(letter, '"' | '\\') && !letter.is_control()).collect();
    let body = format!(
        r#"{{"error":{{"message":"vial connect: {why}","type":"server_error","param":null,"code":null}}}}"#
    );
    let head = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/json\r\nConnection: close\r\n";
    // A client that is gone misses it.
    let _gone = client.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
}
