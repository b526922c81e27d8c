//! What a row and an input have, as words, across stretches.

use crate::words::{STRETCH, Stretch, WordLanes};

/// What some stretches of a row and an input have.
#[derive(Clone, Copy)]
pub(super) struct Sums<S: WordLanes> {
    products: S::Sums,
    offsets: S::Sums,
}

impl<S: WordLanes> Sums<S> {
    #[inline(always)]
    pub(super) fn new(s: S) -> Self {
        Self { products: s.no_sums(), offsets: s.no_sums() }
    }

    /// Adds what a stretch has, by the scale of the input.
    #[inline(always)]
    pub(super) fn add(&mut self, s: S, part: S::Sums, x: &Stretch) {
        self.products = s.add_scaled(self.products, part, x.scale);
    }

    /// Adds what offsets have; `x`: sums of activations.
    #[inline(always)]
    pub(super) fn add_offsets(&mut self, s: S, offsets: &[f32; STRETCH], x: &[f32; STRETCH]) {
        self.offsets = s.add_offsets(self.offsets, offsets, x);
    }

    /// The same of halves of units.
    #[inline(always)]
    pub(super) fn add_halves(&mut self, s: S, offsets: &[[f32; STRETCH]; 2], x: &[[f32; STRETCH]; 2]) {
        self.add_offsets(s, &offsets[0], &x[0]);
        self.add_offsets(s, &offsets[1], &x[1]);
    }

    #[inline(always)]
    pub(super) fn total(&self, s: S) -> f32 {
        s.total(s.join(self.products, self.offsets))
    }
}
