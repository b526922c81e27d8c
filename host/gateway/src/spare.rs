//! Verified connections, one of them ahead of whoever needs it.

use core::time::Duration;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use vial_client::{ClientError, Connection};

/// Longest wait for the appliance while it is verified.
const PATIENCE: Duration = Duration::from_secs(20);
/// A connection that waited longer may have been closed at its other end, which lets idle ones go after 75 s.
const FRESH: Duration = Duration::from_secs(50);

/// Why there is no verified connection.
#[derive(Debug)]
pub enum Refusal {
    /// The appliance could not be asked: it may be gone, or come again.
    Unreachable(String),
    /// It was asked and is not what is expected. Nothing may be said to it any more.
    Refused(String),
}

impl From<ClientError> for Refusal {
    fn from(error: ClientError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

/// Decides whether the other end of a connection is the appliance that is expected, by asking it over that connection.
pub trait Verifier: Send + Sync {
    /// Verifies.
    ///
    /// # Errors
    /// It is not, or could not be asked.
    fn verify(&self, connection: &mut Connection) -> Result<(), Refusal>;
}

/// A verified connection and since when.
struct Ready {
    connection: Connection,
    since: Instant,
}

/// Where verified connections come from.
pub(crate) struct Spare {
    url: String,
    verifier: Arc<dyn Verifier>,
    ready: Mutex<Option<Ready>>,
    is_taken: Condvar,
}

impl Spare {
    pub(crate) fn new(url: String, verifier: Arc<dyn Verifier>) -> Self {
        Self { url, verifier, ready: Mutex::new(None), is_taken: Condvar::new() }
    }

    /// A connection that was verified: the one that waits, or a new one.
    pub(crate) fn take(&self) -> Result<Connection, Refusal> {
        let waiting = self.lock().take();
        self.is_taken.notify_all();
        match waiting.filter(|ready| ready.since.elapsed() < FRESH) {
            Some(ready) => Ok(ready.connection),
            None => self.open(),
        }
    }

    /// Verifies anew, and lets that connection wait for its user in the place of the one before.
    pub(crate) fn renew(&self) -> Result<(), Refusal> {
        let ready = Ready { connection: self.open()?, since: Instant::now() };
        *self.lock() = Some(ready);
        Ok(())
    }

    /// Waits until the spare connection is taken, and for that long at most.
    pub(crate) fn wait(&self, longest: Duration) {
        let ready = self.lock();
        let waited = self.is_taken.wait_timeout_while(ready, longest, |ready| ready.is_some());
        // Whoever holds it next begins anew in any case.
        drop(waited);
    }

    fn open(&self) -> Result<Connection, Refusal> {
        let mut connection = Connection::open(&self.url, PATIENCE)?;
        self.verifier.verify(&mut connection)?;
        connection.set_patience(None).map_err(|error| Refusal::Unreachable(error.to_string()))?;
        Ok(connection)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Ready>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
