//! Inputs in the form that products take.

use super::{Product, WORDS_MAX};
#[cfg(target_arch = "x86_64")]
use super::{amx, bytes, planes};
use crate::simd::{Op, Simd};
use crate::words::{Words, has_words};
#[cfg(target_arch = "x86_64")]
use crate::x86::{Amx, Avx512};
use crate::{Isa, Team};

/// Fewest inputs that become halves for tile registers. Where weights are floats these are no slower from nine on, but
/// leave out more than a draft that is checked with others may change.
#[cfg(target_arch = "x86_64")]
const HALVES_LEAST: usize = WORDS_MAX + 1;
/// Fewest inputs for which unpacking to bytes for tile registers wins.
#[cfg(target_arch = "x86_64")]
const BYTES_LEAST: usize = 2;

/// Memory for what inputs are turned into.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    words: Words,
    #[cfg(target_arch = "x86_64")]
    planes: planes::Planes,
    #[cfg(target_arch = "x86_64")]
    bytes: bytes::Bytes,
    #[cfg(target_arch = "x86_64")]
    halves: amx::Halves,
}

/// What products take inputs as.
#[derive(Clone, Copy)]
pub(super) enum Form<'a> {
    Floats,
    Words(&'a Words),
    /// Words, and planes of their bytes for formats that take these.
    #[cfg(target_arch = "x86_64")]
    Planes(&'a Words, Avx512, &'a planes::Planes),
    #[cfg(target_arch = "x86_64")]
    Bytes(Amx, &'a bytes::Bytes),
    #[cfg(target_arch = "x86_64")]
    Halves(Amx, &'a amx::Halves),
}

impl<'a> Form<'a> {
    /// The words, where inputs are these.
    pub(super) const fn words(self) -> Option<&'a Words> {
        match self {
            Self::Words(words) => Some(words),
            #[cfg(target_arch = "x86_64")]
            Self::Planes(words, ..) => Some(words),
            _ => None,
        }
    }
}

impl Inputs {
    /// Turns `x`, `[n, cols]`, into the form that is fastest for these products.
    pub(super) fn form(
        &mut self,
        team: &Team<'_>,
        isa: Isa,
        (x, cols): (&[f32], usize),
        products: &[Product<'_>],
    ) -> Form<'_> {
        let inputs = x.len() / cols;
        #[cfg(target_arch = "x86_64")]
        if let Some(amx) = isa.tiles().filter(|_| inputs >= HALVES_LEAST) {
            self.halves.set(team, amx, x, cols);
            return Form::Halves(amx, &self.halves);
        }
        let can_words = products.iter().any(|product| has_words(product.weights.quant()));
        if !can_words || inputs > WORDS_MAX && !isa.has_word_panels() {
            return Form::Floats;
        }
        isa.run(AsWords { x, cols, words: &mut self.words });
        #[cfg(target_arch = "x86_64")]
        if let Some(amx) = isa.tiles_of_bytes().filter(|_| inputs >= BYTES_LEAST) {
            let kinds = products.iter().map(|product| product.weights.quant());
            isa.run(bytes::Fill::of(&mut self.bytes, (&self.words, inputs), kinds));
            return Form::Bytes(amx, &self.bytes);
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(s) = self.planes(isa, inputs, products) {
            return Form::Planes(&self.words, s, &self.planes);
        }
        Form::Words(&self.words)
    }

    /// The inputs that are words as planes, too, where a product takes them.
    #[cfg(target_arch = "x86_64")]
    fn planes(&mut self, isa: Isa, inputs: usize, products: &[Product<'_>]) -> Option<Avx512> {
        let kinds = products.iter().map(|product| product.weights.quant());
        let s = isa.planes().filter(|_| kinds.clone().any(planes::has_planes))?;
        isa.run(planes::Fill::of(&mut self.planes, (&self.words, inputs), isa.is_steady(), kinds));
        Some(s)
    }
}

/// Inputs `[n, cols]` to words.
struct AsWords<'x, 'w> {
    x: &'x [f32],
    cols: usize,
    words: &'w mut Words,
}

impl Op for AsWords<'_, '_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        self.words.set(s, self.x, self.cols);
    }
}
