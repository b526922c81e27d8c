//! The bound channel: TLS 1.3 (RFC 8446) whose server is known by its key alone, and whose certificate carries the evidence
//! that binds that key. Bytes in, bytes out; randomness comes in as a function.
//!
//! - [`identity`]: the appliance's key, made in memory at boot;
//! - [`certificate`]: what the appliance says of its key, and reading it back;
//! - [`acceptor`], [`session`]: the appliance's side, one session a connection;
//! - [`client`]: the other side's settings: any certificate of the right form is let in, so that its key can be compared
//!   with what evidence binds. Whoever uses them must compare;
//! - [`unlock`]: releasing a key to an appliance that was accepted;
//! - [`provider`]: the cryptography of both, from RustCrypto's crates.
//!
//! No session is resumed and no early data taken: each connection shows its key anew.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod acceptor;
pub mod certificate;
pub mod client;
pub mod identity;
pub mod provider;
pub mod session;
#[cfg(test)]
mod tests;
pub mod unlock;

pub use acceptor::Acceptor;
pub use identity::Identity;
pub use provider::Random;
pub use session::Session;
