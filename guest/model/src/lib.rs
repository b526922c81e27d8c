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
pub mod sample;
pub mod scan;
pub mod template;
pub mod tiny;
pub mod tokenizer;
pub mod transformer;
pub mod weights;

use alloc::borrow::ToOwned as _;
use alloc::string::String;

/// What a header says of a model that this engine runs.
#[derive(Clone, Debug)]
pub struct Supported {
    /// Its architecture.
    pub architecture: String,
    /// Tokens it was trained to see at once.
    pub context: u64,
    /// Its tokenizer.
    pub tokenizer: tokenizer::Tokenizer,
}

/// Why this engine does not run a model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(transparent)]
pub enum CheckError {
    /// Its numbers or tensors.
    Model(#[from] transformer::ModelError),
    /// Its tokenizer.
    Tokenizer(#[from] tokenizer::TokenizerError),
    /// Its chat template.
    Template(#[from] template::TemplateError),
}

/// Checks that this engine runs the model of a header, tokenizer and chat template with it.
///
/// # Errors
/// What is missing or not supported, by name.
pub fn check(gguf: &gguf::Gguf<'_>) -> Result<Supported, CheckError> {
    let supported = check_draft(gguf)?;
    gguf.str("tokenizer.chat_template").map(template::Template::parse).transpose()?;
    Ok(supported)
}

/// As [`check`], of a model that only drafts for another, whose chat template nobody uses.
///
/// # Errors
/// What is missing or not supported, by name.
pub fn check_draft(gguf: &gguf::Gguf<'_>) -> Result<Supported, CheckError> {
    let model = transformer::Transformer::from_gguf(gguf)?;
    let tokenizer = tokenizer::Tokenizer::from_gguf(gguf)?;
    let architecture = gguf.str("general.architecture").unwrap_or_default().to_owned();
    Ok(Supported { architecture, context: model.config.context as u64, tokenizer })
}
