//! Rotary position embedding: pairs of elements turned by position-dependent angles.

use crate::Isa;
use crate::simd::{Op, Simd};

/// Turns the pairs `(x[2i], x[2i + 1])` of each head by angle `i`.
///
/// Shapes: `x` `[heads, head]`, `cos` and `sin` `[pairs]` of one position, `2 · pairs <= head`; elements
/// beyond the pairs stay.
///
/// # Panics
/// If the lengths do not fit.
pub fn rope_pairs(isa: Isa, x: &mut [f32], head: usize, cos: &[f32], sin: &[f32]) {
    check(x, head, cos, sin);
    isa.run(Pairs { x, head, cos, sin });
}

/// Turns the pairs `(x[i], x[i + pairs])` of each head by angle `i` ("neox").
///
/// Shapes: as in [`rope_pairs`].
///
/// # Panics
/// If the lengths do not fit.
pub fn rope_halves(isa: Isa, x: &mut [f32], head: usize, cos: &[f32], sin: &[f32]) {
    check(x, head, cos, sin);
    isa.run(Halves { x, head, cos, sin });
}

fn check(x: &[f32], head: usize, cos: &[f32], sin: &[f32]) {
    assert!(head > 0 && x.len().is_multiple_of(head), "{} elements are not heads of {head}", x.len());
    assert!(cos.len() == sin.len() && cos.len() * 2 <= head, "{} angles for heads of {head}", cos.len());
}

struct Pairs<'a> {
    x: &'a mut [f32],
    head: usize,
    cos: &'a [f32],
    sin: &'a [f32],
}

impl Op for Pairs<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for head in self.x.chunks_exact_mut(self.head) {
            for (pair, (cos, sin)) in
                head.as_chunks_mut::<2>().0.iter_mut().zip(self.cos.iter().zip(self.sin))
            {
                let [a, b] = *pair;
                *pair = [a * cos - b * sin, a * sin + b * cos];
            }
        }
    }
}

struct Halves<'a> {
    x: &'a mut [f32],
    head: usize,
    cos: &'a [f32],
    sin: &'a [f32],
}

impl Op for Halves<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for head in self.x.chunks_exact_mut(self.head) {
            let (first, second) = head.split_at_mut(self.cos.len());
            let angles = self.cos.iter().zip(self.sin);
            for ((x, y), (cos, sin)) in first.iter_mut().zip(second).zip(angles) {
                let (a, b) = (*x, *y);
                *x = a * cos - b * sin;
                *y = a * sin + b * cos;
            }
        }
    }
}
