//! The verifier as a WebAssembly module: JSON of a [`Request`] in, JSON of a [`Response`] out.
//!
//! A module has no clock, file, network or import of any kind: all that it judges by comes in with the request. From a page and
//! from files of strangers: untrusted. Every judgement is made by an instance of its own, so that nothing is left of the one before.
#![deny(unsafe_code)]

mod abi;
mod file;
mod judge;

pub use abi::{input, judge, output_bytes};
pub use file::{File, Form};
pub use judge::{Note, Request, Response};
