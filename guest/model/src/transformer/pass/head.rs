//! The ends of a pass: embeddings in, logits out.

use alloc::vec::Vec;
use vial_tensor::{add, dequantize_row, rms_norm, soft_cap};

use super::products::Source;
use super::step::{Step, multiply, read};
use super::{Pass, require_finite};
use crate::transformer::PassError;
use crate::weights::Weights;

impl<W: Weights> Step<'_, W> {
    /// Fills the residual stream with the rows' tokens.
    pub(super) fn embed(&mut self) -> Result<(), PassError> {
        let (isa, config) = (self.engine.isa, &self.model.config);
        let (embedding, vocabulary) = (&self.model.layout.embedding, config.vocabulary);
        let known = self.rows.iter().map(|row| row.token as usize).filter(|token| *token < vocabulary);
        let ranges: Vec<_> = known.map(|token| embedding.row(token)).collect();
        self.weights.announce(&ranges);
        for (row, out) in self.rows.iter().zip(self.pass.room.stream.chunks_mut(config.width)) {
            let token = row.token as usize;
            if token >= vocabulary {
                return Err(PassError::Token { token: row.token, vocabulary });
            }
            let range = embedding.row(token);
            require_finite(self.engine, self.weights, embedding.kind, range.clone())?;
            dequantize_row(isa, embedding.kind, self.weights.bytes(range), out);
            multiply(out, config.scales.embedding);
        }
        Ok(())
    }

    /// Norms the rows that want logits into the front of the branch; gives their number.
    pub(super) fn last_norm(&mut self) -> Result<usize, PassError> {
        let (config, norm) = (&self.model.config, &self.model.layout.output_norm);
        self.keep([norm].into_iter())?;
        let room = &mut self.pass.room;
        let weight = read(self.engine, norm, self.weights, &mut room.vector);
        let wanted =
            self.rows.iter().zip(room.stream.chunks(config.width)).filter(|(row, _)| row.wants_logits);
        let mut count = 0;
        for ((_, stream), out) in wanted.zip(room.branch.chunks_mut(config.width)) {
            rms_norm(self.engine.isa, stream, weight, config.epsilon, out);
            count += 1;
        }
        Ok(count)
    }

    /// Logits of the first `count` rows of the branch.
    pub(super) fn logits(&mut self, count: usize) -> Result<(), PassError> {
        let (config, output) = (&self.model.config, &self.model.layout.output);
        let engine = self.engine;
        self.pass.room.logits.resize(count * config.vocabulary, 0.0);
        if count == 0 {
            return Ok(());
        }
        self.keep(output.bias.iter())?;
        let Pass { room, scales, .. } = &mut *self.pass;
        let (states, logits) = (&room.branch[..count * config.width], &mut room.logits[..]);
        Source { engine, scales, weights: self.weights }.product(states, &output.weight, logits)?;
        if let Some(bias) = &output.bias {
            let mut numbers = alloc::vec![0.0; config.vocabulary];
            read(engine, bias, self.weights, &mut numbers);
            logits.chunks_mut(config.vocabulary).for_each(|row| add(engine.isa, &numbers, row));
        }
        multiply(logits, config.scales.logits);
        // Before the cap, which would hide an infinity.
        if let Some(at) = logits.iter().position(|logit| !logit.is_finite()) {
            return Err(PassError::NotFinite { token: at % config.vocabulary });
        }
        if let Some(cap) = config.scales.logit_cap {
            soft_cap(engine.isa, cap, logits);
        }
        Ok(())
    }
}
