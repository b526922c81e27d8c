//! What is done with attention's scores.

use alloc::vec::Vec;

use super::MAX_CONTEXT;
use super::keys::{Keys, range};
use crate::gguf::{Array, Value};
use crate::transformer::architecture::Window;
use crate::transformer::error::ModelError;

/// Constants of attention.
#[derive(Clone, Debug, PartialEq)]
pub struct Attending {
    /// Factor on scores.
    pub scale: f32,
    /// Bound of scores, by `cap · tanh(score / cap)`.
    pub score_cap: Option<f32>,
    /// Layers that see the last tokens only.
    pub window: Option<SlidingWindow>,
    /// Growth of scores with the position.
    pub temperature: Option<Temperature>,
}

/// A sliding window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlidingWindow {
    /// Tokens a row sees, itself among them.
    pub tokens: usize,
    /// Whether the layer has the window, one a layer.
    pub layers: Vec<bool>,
}

/// Queries grow by `1 + factor · ln(1 + floor(position / every))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Temperature {
    /// The factor.
    pub factor: f32,
    /// Tokens of a step.
    pub every: usize,
}

impl Attending {
    /// `[layers, width of a head of the stream, width of a head of the keys]`.
    pub(super) fn read(
        keys: &Keys<'_>,
        [layers, stream_head, head_dim]: [usize; 3],
        original_context: usize,
    ) -> Result<Self, ModelError> {
        let defaults = &keys.architecture.defaults;
        let width = if defaults.scores_by_width_at == layers { stream_head } else { head_dim };
        #[expect(clippy::cast_precision_loss, reason = "a small count")]
        let scale = 1.0 / libm::sqrtf(width as f32);
        let temperature = keys.factor("attention.temperature_scale")?;
        Ok(Self {
            scale: keys.factor("attention.scale")?.unwrap_or(scale),
            score_cap: keys.cap("attn_logit_softcapping", defaults.score_cap)?,
            window: SlidingWindow::read(keys, layers)?,
            temperature: temperature.map(|factor| Temperature { factor, every: original_context }),
        })
    }

    /// Tokens that a row of this layer sees, if not all.
    #[must_use]
    pub fn window_of(&self, layer: usize) -> Option<usize> {
        let window = self.window.as_ref()?;
        window.layers.get(layer)?.then_some(window.tokens)
    }
}

impl Temperature {
    /// The factor on queries at that position.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "steps are few")]
    pub fn at(&self, position: usize) -> f32 {
        1.0 + self.factor * libm::logf((1 + position / self.every) as f32)
    }
}

impl SlidingWindow {
    fn read(keys: &Keys<'_>, layers: usize) -> Result<Option<Self>, ModelError> {
        let name = "attention.sliding_window";
        let tokens = keys.integer(name)?.unwrap_or(keys.architecture.defaults.window as u64);
        let Some(tokens) = usize::try_from(tokens).ok().filter(|tokens| (1..MAX_CONTEXT).contains(tokens))
        else {
            return Ok(None);
        };
        let layers = match keys.architecture.window {
            Window::Never => return Err(range(&keys.key(name), tokens, "none for this architecture")),
            Window::All => alloc::vec![true; layers],
            Window::AllBut { every } => pattern(keys, layers, every)?,
        };
        Ok(Some(Self { tokens, layers }))
    }
}

/// Layers with a window: as the file lists them, or all but the last of each so many.
fn pattern(keys: &Keys<'_>, layers: usize, every: usize) -> Result<Vec<bool>, ModelError> {
    let name = "attention.sliding_window_pattern";
    match keys.gguf.value(&keys.key(name)) {
        Some(Value::Array(Array::Bools(listed))) if listed.len() == layers => Ok(listed.clone()),
        Some(Value::Array(listed)) => Err(range(&keys.key(name), listed.len(), layers)),
        _ => {
            let every = keys.optional_count(name, layers.max(every))?.unwrap_or(every);
            Ok((0..layers).map(|layer| !(layer + 1).is_multiple_of(every)).collect())
        }
    }
}
