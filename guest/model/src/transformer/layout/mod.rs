//! Which tensor of the file plays which part, checked against the config.

mod finder;
mod layer;
mod matrix;

use alloc::vec::Vec;

pub use layer::{Attention, Experts, FeedForward, Gated, Layer};
pub use matrix::{Linear, Matrix, Stack};

use self::finder::Finder;
use super::config::Config;
use super::error::ModelError;
use crate::gguf::Gguf;

/// Every tensor of a model.
#[derive(Clone, Debug)]
pub struct Layout {
    /// One row a token.
    pub embedding: Matrix,
    /// The layers in order.
    pub layers: Vec<Layer>,
    /// Norm before the output.
    pub output_norm: Matrix,
    /// Output matrix; the embedding itself where the two are tied.
    pub output: Linear,
    /// Divisors of the rotary frequencies.
    pub divisors: Divisors,
}

/// Divisors of the rotary frequencies, where the model has them: `[dims/2]`.
#[derive(Clone, Debug)]
pub struct Divisors {
    /// For contexts up to the original one.
    pub short: Option<Matrix>,
    /// For longer ones.
    pub long: Option<Matrix>,
}

impl Layout {
    /// Finds every tensor the config asks for.
    ///
    /// # Errors
    /// The tensor that is missing, misshapen, of an unsupported type, or of no use to this architecture.
    pub fn from_gguf(gguf: &Gguf<'_>, config: &Config) -> Result<Self, ModelError> {
        let mut find = Finder::new(gguf);
        let embedding = find.matrix("token_embd.weight", config.vocabulary, config.width)?;
        let output = find.optional("output.weight", config.vocabulary, config.width)?;
        let layout = Self {
            output: Linear {
                weight: output.unwrap_or_else(|| embedding.clone()),
                bias: find.optional_vector("output.bias", config.vocabulary)?,
            },
            embedding,
            layers: (0..config.layers)
                .map(|at| Layer::find(&mut find, at, config))
                .collect::<Result<_, _>>()?,
            output_norm: find.vector("output_norm.weight", config.width)?,
            divisors: Divisors::find(&mut find, config.rope.dims / 2)?,
        };
        find.check_all_used()?;
        Ok(layout)
    }
}

impl Divisors {
    fn find(find: &mut Finder<'_>, pairs: usize) -> Result<Self, ModelError> {
        let any = find.optional_vector("rope_freqs.weight", pairs)?;
        let short = find.optional_vector("rope_factors_short.weight", pairs)?;
        let long = find.optional_vector("rope_factors_long.weight", pairs)?;
        Ok(Self { short: any.clone().or(short), long: any.or(long) })
    }
}
