//! The numbers of a llama model, out of its metadata.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};

use super::error::ModelError;
use crate::gguf::Gguf;

/// Architectures this engine runs.
pub const KNOWN_ARCHITECTURES: &str = "llama";

/// Shape and constants of a model. Checked: every number is in range and divisible as it must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
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
    /// Inner length of the feed-forward.
    pub feed_forward: usize,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// Tokens the model was trained to see at once.
    pub context: usize,
    /// Added under the root of each norm.
    pub epsilon: f32,
    /// Rotary position embedding.
    pub rope: Rope,
}

/// Rotary position embedding: element pairs `(2i, 2i+1)` of a head turn by
/// `position * scale * base^(-2i/dims)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Elements of a head that turn; even.
    pub dims: usize,
    /// Base of the frequencies.
    pub base: f64,
    /// Factor on positions: 1, or the inverse of a linear scaling factor.
    pub scale: f64,
}

impl Config {
    /// Reads and checks the `llama.*` keys.
    ///
    /// # Errors
    /// The architecture or key that is not understood, with what is expected.
    pub fn from_gguf(gguf: &Gguf<'_>) -> Result<Self, ModelError> {
        let keys = Keys { gguf };
        keys.check_architecture()?;
        let width = keys.count("embedding_length", MAX_WIDTH)?;
        let heads = keys.count("attention.head_count", MAX_HEADS)?;
        let head_dim = keys.head_dim(width, heads)?;
        Ok(Self {
            layers: keys.count("block_count", MAX_LAYERS)?,
            width,
            heads,
            kv_heads: keys.kv_heads(heads)?,
            head_dim,
            feed_forward: keys.count("feed_forward_length", MAX_WIDTH)?,
            vocabulary: keys.vocabulary()?,
            context: keys.count("context_length", MAX_CONTEXT)?,
            epsilon: keys.epsilon()?,
            rope: keys.rope(head_dim)?,
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
}

const MAX_LAYERS: usize = 1024;
const MAX_WIDTH: usize = 1 << 20;
const MAX_HEADS: usize = 4096;
const MAX_HEAD_DIM: usize = 1024;
const MAX_VOCABULARY: usize = 1 << 22;
const MAX_CONTEXT: usize = 1 << 24;

/// The `llama.*` keys of a file.
struct Keys<'a> {
    gguf: &'a Gguf<'a>,
}

impl Keys<'_> {
    fn check_architecture(&self) -> Result<(), ModelError> {
        match self.gguf.str("general.architecture") {
            Some("llama") => self.check_experts(),
            Some(other) => {
                Err(ModelError::Architecture { found: other.to_owned(), known: KNOWN_ARCHITECTURES })
            }
            None => Err(metadata("general.architecture", "string")),
        }
    }

    fn check_experts(&self) -> Result<(), ModelError> {
        match self.gguf.u64("llama.expert_count") {
            None | Some(0) => Ok(()),
            Some(found) => Err(range("llama.expert_count", found, "0 (no mixture of experts)")),
        }
    }

    /// A count from 1 to `most` that must be there.
    fn count(&self, name: &str, most: usize) -> Result<usize, ModelError> {
        let key = format!("llama.{name}");
        let found = self.gguf.u64(&key).ok_or_else(|| metadata(&key, "integer"))?;
        in_range(&key, found, most)
    }

    fn optional_count(&self, name: &str, most: usize) -> Result<Option<usize>, ModelError> {
        let present = self.gguf.value(&format!("llama.{name}")).is_some();
        present.then(|| self.count(name, most)).transpose()
    }

    fn head_dim(&self, width: usize, heads: usize) -> Result<usize, ModelError> {
        let key = self.optional_count("attention.key_length", MAX_HEAD_DIM)?;
        let value = self.optional_count("attention.value_length", MAX_HEAD_DIM)?;
        let head_dim = key.unwrap_or(width / heads);
        if value.is_some_and(|value| value != head_dim) {
            let found = value.unwrap_or(0);
            return Err(range("llama.attention.value_length", found, head_dim));
        }
        if key.is_none() && !width.is_multiple_of(heads) {
            return Err(range("llama.attention.head_count", heads, format!("a divisor of {width}")));
        }
        in_range("llama.attention.key_length", head_dim as u64, MAX_HEAD_DIM)
    }

    fn kv_heads(&self, heads: usize) -> Result<usize, ModelError> {
        let kv_heads = self.optional_count("attention.head_count_kv", MAX_HEADS)?.unwrap_or(heads);
        if heads.is_multiple_of(kv_heads) {
            Ok(kv_heads)
        } else {
            Err(range("llama.attention.head_count_kv", kv_heads, format!("a divisor of {heads}")))
        }
    }

    /// The embedding has one row for each token.
    fn vocabulary(&self) -> Result<usize, ModelError> {
        let embedding = self.gguf.tensor("token_embd.weight");
        let embedding = embedding.ok_or(ModelError::Missing { tensor: "token_embd.weight".to_owned() })?;
        in_range("token_embd.weight rows", embedding.rows(), MAX_VOCABULARY)
    }

    fn epsilon(&self) -> Result<f32, ModelError> {
        let key = "llama.attention.layer_norm_rms_epsilon";
        let found = self.gguf.value(key).and_then(|value| value.as_f64());
        let found = found.ok_or_else(|| metadata(key, "float"))?;
        #[expect(clippy::cast_possible_truncation, reason = "a small constant, stored as f32")]
        let epsilon = found as f32;
        if (0.0..=1.0).contains(&epsilon) { Ok(epsilon) } else { Err(range(key, found, "0 to 1")) }
    }

    fn rope(&self, head_dim: usize) -> Result<Rope, ModelError> {
        let dims = self.optional_count("rope.dimension_count", head_dim)?.unwrap_or(head_dim);
        if !dims.is_multiple_of(2) {
            return Err(range("llama.rope.dimension_count", dims, "an even number"));
        }
        let base = self.positive("llama.rope.freq_base")?.unwrap_or(10_000.0);
        Ok(Rope { dims, base, scale: self.rope_scale()? })
    }

    fn rope_scale(&self) -> Result<f64, ModelError> {
        let key = "llama.rope.scaling.type";
        let factor = match self.gguf.str(key) {
            None => self.positive("llama.rope.scale_linear")?,
            Some("none") => None,
            Some("linear") => self.positive("llama.rope.scaling.factor")?,
            Some(found) => return Err(range(key, found, "none or linear")),
        };
        Ok(factor.map_or(1.0, |factor| 1.0 / factor))
    }

    fn positive(&self, key: &str) -> Result<Option<f64>, ModelError> {
        let Some(value) = self.gguf.value(key) else { return Ok(None) };
        let found = value.as_f64().ok_or_else(|| metadata(key, "float"))?;
        if found.is_finite() && found > 0.0 { Ok(Some(found)) } else { Err(range(key, found, "above 0")) }
    }
}

fn in_range(key: &str, found: u64, most: usize) -> Result<usize, ModelError> {
    match usize::try_from(found) {
        Ok(count) if (1..=most).contains(&count) => Ok(count),
        _ => Err(range(key, found, format!("1 to {most}"))),
    }
}

fn range(key: &str, found: impl ToString, expected: impl Into<Expected>) -> ModelError {
    ModelError::Range { key: key.to_owned(), found: found.to_string(), expected: expected.into().0 }
}

fn metadata(key: &str, expected: &'static str) -> ModelError {
    ModelError::Metadata { key: key.to_owned(), expected }
}

/// What a key should have been, from text or a number.
struct Expected(String);

impl From<&str> for Expected {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Expected {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<usize> for Expected {
    fn from(number: usize) -> Self {
        Self(number.to_string())
    }
}
