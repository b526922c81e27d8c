//! TPM 2.0: quotes of registers, and the event logs that explain them.

pub mod event_log;
mod quote;

pub(crate) use quote::verify;
pub use quote::{PCRS, Quoted, TpmQuote};
