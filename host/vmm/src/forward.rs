//! One TCP connection of the host, forwarded to the guest.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use vial_devices::network::{Connection, Network, Progress};

/// Bytes moved at once.
const PIECE_BYTES: usize = 16 << 10;

/// Both ends of a forwarded connection.
#[derive(Debug)]
pub(crate) struct Forward {
    pub(crate) host: TcpStream,
    pub(crate) guest: Connection,
    is_host_finished: bool,
    is_guest_finished: bool,
    is_broken: bool,
}

impl Forward {
    /// Forwards `host`, which does not block, to `guest`.
    pub(crate) fn new(host: TcpStream, guest: Connection) -> Self {
        Self { host, guest, is_host_finished: false, is_guest_finished: false, is_broken: false }
    }

    /// Moves what can be moved; `false` when both ends are done.
    pub(crate) fn pump(&mut self, network: &mut Network) -> bool {
        self.send(network);
        self.receive(network);
        match network.progress(self.guest) {
            Progress::Over => return false,
            Progress::GuestFinished if !self.is_guest_finished => {
                self.is_guest_finished = true;
                // A client that is gone is found by the next read.
                let _gone = self.host.shutdown(Shutdown::Write);
            }
            _ => {}
        }
        !(self.is_broken || self.is_guest_finished && self.is_host_finished)
    }

    fn send(&mut self, network: &mut Network) {
        let mut piece = [0; PIECE_BYTES];
        while !self.is_host_finished && !self.is_broken {
            let room = network.room(self.guest).min(PIECE_BYTES);
            let Some(piece) = piece.get_mut(..room).filter(|piece| !piece.is_empty()) else { return };
            match self.host.read(piece) {
                Ok(0) => {
                    self.is_host_finished = true;
                    network.finish(self.guest);
                }
                Ok(read) => {
                    // There was room for all of it.
                    let _taken = network.send(self.guest, piece.get(..read).unwrap_or_default());
                }
                Err(error) => return self.note(error.kind()),
            }
        }
    }

    fn receive(&mut self, network: &mut Network) {
        let host = &mut self.host;
        let mut failure = None;
        network.take(self.guest, |bytes| match host.write(bytes) {
            Ok(written) => written,
            Err(error) => {
                failure = Some(error.kind());
                0
            }
        });
        if let Some(kind) = failure {
            self.note(kind);
        }
    }

    fn note(&mut self, kind: ErrorKind) {
        self.is_broken |= !matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted);
    }
}
