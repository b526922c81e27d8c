//! Softmax of scores that come in pieces.

use crate::Isa;
use crate::simd::{Op, Simd};
use crate::vector::{largest, weigh};

/// Largest score and sum of weights of the pieces so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Softened {
    largest: f32,
    sum: f32,
}

impl Softened {
    /// Before the first piece.
    pub const NONE: Self = Self { largest: f32::NEG_INFINITY, sum: 0.0 };

    /// Replaces the scores of the next piece by weights `exp(score - largest so far)`, and scales what was mixed of the pieces
    /// before to the same largest score. In the end [`Self::sum`] is what all is to be divided by.
    /// Source: Milakov and Gimelshein, "Online normalizer calculation for softmax" (2018), algorithm 3.
    pub fn soften(&mut self, isa: Isa, scores: &mut [f32], mixed: &mut [f32]) {
        if !scores.is_empty() {
            isa.run(Soften { softened: self, scores, mixed });
        }
    }

    /// Sum of the weights.
    #[must_use]
    pub fn sum(&self) -> f32 {
        self.sum
    }
}

struct Soften<'a> {
    softened: &'a mut Softened,
    scores: &'a mut [f32],
    mixed: &'a mut [f32],
}

impl Op for Soften<'_> {
    type Out = ();

    #[inline(always)]
    #[expect(clippy::float_cmp, reason = "where nothing is larger nothing is scaled")]
    fn run<S: Simd>(self, s: S) {
        let Self { softened, scores, mixed } = self;
        let top = largest(s, scores).max(softened.largest);
        if top != softened.largest {
            let factor = libm::expf(softened.largest - top);
            softened.sum *= factor;
            softened.largest = top;
            mixed.iter_mut().for_each(|element| *element *= factor);
        }
        softened.sum += weigh(s, scores, top);
    }
}
