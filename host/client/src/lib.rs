//! Connections to appliances: TCP, the bound channel, and requests over it.
//!
//! Trust: a connection proves that its other end has the key that it names, and nothing of whose key that is. Compare it with
//! what verified evidence binds before anything is said that others must not hear.
#![forbid(unsafe_code)]

mod connection;
mod error;
mod http;

pub use connection::{Connection, Opening, authority};
pub use error::ClientError;
pub use http::{Response, read_response, write_request};
