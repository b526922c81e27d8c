//! The engine: model, network and user runtime joined.
//!
//! - [`arriving`]: weights read leaf by leaf, each private copy checked before anything is computed on it;
//! - [`front`]: one file of them;
//! - [`files`]: the files as passes use them;
//! - [`locked`]: waiting for the key of encrypted weights;
//! - [`load`]: both models out of checked bytes;
//! - [`conversation`]: chats of the API as the template takes them;
//! - [`embedding`]: inputs of one request for vectors, one after the other;
//! - [`form`]: what an answer must look like, and its calls told apart from its text;
//! - [`scope`]: which requests may find what others computed, and whose they are;
//! - [`streamed`]: weights larger than memory, read and checked in every pass;
//! - [`serve`]: the loop over network, passes and waiting;
//! - [`evidence`]: reports for verifiers;
//! - [`stack`]: wiping what calls have left.
//!
//! Trust: ring 0 and the handoff are measured. Disk and network come from the host.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod arriving;
pub mod beginning;
pub mod checked;
pub mod conversation;
pub mod embedding;
pub mod evidence;
pub mod files;
pub mod form;
mod frames;
pub mod front;
pub mod load;
pub mod locked;
pub mod requests;
pub mod room;
pub mod scope;
pub mod serve;
pub mod stack;
pub mod streamed;

use alloc::string::{String, ToString as _};
use vial_abi::ExitCode;

/// Why the engine stops: one line and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The exit code.
    pub code: ExitCode,
    /// What was found and what was expected.
    pub line: String,
}

impl Stop {
    /// A stop for what an error says.
    #[must_use]
    pub fn of(code: ExitCode, error: &(impl core::fmt::Display + ?Sized)) -> Self {
        Self { code, line: error.to_string() }
    }
}
