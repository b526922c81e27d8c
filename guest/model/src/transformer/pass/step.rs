//! What the parts of a pass share: weights, norms, the residual stream.

use vial_tensor::{add, dequantize_row, rms_norm};

use super::{Engine, Pass, Row};
use crate::transformer::layout::{Linear, Matrix};
use crate::transformer::{PassError, Transformer};
use crate::weights::Weights;

/// A pass under way.
pub(super) struct Step<'a, W> {
    pub(super) pass: &'a mut Pass,
    pub(super) model: &'a Transformer,
    pub(super) weights: &'a mut W,
    pub(super) engine: Engine<'a>,
    pub(super) rows: &'a [Row<'a>],
}

impl<W: Weights> Step<'_, W> {
    /// Brings vectors into memory for good.
    pub(super) fn keep<'m>(
        &mut self,
        mut vectors: impl Iterator<Item = &'m Matrix>,
    ) -> Result<(), PassError> {
        vectors.try_for_each(|vector| self.pass.scales.keep(self.engine.isa, self.weights, vector))
    }

    /// Norms the residual stream into the branch.
    pub(super) fn norm(&mut self, norm: &Matrix) {
        let (width, epsilon, isa) = (self.model.config.width, self.model.config.epsilon, self.engine.isa);
        let weight = read(self.engine, norm, self.weights, &mut self.pass.room.vector);
        let rows = self.pass.room.stream.chunks(width).zip(self.pass.room.branch.chunks_mut(width));
        for (stream, branch) in rows.take(self.rows.len()) {
            rms_norm(isa, stream, weight, epsilon, branch);
        }
    }

    /// Adds the branch to the residual stream, normed and scaled as the architecture wants it.
    pub(super) fn join(&mut self, post_norm: Option<&Matrix>) {
        let config = &self.model.config;
        let len = self.rows.len() * config.width;
        if let Some(norm) = post_norm {
            let room = &mut self.pass.room;
            let weight = read(self.engine, norm, self.weights, &mut room.vector);
            norm_each(self.engine, weight, config.epsilon, &mut room.before, &mut room.branch[..len]);
        }
        let room = &mut self.pass.room;
        multiply(&mut room.branch[..len], config.scales.residual);
        add(self.engine.isa, &room.branch[..len], &mut room.stream[..len]);
    }
}

/// Reads a vector of weights that is kept to the front of `into`.
pub(super) fn read<'v>(
    engine: Engine<'_>,
    vector: &Matrix,
    weights: &impl Weights,
    into: &'v mut [f32],
) -> &'v [f32] {
    let out = &mut into[..vector.columns];
    dequantize_row(engine.isa, vector.kind, weights.bytes(vector.range.clone()), out);
    out
}

/// Norms each vector of `x`, as long as `weight`, in place; `before` is as long at least.
pub(super) fn norm_each(engine: Engine<'_>, weight: &[f32], epsilon: f32, before: &mut [f32], x: &mut [f32]) {
    let before = &mut before[..weight.len()];
    for vector in x.chunks_mut(weight.len()) {
        before.copy_from_slice(vector);
        rms_norm(engine.isa, before, weight, epsilon, vector);
    }
}

/// Multiplies all by a factor, unless it is 1.
pub(super) fn multiply(x: &mut [f32], factor: f32) {
    if factor.to_bits() != 1.0_f32.to_bits() {
        x.iter_mut().for_each(|element| *element *= factor);
    }
}

/// Adds a linear map's bias, if it has one, to each of its outputs.
pub(super) fn add_bias(
    engine: Engine<'_>,
    linear: &Linear,
    weights: &impl Weights,
    vector: &mut [f32],
    out: &mut [f32],
) {
    if let Some(bias) = &linear.bias {
        let bias = read(engine, bias, weights, vector);
        out.chunks_mut(bias.len()).for_each(|row| add(engine.isa, bias, row));
    }
}
