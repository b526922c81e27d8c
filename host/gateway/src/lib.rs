//! A plain local address for clients that know nothing of appliances, open only while the appliance behind it verifies.
//!
//! - [`Gateway`]: accepts clients, and gives each a connection of its own that was verified before its first byte;
//! - `spare`: one verified connection that waits, so that clients wait for none;
//! - `relay`: bytes of one client to one appliance and back, as they come;
//! - `open`: which relays there are, so that all end in the moment that verification fails.
//!
//! What verifying is, its user says, as a [`Verifier`]. Trust: the appliance's side is untrusted until it says yes; clients are
//! whoever reaches the local address.
#![forbid(unsafe_code)]

mod gateway;
mod open;
mod relay;
mod spare;
#[cfg(test)]
mod tests;

pub use gateway::{Gateway, Told};
pub use spare::{Refusal, Verifier};
