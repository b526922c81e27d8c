//! The load plan: which bytes are in guest memory before the first instruction, in which order they are
//! measured, and with which registers each cpu starts.
//!
//! One plan, two readers: the VMM loads [`LoadPlan::parts`] and sets [`LoadPlan::start`]; the verifier
//! hashes the same plan with [`LoadPlan::digest`]. Nothing else decides the order of measured pages.
//!
//! Invariant: the plan is a pure function of firmware bytes and launch page; no host value enters it.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions)
)]

extern crate alloc;

mod chain;
mod digest;
mod firmware;
pub mod ovmf;
mod part;
mod plan;
mod start;
pub mod tdx;
pub mod tiny;
mod vmsa;

pub use chain::Chain;
pub use digest::LaunchDigest;
pub use part::{Contents, Part};
pub use plan::{LoadPlan, PlanError, Range};
pub use start::{Segment, StartState};
