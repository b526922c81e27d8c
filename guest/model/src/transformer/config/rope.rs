//! Rotary position embedding and its stretching to longer contexts.

use super::MAX_CONTEXT;
use super::keys::{Keys, range};
use crate::transformer::error::ModelError;

/// Which elements of a head turn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// `2i` and `2i + 1`.
    Adjacent,
    /// `i` and `i + dims/2`.
    Halves,
}

/// Rotary position embedding: pair `i` of a head turns by `position * scale * base^(-2i/dims)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Elements of a head that turn; even.
    pub dims: usize,
    /// Base of the frequencies.
    pub base: f64,
    /// Base of layers with a window, which are not stretched, where it differs.
    pub window_base: Option<f64>,
    /// Factor on positions: 1, or the inverse of the factor by which contexts are stretched.
    pub scale: f64,
    /// Factor on turned queries and keys.
    pub magnitude: f64,
    /// Stretching by frequency.
    pub yarn: Option<Yarn>,
    /// Tokens of the context before it was stretched.
    pub original_context: usize,
}

/// YaRN: slow frequencies are stretched, fast ones stay, those between are mixed.
///
/// Source: Peng et al., "YaRN: Efficient Context Window Extension of Large Language Models" (2023), section 3.2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Yarn {
    /// Pairs that turn as often within the original context, and faster ones, stay as they are.
    pub fast: f64,
    /// Pairs that turn as often, and slower ones, are stretched whole.
    pub slow: f64,
}

/// How a file stretches its context.
enum Stretch {
    No,
    Linear,
    Yarn,
}

impl Rope {
    pub(super) fn read(keys: &Keys<'_>, head_dim: usize, context: usize) -> Result<Self, ModelError> {
        let dims = keys.optional_count("rope.dimension_count", head_dim)?.unwrap_or(head_dim);
        if !dims.is_multiple_of(2) {
            return Err(range(&keys.key("rope.dimension_count"), dims, "an even number"));
        }
        let default = keys.architecture.defaults.window_base;
        let window_base = keys.positive("rope.freq_base_swa")?.or(Some(default).filter(|base| *base > 0.0));
        let stretch = Stretch::read(keys)?;
        let factor = stretch.factor(keys)?;
        let yarn = stretch.yarn(keys)?;
        let original = keys.optional_count("rope.scaling.original_context_length", MAX_CONTEXT)?;
        Ok(Self {
            dims,
            base: keys.positive("rope.freq_base")?.unwrap_or(10_000.0),
            window_base,
            scale: 1.0 / factor,
            magnitude: magnitude(keys, yarn.is_some(), factor)?,
            yarn,
            original_context: original.unwrap_or(context),
        })
    }
}

impl Stretch {
    fn read(keys: &Keys<'_>) -> Result<Self, ModelError> {
        match keys.str("rope.scaling.type") {
            Some("none") => Ok(Self::No),
            // Factors of each frequency, which a tensor holds, and a factor for all where one is given.
            None | Some("linear" | "longrope") => Ok(Self::Linear),
            Some("yarn") => Ok(Self::Yarn),
            Some(found) => {
                Err(range(&keys.key("rope.scaling.type"), found, "none, linear, longrope or yarn"))
            }
        }
    }

    fn factor(&self, keys: &Keys<'_>) -> Result<f64, ModelError> {
        if matches!(self, Self::No) {
            return Ok(1.0);
        }
        let factor = keys.factor("rope.scaling.factor")?.or(keys.factor("rope.scale_linear")?);
        Ok(f64::from(factor.unwrap_or(1.0)))
    }

    fn yarn(&self, keys: &Keys<'_>) -> Result<Option<Yarn>, ModelError> {
        if !matches!(self, Self::Yarn) {
            return Ok(None);
        }
        let name = "rope.scaling.yarn_ext_factor";
        if let Some(found) = keys.double(name)?.filter(|found| *found >= 0.0 && (found - 1.0).abs() > 1e-6) {
            return Err(range(&keys.key(name), found, "1"));
        }
        Ok(Some(Yarn {
            fast: keys.positive("rope.scaling.yarn_beta_fast")?.unwrap_or(32.0),
            slow: keys.positive("rope.scaling.yarn_beta_slow")?.unwrap_or(1.0),
        }))
    }
}

/// Attention of a stretched context is sharpened: by the file's own factor, and with YaRN by `0.1 ln(factor) + 1` over the
/// same with the file's multiplier.
fn magnitude(keys: &Keys<'_>, is_yarn: bool, factor: f64) -> Result<f64, ModelError> {
    let given = keys.positive("rope.scaling.attn_factor")?.unwrap_or(1.0);
    if !is_yarn || factor <= 1.0 {
        return Ok(given);
    }
    let multiplier = keys.double("rope.scaling.yarn_log_multiplier")?.unwrap_or(0.0);
    let grown = |multiplier: f64| 0.1 * multiplier * libm::log(factor) + 1.0;
    Ok(given * grown(1.0) / grown(multiplier))
}
