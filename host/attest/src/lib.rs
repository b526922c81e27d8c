//! Evidence into accepted or refused, with every step named.
//!
//! Authenticity ([`snp`], [`tdx`], [`azure`], [`tpm`], [`dice`], [`simulated`]) is apart from [`policy`]: first a report is proven to come from a root of
//! trust, then each field of it is compared with what is expected. Only signed fields are read.
//!
//! Pure: no clock, randomness or network; the caller brings time, roots and collateral ([`Trust`]), nonce, evidence and
//! policy. Fails closed: a check that cannot be made is a refusal.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions)
)]

extern crate alloc;

mod answer;
mod appliance;
mod assurance;
mod authentic;
pub mod azure;
mod bytes;
mod check;
mod corim;
pub mod dice;
mod ear;
mod malformed;
mod not_proven;
mod pin;
pub mod policy;
mod question;
mod receipt;
mod reference;
pub mod simulated;
pub mod snp;
pub mod tdx;
#[cfg(test)]
mod tests;
pub mod tpm;
mod trust;
mod verify;
mod visible;
mod x509;

pub use answer::Answer;
pub use appliance::Asked;
pub use assurance::Assurance;
pub use authentic::{AZURE, Attached, Authentic, Azure, DICE, SEV_SNP, Statement, TDX, TPM};
pub use bytes::{Bytes, unhex};
pub use check::{Check, Outcome};
pub use corim::corim;
pub use ear::Ear;
pub use malformed::Malformed;
pub use not_proven::not_proven;
pub use pin::{base64, pin};
pub use policy::{Policy, PolicyError, PolicyFile, Profile};
pub use question::{Format, Hexed, Question, QuestionError, Report, Shown};
pub use receipt::{RECEIPT_LEAVES_OPEN, ReceiptVerdict, Receipted, Says};
pub use reference::{MachineShape, Reference, ReferenceError, host_data};
pub use trust::{Trust, seconds};
pub use verify::{Verdict, appraise, verify};
pub use vial_receipt::{Answered, Call};
pub use visible::visible;
pub use x509::{Certificate, pem_documents};
