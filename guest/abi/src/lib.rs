//! Contract between firmware, kernel, engine and verifier.
//!
//! Every byte layout and number that two of them share is written here once: the memory map, the launch
//! page, the handoff page, the calls ring 3 makes of ring 0, exit codes, timeline marks and the preimage of
//! report data. Nothing here touches hardware, hashes or allocates (but for [`evidence`]).
//!
//! Trust: decoding treats its bytes as hostile; reserved bytes must be zero.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions)
)]

pub mod call;
#[cfg(feature = "evidence")]
pub mod evidence;
pub mod exit;
pub mod handoff;
pub mod launch_page;
pub mod mark;
pub mod memory;
pub mod port;
pub mod report;
mod wire;

pub use exit::ExitCode;
pub use handoff::Handoff;
pub use launch_page::LaunchPage;
pub use mark::Mark;
pub use wire::WireError;
