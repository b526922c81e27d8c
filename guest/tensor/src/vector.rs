//! Pieces of a layer on one vector.

use crate::Isa;
use crate::lanes::{fold, lanes, padded};
use crate::simd::{Op, Simd};

/// `exp` of anything lower is zero, of anything higher the value at this limit.
const EXP_RANGE: (f32, f32) = (-87.0, 88.72);

/// Writes `x / sqrt(mean(x²) + epsilon) · weight`.
///
/// # Panics
/// If the lengths differ.
pub fn rms_norm(isa: Isa, x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    assert!(x.len() == weight.len() && x.len() == out.len(), "lengths differ");
    isa.run(RmsNorm { x, weight, epsilon, out });
}

struct RmsNorm<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    epsilon: f32,
    out: &'a mut [f32],
}

impl Op for RmsNorm<'_> {
    type Out = ();

    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "lengths of vectors are far below 2^24")]
    fn run<S: Simd>(self, s: S) {
        let squares = fold!(s, self.x, 0.0, |sum, unit| s.fma(unit, unit, *sum), add);
        let mean = s.sum(squares) / self.x.len() as f32;
        let scale = s.splat(1.0 / libm::sqrtf(mean + self.epsilon));
        lanes!(s, self.out, [x: self.x, weight: self.weight], s.mul(s.mul(x, scale), weight));
    }
}

/// `exp` of each lane, relative error below 2e-7; zero below -87, no overflow.
#[inline(always)]
pub(crate) fn exp_lanes<S: Simd>(s: S, x: S::V) -> S::V {
    // Adding 1.5 · 2^23 leaves the nearest integer in the low bits.
    const SHIFT: f32 = 12_582_912.0;
    // ln 2 in two parts; the first has so few bits that its product with a small integer is exact.
    const LN2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);
    // 1/k! for k = 7 down to 2.
    const TERMS: [f32; 6] = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5];
    let floor = s.splat(EXP_RANGE.0);
    // NaN passes: it is the second operand of both.
    let bounded = s.min(s.splat(EXP_RANGE.1), s.max(floor, x));
    let shifted = s.fma(bounded, s.splat(core::f32::consts::LOG2_E), s.splat(SHIFT));
    let whole = s.sub(shifted, s.splat(SHIFT));
    let rest = s.fma(whole, s.splat(-LN2.0), bounded);
    let rest = s.fma(whole, s.splat(-LN2.1), rest);
    let mut sum = s.splat(TERMS[0]);
    for term in &TERMS[1..] {
        sum = s.fma(sum, rest, s.splat(*term));
    }
    let sum = s.fma(s.mul(rest, rest), sum, rest);
    let power = s.scale_by_power(s.add(sum, s.splat(1.0)), shifted);
    s.zero_below(power, x, floor)
}

/// Replaces each element by its `exp`; see [`softmax`] for the use. Relative error below 2e-7; below -87 the
/// result is 0.
pub fn exp(isa: Isa, x: &mut [f32]) {
    isa.run(Exp { x });
}

struct Exp<'a> {
    x: &'a mut [f32],
}

impl Op for Exp<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (units, rest) = self.x.as_chunks_mut();
        for unit in units {
            s.store(exp_lanes(s, s.load(unit)), unit);
        }
        let mut unit = padded(rest, 0.0);
        s.store(exp_lanes(s, s.load(&unit)), &mut unit);
        rest.copy_from_slice(&unit[..rest.len()]);
    }
}

/// Replaces scores by probabilities: `exp(x - max) / sum`. Elements far below the largest become 0, so that
/// `-inf` masks.
pub fn softmax(isa: Isa, x: &mut [f32]) {
    if !x.is_empty() {
        isa.run(Softmax { x });
    }
}

struct Softmax<'a> {
    x: &'a mut [f32],
}

impl Op for Softmax<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let top = largest(s, self.x);
        let scale = s.splat(1.0 / weigh(s, self.x, top));
        let (units, rest) = self.x.as_chunks_mut();
        for unit in units {
            s.store(s.mul(s.load(unit), scale), unit);
        }
        let mut unit = padded(rest, 0.0);
        s.store(s.mul(s.load(&unit), scale), &mut unit);
        rest.copy_from_slice(&unit[..rest.len()]);
    }
}

/// Replaces scores by `exp(score - top)`; gives their sum.
#[inline(always)]
pub(crate) fn weigh<S: Simd>(s: S, scores: &mut [f32], top: f32) -> f32 {
    let shift = s.splat(top);
    let (units, rest) = scores.as_chunks_mut();
    let mut sum = s.splat(0.0);
    for unit in units {
        let weight = exp_lanes(s, s.sub(s.load(unit), shift));
        sum = s.add(sum, weight);
        s.store(weight, unit);
    }
    if !rest.is_empty() {
        let mut unit = padded(rest, f32::NEG_INFINITY);
        let weight = exp_lanes(s, s.sub(s.load(&unit), shift));
        sum = s.add(sum, weight);
        s.store(weight, &mut unit);
        rest.copy_from_slice(&unit[..rest.len()]);
    }
    s.sum(sum)
}

#[inline(always)]
pub(crate) fn largest<S: Simd>(s: S, x: &[f32]) -> f32 {
    s.top(fold!(s, x, f32::NEG_INFINITY, |top, unit| s.max(unit, *top), max))
}

/// Adds `x` to `out`.
///
/// # Panics
/// If the lengths differ.
pub fn add(isa: Isa, x: &[f32], out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "lengths differ");
    isa.run(Add { x, out });
}

struct Add<'a> {
    x: &'a [f32],
    out: &'a mut [f32],
}

impl Op for Add<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (out, x) in self.out.iter_mut().zip(self.x) {
            *out += x;
        }
    }
}

/// Place of the largest element, the first of equals; `None` if nothing is greater than `-inf`.
#[must_use]
pub fn argmax(isa: Isa, x: &[f32]) -> Option<usize> {
    let top = isa.run(Largest { x });
    if top == f32::NEG_INFINITY { None } else { x.iter().position(|&x| x == top) }
}

struct Largest<'a> {
    x: &'a [f32],
}

impl Op for Largest<'_> {
    type Out = f32;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        largest(s, self.x)
    }
}
