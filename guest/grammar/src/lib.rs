//! Grammars that constrain sampling: what they are made of, a matcher that follows an answer, and masks of tokens.
//!
//! A [`Grammar`] comes from llama.cpp's GBNF, from a JSON Schema or from a list of tools. A [`Matcher`] follows one answer
//! through it, byte by byte, and tells by a [`Mask`] which tokens of a vocabulary may come next. Nothing is ever
//! forced: every token whose bytes continue the answer is allowed, however it is split.
//!
//! Trust: grammars, schemas and names of tools come from clients. Their size, depth and the work they cause are bounded,
//! and what is not supported is refused by name. A [`TokenTrie`] is made of the model file's vocabulary.
//!
//! This crate deliberately holds no sampler: `vial-model` applies masks to logits.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod cache;
mod check;
mod classes;
mod error;
mod expr;
pub mod gbnf;
mod grammar;
mod json;
mod mask;
mod matcher;
mod network;
mod pattern;
mod range;
mod schema;
mod stacks;
mod states;
#[cfg(test)]
mod tests;
pub mod tools;
mod trie;
mod utf8;
mod value;

pub use error::GrammarError;
pub use grammar::Grammar;
pub use json::Json;
pub use mask::Mask;
pub use matcher::{Matcher, Refused, TooComplex};
pub use trie::TokenTrie;
