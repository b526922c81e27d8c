//! The numbers of a model, out of its metadata.

mod attention;
mod experts;
mod keys;
mod rope;
#[cfg(test)]
mod tests;

use alloc::borrow::ToOwned;

pub use attention::{Attending, SlidingWindow, Temperature};
pub use experts::Routing;
pub use rope::{Pairing, Rope, Yarn};

use self::keys::{Keys, in_range, range};
use super::architecture::Architecture;
use super::error::ModelError;
use crate::gguf::Gguf;

/// Shape and constants of a model. Checked: every number is in range and divisible as it must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The family.
    pub architecture: &'static Architecture,
    /// Layers.
    pub layers: usize,
    /// Length of the residual stream.
    pub width: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Inner length of the feed-forward, or of one expert's.
    pub feed_forward: usize,
    /// Experts of each layer, where it has them.
    pub routing: Option<Routing>,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// Tokens the model was trained to see at once.
    pub context: usize,
    /// Added under the root of each norm.
    pub epsilon: f32,
    /// Rotary position embedding.
    pub rope: Rope,
    /// What is done with scores.
    pub attending: Attending,
    /// What the stream and the logits are multiplied by.
    pub scales: StreamScales,
}

/// Factors of a whole pass; 1 changes nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreamScales {
    /// On embeddings.
    pub embedding: f32,
    /// On what attention and feed-forward add to the stream.
    pub residual: f32,
    /// On logits.
    pub logits: f32,
    /// Bound of logits.
    pub logit_cap: Option<f32>,
}

impl Config {
    /// Reads and checks the keys of the architecture that the file names.
    ///
    /// # Errors
    /// The architecture or key that is not understood, with what is expected.
    pub fn from_gguf(gguf: &Gguf<'_>) -> Result<Self, ModelError> {
        let keys = Keys::of(gguf)?;
        let width = keys.count("embedding_length", MAX_WIDTH)?;
        let heads = keys.count("attention.head_count", MAX_HEADS)?;
        let layers = keys.count("block_count", MAX_LAYERS)?;
        let context = keys.count("context_length", MAX_CONTEXT)?;
        let head_dim = keys.head_dim(width, heads)?;
        let rope = Rope::read(&keys, head_dim, context)?;
        let routing = Routing::read(&keys)?;
        Ok(Self {
            architecture: keys.architecture,
            layers,
            width,
            heads,
            kv_heads: keys.kv_heads(heads)?,
            head_dim,
            feed_forward: keys.feed_forward(routing.is_some())?,
            routing,
            vocabulary: keys.vocabulary()?,
            context,
            epsilon: keys.epsilon()?,
            attending: Attending::read(&keys, [layers, width / heads, head_dim], rope.original_context)?,
            rope,
            scales: StreamScales::read(&keys, width)?,
        })
    }

    /// Elements of the queries of one token.
    #[must_use]
    pub fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Elements of the keys, and of the values, of one token.
    #[must_use]
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Whether layer `layer` turns queries and keys by position.
    #[must_use]
    pub fn turns(&self, layer: usize) -> bool {
        let every = self.architecture.unturned_every;
        every == 0 || !(layer + 1).is_multiple_of(every)
    }
}

impl StreamScales {
    fn read(keys: &Keys<'_>, width: usize) -> Result<Self, ModelError> {
        let defaults = &keys.architecture.defaults;
        #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^24")]
        let root = libm::sqrtf(width as f32);
        let embedding = if defaults.scales_embedding { root } else { 1.0 };
        Ok(Self {
            embedding: keys.factor("embedding_scale")?.unwrap_or(embedding),
            residual: keys.factor("residual_scale")?.unwrap_or(1.0),
            logits: keys.factor("logit_scale")?.map_or(1.0, |scale| 1.0 / scale),
            logit_cap: keys.cap("final_logit_softcapping", defaults.logit_cap)?,
        })
    }
}

const MAX_LAYERS: usize = 1024;
const MAX_WIDTH: usize = 1 << 20;
const MAX_HEADS: usize = 4096;
const MAX_HEAD_DIM: usize = 1024;
const MAX_VOCABULARY: usize = 1 << 22;
const MAX_CONTEXT: usize = 1 << 24;

impl Keys<'_> {
    fn head_dim(&self, width: usize, heads: usize) -> Result<usize, ModelError> {
        let key = self.optional_count("attention.key_length", MAX_HEAD_DIM)?;
        let value = self.optional_count("attention.value_length", MAX_HEAD_DIM)?;
        let head_dim = key.unwrap_or(width / heads);
        if let Some(value) = value.filter(|value| *value != head_dim) {
            return Err(range(&self.key("attention.value_length"), value, head_dim));
        }
        if key.is_none() && !width.is_multiple_of(heads) {
            let divisor = alloc::format!("a divisor of {width}");
            return Err(range(&self.key("attention.head_count"), heads, divisor));
        }
        in_range(&self.key("attention.key_length"), head_dim as u64, MAX_HEAD_DIM)
    }

    fn kv_heads(&self, heads: usize) -> Result<usize, ModelError> {
        let kv_heads = self.optional_count("attention.head_count_kv", MAX_HEADS)?.unwrap_or(heads);
        if heads.is_multiple_of(kv_heads) {
            Ok(kv_heads)
        } else {
            let divisor = alloc::format!("a divisor of {heads}");
            Err(range(&self.key("attention.head_count_kv"), kv_heads, divisor))
        }
    }

    /// Files of experts alone may name the experts' length only.
    fn feed_forward(&self, has_experts: bool) -> Result<usize, ModelError> {
        let of_expert = self.optional_count("expert_feed_forward_length", MAX_WIDTH)?;
        match of_expert.filter(|_| has_experts) {
            Some(length) => Ok(length),
            None => self.count("feed_forward_length", MAX_WIDTH),
        }
    }

    /// The embedding has one row for each token of the tokenizer, where the file has one.
    fn vocabulary(&self) -> Result<usize, ModelError> {
        let embedding = self.gguf.tensor("token_embd.weight");
        let embedding = embedding.ok_or(ModelError::Missing { tensor: "token_embd.weight".to_owned() })?;
        let rows = in_range("token_embd.weight rows", embedding.rows(), MAX_VOCABULARY)?;
        let tokens = self.gguf.value("tokenizer.ggml.tokens").and_then(|tokens| tokens.as_strings());
        match tokens.map(<[&str]>::len) {
            Some(tokens) if tokens != rows => Err(range("token_embd.weight rows", rows, tokens)),
            _ => Ok(rows),
        }
    }

    fn epsilon(&self) -> Result<f32, ModelError> {
        let name = "attention.layer_norm_rms_epsilon";
        let epsilon = self.float(name)?.ok_or_else(|| self.missing(name, "float"))?;
        if (0.0..=1.0).contains(&epsilon) {
            Ok(epsilon)
        } else {
            Err(range(&self.key(name), epsilon, "0 to 1"))
        }
    }
}
