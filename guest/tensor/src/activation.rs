//! What stands between two matrices of a feed-forward, and caps on scores.

use crate::Isa;
use crate::lanes::{lanes, padded};
use crate::simd::{Op, Simd};
use crate::vector::exp_lanes;

/// Writes `gate · sigmoid(gate) · up`.
///
/// # Panics
/// If the lengths differ.
pub fn silu_mul(isa: Isa, gate: &[f32], up: &[f32], out: &mut [f32]) {
    assert!(gate.len() == up.len() && gate.len() == out.len(), "lengths differ");
    isa.run(SiluMul { gate, up, out });
}

struct SiluMul<'a> {
    gate: &'a [f32],
    up: &'a [f32],
    out: &'a mut [f32],
}

impl Op for SiluMul<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (zero, one) = (s.splat(0.0), s.splat(1.0));
        lanes!(s, self.out, [gate: self.gate, up: self.up], {
            let divisor = s.add(one, exp_lanes(s, s.sub(zero, gate)));
            s.mul(s.div(gate, divisor), up)
        });
    }
}

/// Writes `gelu(gate) · up`, with the approximation by tanh that gated models were trained with.
///
/// Source: Hendrycks and Gimpel, "Gaussian Error Linear Units" (2016), section 2.
///
/// # Panics
/// If the lengths differ.
pub fn gelu_mul(isa: Isa, gate: &[f32], up: &[f32], out: &mut [f32]) {
    assert!(gate.len() == up.len() && gate.len() == out.len(), "lengths differ");
    isa.run(GeluMul { gate, up, out });
}

struct GeluMul<'a> {
    gate: &'a [f32],
    up: &'a [f32],
    out: &'a mut [f32],
}

impl Op for GeluMul<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        // (1 + tanh z) / 2 = 1 / (1 + exp(-2z)), with z = sqrt(2/pi) (x + 0.044715 x³).
        const LINEAR: f32 = -1.595_769;
        const CUBIC: f32 = -0.071_354_816;
        let one = s.splat(1.0);
        lanes!(s, self.out, [gate: self.gate, up: self.up], {
            let power = s.mul(gate, s.fma(s.mul(gate, gate), s.splat(CUBIC), s.splat(LINEAR)));
            s.mul(s.div(gate, s.add(one, exp_lanes(s, power))), up)
        });
    }
}

/// Replaces each element by `cap · tanh(x / cap)`, which stays within the cap. Error below 2e-7 of the cap.
pub fn soft_cap(isa: Isa, cap: f32, x: &mut [f32]) {
    isa.run(SoftCap { cap, x });
}

struct SoftCap<'a> {
    cap: f32,
    x: &'a mut [f32],
}

impl Op for SoftCap<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (one, two, cap) = (s.splat(1.0), s.splat(2.0), s.splat(self.cap));
        let factor = s.splat(-2.0 / self.cap);
        let capped = |x| {
            let divisor = s.add(one, exp_lanes(s, s.mul(x, factor)));
            s.mul(s.sub(s.div(two, divisor), one), cap)
        };
        let (units, rest) = self.x.as_chunks_mut::<16>();
        for unit in units {
            s.store(capped(s.load(unit)), unit);
        }
        let mut unit = padded(rest, 0.0);
        s.store(capped(s.load(&unit)), &mut unit);
        rest.copy_from_slice(&unit[..rest.len()]);
    }
}
