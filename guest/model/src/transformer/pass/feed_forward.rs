//! The dense feed-forward, and what it shares with experts.

use vial_tensor::{Isa, gelu_mul, silu_mul};

use super::Pass;
use super::products::Source;
use super::step::{Step, add_bias};
use crate::transformer::PassError;
use crate::transformer::architecture::Activation;
use crate::transformer::layout::{FeedForward, Gated, Layer};
use crate::weights::Weights;

impl<W: Weights> Step<'_, W> {
    pub(super) fn feed_forward(&mut self, layer: &Layer) -> Result<(), PassError> {
        self.norm(&layer.feed_forward_norm);
        match &layer.feed_forward {
            FeedForward::Dense(tensors) => self.dense(tensors)?,
            FeedForward::Experts(tensors) => self.experts(tensors)?,
        }
        self.join(layer.feed_forward_post_norm.as_ref());
        Ok(())
    }

    fn dense(&mut self, tensors: &Gated) -> Result<(), PassError> {
        let (config, engine) = (&self.model.config, self.engine);
        let Pass { room, scales, .. } = &mut *self.pass;
        let (width, inner) = (self.rows.len() * config.width, self.rows.len() * config.feed_forward);
        let (gate, up) = (&mut room.gate[..inner], &mut room.up[..inner]);
        let mut source = Source { engine, scales, weights: self.weights };
        let targets = [(&tensors.gate.weight, &mut *gate), (&tensors.up.weight, &mut *up)];
        source.products(&room.branch[..width], targets)?;
        add_bias(engine, &tensors.gate, source.weights, &mut room.vector, gate);
        add_bias(engine, &tensors.up, source.weights, &mut room.vector, up);
        gated(engine.isa, config.architecture.activation, gate, up);
        let out = &mut room.branch[..width];
        source.product(up, &tensors.down.weight, out)?;
        add_bias(engine, &tensors.down, source.weights, &mut room.vector, out);
        Ok(())
    }
}

/// Replaces `up` by `activation(gate) · up`, in pieces that stay in cache.
pub(super) fn gated(isa: Isa, activation: Activation, gate: &[f32], up: &mut [f32]) {
    let product = match activation {
        Activation::Silu => silu_mul,
        Activation::Gelu => gelu_mul,
    };
    let mut piece = [0.0; 256];
    for (gate, up) in gate.chunks(256).zip(up.chunks_mut(256)) {
        let out = &mut piece[..up.len()];
        product(isa, gate, up, out);
        up.copy_from_slice(out);
    }
}
