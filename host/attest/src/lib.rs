//! Evidence into accepted or refused, with every step named.
//!
//! Authenticity ([`authentic()`]) is apart from policy ([`verify()`]): first a report is proven to come from a root of trust,
//! then each field of it is compared with what is expected. Only signed fields are read.
//!
//! Pure: no clock, randomness or network; the caller brings nonce, evidence and reference values. Fails closed: a check
//! that cannot be made is a refusal.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions)
)]

extern crate alloc;

mod authentic;
mod bytes;
mod check;
mod reference;
pub mod report;
pub mod simulated;
#[cfg(test)]
mod tests;
mod verify;

pub use authentic::{Authentic, authentic};
pub use bytes::{Bytes, EvidenceError};
pub use check::{Check, Outcome};
pub use reference::{MachineShape, Reference, ReferenceError};
pub use verify::{Policy, Verdict, verify};
