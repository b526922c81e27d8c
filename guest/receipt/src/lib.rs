//! Receipts: what an appliance signs of an answer that it gave, with the key that its evidence binds.
//!
//! A receipt is a CWT (RFC 8392) in a COSE_Sign1 (RFC 9052). It holds digests and counts, never content: whoever has the request
//! and the answer can compare them, whoever has not learns nothing but their lengths.
//!
//! Trust: a receipt that verifies was signed by whoever has the key it names. Whose key that is, evidence says; the time is
//! that of the appliance's host.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod answer;
mod claims;
mod receipt;
mod signed;
#[cfg(test)]
mod tests;

pub use answer::{Answered, Call, digest};
pub use claims::ReceiptError;
pub use receipt::{LeafChecks, Outcome, Receipt, Sampling, Tokens};
#[cfg(fuzzing)]
pub use signed::claims_of;
pub use signed::{sign, verify};
