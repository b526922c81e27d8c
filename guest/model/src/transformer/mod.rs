//! The decoder-only transformer: its numbers, its tensors, its forward pass.
//!
//! A [`Transformer`] is what a checked header says; [`Pass`] computes with weights that a
//! [`crate::weights::Weights`] brings in and checks.

mod angles;
mod architecture;
mod attention;
mod config;
mod error;
pub mod layout;
mod order;
mod pass;
mod scales;
#[cfg(test)]
mod tests;

pub use architecture::{ARCHITECTURES, Activation, Architecture, Defaults, Experts, HeadNorm, Window};
pub use config::{Attending, Config, Pairing, Rope, Routing, SlidingWindow, StreamScales, Temperature, Yarn};
pub use error::{ModelError, PassError};
pub use order::ExpertStacks;
pub use pass::{Engine, Pass, Row};

use self::layout::{Layer, Layout, Matrix};
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

    /// Bytes of weights that a pass of one row reads: every tensor but those of experts not chosen and the embedding's other
    /// rows.
    #[must_use]
    pub fn bytes_per_token(&self) -> u64 {
        let matrices = self.layout.layers.iter().flat_map(Layer::matrices);
        let ends = self.layout.output.matrices().chain([&self.layout.output_norm]);
        let all: u64 = matrices.chain(ends).map(Matrix::bytes).sum();
        all + self.expert_bytes_per_token() + self.layout.embedding.row_bytes()
    }

    /// Of those bytes the chosen experts'; 0 without experts.
    #[must_use]
    pub fn expert_bytes_per_token(&self) -> u64 {
        let experts: u64 = self.layout.layers.iter().map(Layer::expert_bytes).sum();
        self.config.routing.map_or(0, |routing| experts * routing.used as u64 / routing.experts as u64)
    }
}
