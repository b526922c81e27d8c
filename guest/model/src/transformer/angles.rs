//! Cosines and sines of the rotary embedding.

use alloc::vec::Vec;

use super::config::Rope;

/// Frequencies of one model, and the angles of the rows of one pass.
#[derive(Clone, Debug)]
pub(super) struct Angles {
    /// Turns a position by this many radians, one a pair.
    frequencies: Vec<f64>,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Angles {
    /// Frequencies `scale · base^(-2i/dims)`, each divided by its factor where the model has factors.
    pub(super) fn new(rope: &Rope, factors: Option<&[f32]>) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let power = |pair: usize| libm::pow(rope.base, -2.0 * pair as f64 / rope.dims as f64);
        let factor =
            |pair: usize| factors.and_then(|factors| factors.get(pair)).map_or(1.0, |&f| f64::from(f));
        let frequencies = (0..rope.dims / 2).map(|pair| rope.scale * power(pair) / factor(pair)).collect();
        Self { frequencies, cos: Vec::new(), sin: Vec::new() }
    }

    /// Computes the angles of each row's position.
    pub(super) fn set(&mut self, positions: impl Iterator<Item = usize>) {
        self.cos.clear();
        self.sin.clear();
        for position in positions {
            for frequency in &self.frequencies {
                #[expect(clippy::cast_precision_loss, reason = "positions are far below 2^52")]
                let angle = position as f64 * frequency;
                #[expect(clippy::cast_possible_truncation, reason = "activations are f32")]
                let (sin, cos) = (libm::sin(angle) as f32, libm::cos(angle) as f32);
                self.cos.push(cos);
                self.sin.push(sin);
            }
        }
    }

    /// Cosines and sines of row `row`, one a pair.
    pub(super) fn row(&self, row: usize) -> (&[f32], &[f32]) {
        let pairs = self.frequencies.len();
        (&self.cos[row * pairs..][..pairs], &self.sin[row * pairs..][..pairs])
    }
}
