//! What an appliance's memory is for: the engine keeps to it, `vial plan` prints it.
//!
//! A [`Demand`] is what a header, a policy and a launch page say; [`Demand::plan`] shares the memory out, or tells the
//! arithmetic of what does not fit. Everything follows from numbers that are measured, so both sides find the same plan.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod demand;
mod experts;
mod leaves;
mod memory;
mod plan;
mod room;
mod streaming;
#[cfg(test)]
mod tests;

pub use demand::{Demand, Weighed};
pub use experts::ExpertRoom;
pub use leaves::Leaves;
pub use memory::Memory;
pub use plan::{Keeping, Plan};
pub use room::{NoRoom, Refusal};
pub use streaming::Streaming;

/// Memory for the network, the tokenizer and requests.
pub const RESERVE_BYTES: u64 = 40 << 20;
/// Rows of a pass: as many as prefill well.
pub const ROWS: usize = 128;
/// Drafted tokens of a pass: with the one before them as many rows as decoding kernels take.
pub const DRAFTS: usize = 7;
/// Most bytes of weights that are required at once where they are streamed: large enough for cpus to share, small enough to
/// stay in cache between hashing and use.
pub const AT_ONCE: u64 = 4 << 20;
