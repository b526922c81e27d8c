//! Attention: queries, keys and values, their turning, the mixing of values.

use vial_tensor::{rope_halves, rope_pairs};

use super::Pass;
use super::products::Source;
use super::step::{Step, add_bias, multiply, norm_each, read};
use crate::kv::{Half, KvCache, Part};
use crate::transformer::config::Pairing;
use crate::transformer::layout::{Attention, Matrix};
use crate::transformer::{PassError, attention};
use crate::weights::Weights;

impl<W: Weights> Step<'_, W> {
    pub(super) fn attend(
        &mut self,
        at: usize,
        tensors: &Attention,
        cache: &mut KvCache,
    ) -> Result<(), PassError> {
        let (config, engine) = (&self.model.config, self.engine);
        self.norm(&tensors.norm);
        self.project(tensors)?;
        self.norm_heads(tensors);
        self.turn(at);
        self.store(at, cache);
        let (rows, Pass { room, scales, .. }) = (self.rows.len(), &mut *self.pass);
        let len = rows * config.query_width();
        let attention =
            attention::Attention { config, cache, layer: at, rows: self.rows, queries: &room.queries[..len] };
        attention.run(engine.team, engine.isa, &mut room.mixed[..len]);
        let out = &mut room.branch[..rows * config.width];
        let mut source = Source { engine, scales, weights: self.weights };
        source.product(&room.mixed[..len], &tensors.output.weight, out)?;
        add_bias(engine, &tensors.output, self.weights, &mut room.vector, out);
        self.join(tensors.post_norm.as_ref());
        Ok(())
    }

    /// Queries, keys and values of the branch.
    fn project(&mut self, tensors: &Attention) -> Result<(), PassError> {
        let (config, rows, engine) = (&self.model.config, self.rows.len(), self.engine);
        let Pass { room, scales, .. } = &mut *self.pass;
        let [queries, keys] = [rows * config.query_width(), rows * config.kv_width()];
        let (queries, keys, values) =
            (&mut room.queries[..queries], &mut room.keys[..keys], &mut room.values[..keys]);
        let mut all = [(&tensors.query, queries), (&tensors.key, keys), (&tensors.value, values)];
        let targets = all.each_mut().map(|(linear, out)| (&linear.weight, &mut **out));
        let mut source = Source { engine, scales, weights: self.weights };
        source.products(&room.branch[..rows * config.width], targets)?;
        for (linear, out) in all {
            add_bias(engine, linear, self.weights, &mut room.vector, out);
        }
        Ok(())
    }

    fn norm_heads(&mut self, tensors: &Attention) {
        let (config, rows) = (&self.model.config, self.rows.len());
        let room = &mut self.pass.room;
        let queries = &mut room.queries[..rows * config.query_width()];
        let keys = &mut room.keys[..rows * config.kv_width()];
        let norms: [(&Option<Matrix>, &mut [f32]); 2] =
            [(&tensors.query_norm, queries), (&tensors.key_norm, keys)];
        for (norm, heads) in norms {
            if let Some(norm) = norm {
                let weight = read(self.engine, norm, self.weights, &mut room.vector);
                norm_each(self.engine, weight, config.epsilon, &mut room.before, heads);
            }
        }
    }

    /// Turns queries and keys by their positions, and scales queries.
    fn turn(&mut self, layer: usize) {
        let (config, isa, dim) = (&self.model.config, self.engine.isa, self.model.config.head_dim);
        let Pass { angles: Some(angles), room, .. } = &mut *self.pass else { return };
        let attending = &config.attending;
        let has_window = attending.window_of(layer).is_some();
        let rope = match config.architecture.pairing {
            Pairing::Adjacent => rope_pairs,
            Pairing::Halves => rope_halves,
        };
        let heads =
            room.queries.chunks_mut(config.query_width()).zip(room.keys.chunks_mut(config.kv_width()));
        for ((at, row), (queries, keys)) in self.rows.iter().enumerate().zip(heads) {
            if config.turns(layer) {
                let (cos, sin) = angles.row(has_window, at);
                rope(isa, queries, dim, cos, sin);
                rope(isa, keys, dim, cos, sin);
            }
            let growth = attending.temperature.map_or(1.0, |temperature| temperature.at(row.position));
            multiply(queries, attending.scale * growth);
        }
    }

    /// Writes keys and values to the cache.
    fn store(&self, layer: usize, cache: &mut KvCache) {
        let (config, isa, room) = (&self.model.config, self.engine.isa, &self.pass.room);
        let halves = room.keys.chunks(config.kv_width()).zip(room.values.chunks(config.kv_width()));
        for (row, (keys, values)) in self.rows.iter().zip(halves) {
            for (half, numbers) in [(Half::Keys, keys), (Half::Values, values)] {
                for (kv_head, numbers) in numbers.chunks(config.head_dim).enumerate() {
                    let part = Part { layer, half, kv_head };
                    cache.store(isa, row.sequence, row.position, part, numbers);
                }
            }
        }
    }
}
