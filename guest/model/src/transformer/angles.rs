//! Cosines and sines of the rotary embedding.

use alloc::vec::Vec;
use core::f64::consts::TAU;

use super::config::{Rope, Yarn};

/// Angles of the rows of one pass, for layers that see all tokens and for those with a window.
#[derive(Clone, Debug)]
pub(super) struct Angles {
    all: Table,
    /// Where these layers turn otherwise.
    window: Option<Table>,
}

/// Frequencies, and the cosines and sines of the rows' positions.
#[derive(Clone, Debug)]
struct Table {
    /// Turns a position by this many radians, one a pair.
    frequencies: Vec<f64>,
    magnitude: f64,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Angles {
    /// Frequencies of a model, each divided by its divisor where the model has them.
    pub(super) fn new(rope: &Rope, divisors: Option<&[f32]>) -> Self {
        let divisor = |pair: usize| divisors.and_then(|all| all.get(pair)).map_or(1.0, |&one| f64::from(one));
        let stretched = (0..rope.dims / 2).map(|pair| {
            let frequency = frequency(rope.base, rope.dims, pair) / divisor(pair);
            frequency * share(rope, pair)
        });
        let window = rope.window_base.map(|base| {
            let plain = (0..rope.dims / 2).map(|pair| frequency(base, rope.dims, pair));
            Table::new(plain.collect(), 1.0)
        });
        Self { all: Table::new(stretched.collect(), rope.magnitude), window }
    }

    /// Computes the angles of each row's position.
    pub(super) fn set(&mut self, positions: impl Iterator<Item = usize> + Clone) {
        if let Some(window) = &mut self.window {
            window.set(positions.clone());
        }
        self.all.set(positions);
    }

    /// Cosines and sines of row `row`, one a pair, in a layer with a window or without.
    pub(super) fn row(&self, has_window: bool, row: usize) -> (&[f32], &[f32]) {
        let table = self.window.as_ref().filter(|_| has_window).unwrap_or(&self.all);
        let pairs = table.frequencies.len();
        (&table.cos[row * pairs..][..pairs], &table.sin[row * pairs..][..pairs])
    }
}

impl Table {
    fn new(frequencies: Vec<f64>, magnitude: f64) -> Self {
        Self { frequencies, magnitude, cos: Vec::new(), sin: Vec::new() }
    }

    fn set(&mut self, positions: impl Iterator<Item = usize>) {
        self.cos.clear();
        self.sin.clear();
        for position in positions {
            for frequency in &self.frequencies {
                #[expect(clippy::cast_precision_loss, reason = "positions are far below 2^52")]
                let angle = position as f64 * frequency;
                #[expect(clippy::cast_possible_truncation, reason = "activations are f32")]
                let narrow = |value: f64| (value * self.magnitude) as f32;
                self.cos.push(narrow(libm::cos(angle)));
                self.sin.push(narrow(libm::sin(angle)));
            }
        }
    }
}

/// `base^(-2·pair/dims)`.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn frequency(base: f64, dims: usize, pair: usize) -> f64 {
    libm::pow(base, -2.0 * pair as f64 / dims as f64)
}

/// What is left of a frequency in the stretched context.
fn share(rope: &Rope, pair: usize) -> f64 {
    match &rope.yarn {
        None => rope.scale,
        Some(yarn) => {
            let kept = kept(rope, yarn, pair);
            rope.scale * (1.0 - kept) + kept
        }
    }
}

/// How much of a pair stays as it was: 1 for fast ones, 0 for slow ones, a ramp between.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn kept(rope: &Rope, yarn: &Yarn, pair: usize) -> f64 {
    let dims = rope.dims as f64;
    // The pair that turns so often within the original context.
    let pair_of = |turns: f64| {
        let positions = rope.original_context as f64 / (turns * TAU);
        dims * libm::log(positions) / (2.0 * libm::log(rope.base))
    };
    let low = libm::floor(pair_of(yarn.fast)).max(0.0);
    let high = libm::ceil(pair_of(yarn.slow)).min(dims - 1.0);
    let ramp = (pair as f64 - low) / (high - low).max(0.001);
    1.0 - ramp.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rope() -> Rope {
        Rope {
            dims: 8,
            base: 10_000.0,
            window_base: None,
            scale: 1.0,
            magnitude: 1.0,
            yarn: None,
            original_context: 64,
        }
    }

    /// Sines of position 1.
    fn first(rope: &Rope, divisors: Option<&[f32]>, has_window: bool) -> Vec<f32> {
        let mut angles = Angles::new(rope, divisors);
        angles.set([1].into_iter());
        angles.row(has_window, 0).1.to_vec()
    }

    fn assert_sines(found: &[f32], angles: [f32; 4], magnitude: f32) {
        for (found, angle) in found.iter().zip(angles) {
            assert!((found - magnitude * libm::sinf(angle)).abs() < 1e-7, "{found} at {angle}");
        }
    }

    #[test]
    fn pairs_turn_by_powers_of_the_base() {
        assert_sines(&first(&rope(), None, false), [1.0, 0.1, 0.01, 0.001], 1.0);
        assert_eq!(first(&rope(), None, true), first(&rope(), None, false), "no base of its own");
    }

    #[test]
    fn divisors_scale_and_magnitude_apply() {
        let rope = Rope { scale: 0.5, magnitude: 2.0, ..rope() };
        let found = first(&rope, Some(&[1.0, 2.0, 4.0, 1.0]), false);
        assert_sines(&found, [0.5, 0.025, 0.001_25, 0.000_5], 2.0);
    }

    #[test]
    fn a_windows_own_base_is_not_stretched() {
        let rope = Rope { window_base: Some(16.0), scale: 0.5, ..rope() };
        assert_sines(&first(&rope, None, true), [1.0, 0.5, 0.25, 0.125], 1.0);
        assert_sines(&first(&rope, None, false), [0.5, 0.05, 0.005, 0.000_5], 1.0);
    }

    /// With 64 positions, base 10,000 and 8 dims: a pair turns once at 1.008, and 32 times before the first pair.
    #[test]
    fn yarn_keeps_fast_pairs_and_stretches_slow_ones() {
        let rope = Rope { scale: 0.25, yarn: Some(Yarn { fast: 32.0, slow: 1.0 }), ..rope() };
        let shares: Vec<f64> = (0..4).map(|pair| share(&rope, pair)).collect();
        assert_eq!(shares, [1.0, 0.625, 0.25, 0.25]);
    }
}
