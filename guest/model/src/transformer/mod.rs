//! The decoder-only transformer: its numbers, its tensors, its forward pass.
//!
//! A [`Transformer`] is what a checked header says; [`Pass`] computes with weights that a
//! [`crate::weights::Weights`] brings in and checks.

mod angles;
mod attention;
mod config;
mod error;
mod layout;
mod pass;
mod scales;
#[cfg(test)]
mod tests;

pub use config::{Config, KNOWN_ARCHITECTURES, Rope};
pub use error::{ModelError, PassError};
pub use layout::{Layer, Layout, Matrix};
pub use pass::{Engine, Pass, Row};

use crate::gguf::Gguf;

/// A model this engine runs. Holding one proves that every tensor it needs is in the file, in a supported type and the
/// right shape, and that no other tensor is there.
#[derive(Clone, Debug)]
pub struct Transformer {
    /// Its numbers.
    pub config: Config,
    /// Its tensors.
    pub layout: Layout,
}

impl Transformer {
    /// The model of a header.
    ///
    /// # Errors
    /// What is missing, misshapen or not supported, by name.
    pub fn from_gguf(gguf: &Gguf<'_>) -> Result<Self, ModelError> {
        let config = Config::from_gguf(gguf)?;
        let layout = Layout::from_gguf(gguf, &config)?;
        Ok(Self { config, layout })
    }
}
