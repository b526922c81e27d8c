//! Why an appliance could not be reached or understood.

use std::io;
use thiserror::Error;

/// Why an appliance could not be reached or understood.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Its address is none.
    #[error("found {0:?}, expected https://HOST:PORT")]
    Address(String),
    /// No connection.
    #[error("{address}: {error}")]
    Connect {
        /// Where to.
        address: String,
        /// Why not.
        error: io::Error,
    },
    /// Whoever answers speaks no TLS 1.3, or has no certificate of an appliance.
    #[error("{address}: no bound channel: {error}")]
    Channel {
        /// Where to.
        address: String,
        /// Why not.
        error: String,
    },
    /// The connection ended or stood still before the answer was whole.
    #[error("the answer did not come: {0}")]
    Broken(#[from] io::Error),
    /// The answer is no answer of HTTP/1.1, or longer than is taken.
    #[error("the answer is {found}, expected {expected}")]
    Answer {
        /// What came.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
}
