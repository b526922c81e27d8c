//! GGUF model, tokenizer, chat template, forward pass, sampler; no I/O.
//!
//! The same crate runs in the appliance's ring 3 and as an ordinary process. Weights, cpus and randomness
//! come in as arguments. Trust: the model file is measured, and still parsed as hostile input.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod generate;
pub mod gguf;
pub mod kv;
pub mod llama;
pub mod sample;
pub mod tiny;
pub mod weights;
