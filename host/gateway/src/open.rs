//! Which relays there are.

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Sockets of all relays; none is added once it is shut.
#[derive(Default)]
pub(crate) struct Open(Mutex<State>);

#[derive(Default)]
struct State {
    is_shut: bool,
    next: u64,
    sockets: HashMap<u64, [TcpStream; 2]>,
}

impl Open {
    /// Notes a relay's sockets; `None` if there may be no more relays.
    pub(crate) fn enter(&self, sockets: [TcpStream; 2]) -> Option<u64> {
        let mut state = self.lock();
        if state.is_shut {
            return None;
        }
        let number = state.next;
        state.next += 1;
        state.sockets.insert(number, sockets);
        Some(number)
    }

    /// Forgets a relay that has ended.
    pub(crate) fn leave(&self, number: u64) {
        self.lock().sockets.remove(&number);
    }

    /// Ends all relays: not a byte more is passed on.
    pub(crate) fn end(&self) {
        for socket in self.lock().sockets.values().flatten() {
            // One that is closed already is what is wanted.
            let _closed = socket.shutdown(Shutdown::Both);
        }
    }

    /// Ends all relays, for good.
    pub(crate) fn shut(&self) {
        self.lock().is_shut = true;
        self.end();
    }

    pub(crate) fn is_shut(&self) -> bool {
        self.lock().is_shut
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
