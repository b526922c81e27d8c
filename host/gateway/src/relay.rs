//! One client and one appliance: bytes as they come, nothing kept back.
//!
//! Two threads share the channel's state. None holds it while it waits for a socket, so that neither direction waits for the
//! other.

use std::io::{self, Read, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::{Mutex, PoisonError};

use rustls::ClientConnection;

/// Bytes moved at once.
const PIECE: usize = 16 << 10;

/// Both ends.
pub(crate) struct Relay {
    tls: Mutex<ClientConnection>,
    /// Held while records are made and sent, which keeps their order.
    sending: Mutex<()>,
    appliance: TcpStream,
    client: TcpStream,
}

impl Relay {
    pub(crate) fn new((tls, appliance): (ClientConnection, TcpStream), client: TcpStream) -> Self {
        Self { tls: Mutex::new(tls), sending: Mutex::new(()), appliance, client }
    }

    /// Copies of both sockets, by which it can be ended.
    pub(crate) fn sockets(&self) -> io::Result<[TcpStream; 2]> {
        Ok([self.appliance.try_clone()?, self.client.try_clone()?])
    }

    /// Moves bytes until either end is done.
    pub(crate) fn run(&self) {
        std::thread::scope(|scope| {
            scope.spawn(|| self.end_after(self.up()));
            self.end_after(self.down());
        });
    }

    /// Whatever ended one direction ends the other.
    fn end_after(&self, _why: io::Result<()>) {
        for socket in [&self.client, &self.appliance] {
            // One that is closed already is what is wanted.
            let _closed = socket.shutdown(Shutdown::Both);
        }
    }

    /// From the client to the appliance.
    fn up(&self) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        loop {
            let read = (&self.client).read(&mut piece)?;
            let _order = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
            let records = self.records(piece.get(..read).unwrap_or_default())?;
            (&self.appliance).write_all(&records)?;
            if read == 0 {
                return Ok(());
            }
        }
    }

    /// Plaintext as records; none left says that nothing follows.
    fn records(&self, plaintext: &[u8]) -> io::Result<Vec<u8>> {
        let mut tls = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        let mut records = Vec::new();
        let mut rest = plaintext;
        if plaintext.is_empty() {
            tls.send_close_notify();
        }
        loop {
            let taken = tls.writer().write(rest)?;
            rest = rest.get(taken..).unwrap_or_default();
            while tls.wants_write() {
                tls.write_tls(&mut records)?;
            }
            if rest.is_empty() {
                return Ok(records);
            }
        }
    }

    /// From the appliance to the client.
    fn down(&self) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        loop {
            let read = (&self.appliance).read(&mut piece)?;
            if read == 0 {
                return Ok(());
            }
            let (plaintext, is_over) = self.plaintext(piece.get(..read).unwrap_or_default())?;
            (&self.client).write_all(&plaintext)?;
            if is_over {
                return Ok(());
            }
        }
    }

    /// The plaintext that records complete, and whether nothing follows.
    fn plaintext(&self, mut records: &[u8]) -> io::Result<(Vec<u8>, bool)> {
        let mut tls = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        let mut plaintext = Vec::new();
        let mut is_over = false;
        while !records.is_empty() && !is_over {
            tls.read_tls(&mut records)?;
            let state = tls.process_new_packets().map_err(io::Error::other)?;
            is_over = state.peer_has_closed();
            tls.reader().take(state.plaintext_bytes_to_read() as u64).read_to_end(&mut plaintext)?;
        }
        Ok((plaintext, is_over))
    }
}
