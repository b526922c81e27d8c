//! Mixture of experts: a router chooses, for each row, which feed-forwards compute.
//!
//! Rows are gathered by expert, so that an expert's weights are read once a pass, and only those of experts that are chosen.
//! A row's sum adds experts in their order, whatever company it has.

use alloc::vec::Vec;
use vial_tensor::{Buffer, softmax};

use super::Pass;
use super::feed_forward::gated;
use super::products::Source;
use super::step::Step;
use crate::transformer::PassError;
use crate::transformer::config::Routing;
use crate::transformer::layout::Experts;
use crate::weights::Weights;

/// A row's use of an expert.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Choice {
    expert: usize,
    row: usize,
    weight: f32,
}

/// Activations beyond those of dense feed-forwards.
#[derive(Debug)]
pub(super) struct ExpertRoom {
    /// `[rows, experts]`.
    probabilities: Buffer,
    /// Inputs of one expert, its outputs, and the sums over experts: `[rows, width]`.
    inputs: Buffer,
    outputs: Buffer,
    sums: Buffer,
    choices: Vec<Choice>,
    /// Experts of one row, likeliest first.
    order: Vec<usize>,
}

impl ExpertRoom {
    pub(super) fn new(width: usize, routing: Routing, max_rows: usize) -> Self {
        let rows = |length: usize| Buffer::new(max_rows * length);
        Self {
            probabilities: rows(routing.experts),
            inputs: rows(width),
            outputs: rows(width),
            sums: rows(width),
            choices: Vec::with_capacity(max_rows * routing.used),
            order: Vec::with_capacity(routing.experts),
        }
    }

    /// Numbers for each row.
    pub(super) fn numbers(width: usize, routing: Routing) -> usize {
        let choices = routing.used * size_of::<Choice>() / size_of::<f32>();
        routing.experts + 3 * width + choices
    }

    /// Chooses experts by the logits that `probabilities` holds for `rows` rows.
    fn choose(&mut self, isa: vial_tensor::Isa, routing: Routing, rows: usize) {
        self.choices.clear();
        for (row, probabilities) in self.probabilities.chunks_mut(routing.experts).take(rows).enumerate() {
            softmax(isa, probabilities);
            self.order.clear();
            self.order.extend(0..routing.experts);
            // Of equals the first: the sort is stable.
            self.order.sort_by(|&one, &other| probabilities[other].total_cmp(&probabilities[one]));
            self.order.truncate(routing.used);
            let factor = factor(routing, self.order.iter().map(|&expert| probabilities[expert]).sum());
            let choice = |&expert: &usize| Choice { expert, row, weight: probabilities[expert] * factor };
            self.choices.extend(self.order.iter().map(choice));
        }
        self.choices.sort_unstable_by_key(|choice| (choice.expert, choice.row));
    }
}

/// Factor on the weights of experts whose probabilities have that sum.
fn factor(routing: Routing, sum: f32) -> f32 {
    // The smallest normal half, as other engines have it: no division by zero.
    const LEAST: f32 = 6.103_515_6e-5;
    if routing.is_normed { routing.scale / sum.max(LEAST) } else { routing.scale }
}

impl<W: Weights> Step<'_, W> {
    /// Replaces the branch by what the experts make of it.
    pub(super) fn experts(&mut self, tensors: &Experts) -> Result<(), PassError> {
        let config = &self.model.config;
        let (Some(routing), Some(mut room)) = (config.routing, self.pass.room.experts.take()) else {
            return Ok(());
        };
        let routed = self.route(tensors, routing, &mut room);
        let len = self.rows.len() * config.width;
        room.sums[..len].fill(0.0);
        let choices = core::mem::take(&mut room.choices);
        let mut by_expert = choices.chunk_by(|one, other| one.expert == other.expert);
        if routed.is_ok() {
            self.announce(tensors, by_expert.clone().map(|choices| choices[0].expert));
        }
        let done =
            routed.and_then(|()| by_expert.try_for_each(|choices| self.expert(tensors, choices, &mut room)));
        self.pass.room.branch[..len].copy_from_slice(&room.sums[..len]);
        room.choices = choices;
        self.pass.room.experts = Some(room);
        done
    }

    fn route(&mut self, tensors: &Experts, routing: Routing, room: &mut ExpertRoom) -> Result<(), PassError> {
        let (rows, engine) = (self.rows.len(), self.engine);
        let Pass { room: activations, scales, .. } = &mut *self.pass;
        let branch = &activations.branch[..rows * self.model.config.width];
        let out = &mut room.probabilities[..rows * routing.experts];
        Source { engine, scales, weights: self.weights }.product(branch, &tensors.router, out)?;
        room.choose(engine.isa, routing, rows);
        Ok(())
    }

    /// Tells at once what all chosen experts will require.
    fn announce(&mut self, tensors: &Experts, chosen: impl Iterator<Item = usize>) {
        let most = self.weights.most();
        let ranges: Vec<_> = chosen.flat_map(|expert| tensors.order(expert, most)).collect();
        self.weights.announce(&ranges);
    }

    /// Adds one expert's share to the rows that chose it.
    fn expert(
        &mut self,
        tensors: &Experts,
        choices: &[Choice],
        room: &mut ExpertRoom,
    ) -> Result<(), PassError> {
        let Some(expert) = choices.first().map(|choice| choice.expert) else { return Ok(()) };
        let [gate, up, down] = [&tensors.gate, &tensors.up, &tensors.down].map(|stack| stack.of(expert));
        let (config, engine) = (&self.model.config, self.engine);
        let (width, len) = (config.width, choices.len() * config.width);
        let inner = choices.len() * config.feed_forward;
        let Pass { room: activations, scales, .. } = &mut *self.pass;
        for (choice, input) in choices.iter().zip(room.inputs.chunks_mut(width)) {
            input.copy_from_slice(&activations.branch[choice.row * width..][..width]);
        }
        let (gates, ups) = (&mut activations.gate[..inner], &mut activations.up[..inner]);
        let mut source = Source { engine, scales, weights: self.weights };
        source.products(&room.inputs[..len], [(&gate, &mut *gates), (&up, &mut *ups)])?;
        gated(engine.isa, config.architecture.activation, gates, ups);
        source.product(ups, &down, &mut room.outputs[..len])?;
        for (choice, output) in choices.iter().zip(room.outputs.chunks(width)) {
            let sums = room.sums[choice.row * width..][..width].iter_mut();
            sums.zip(output).for_each(|(sum, output)| *sum += choice.weight * output);
        }
        Ok(())
    }
}
