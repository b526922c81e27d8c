//! Passes over given tokens, without choosing any: for measurements.

use core::ops::Range;
use vial_model::gguf::Gguf;
use vial_model::kv::{KvCache, KvKind, KvPlan, KvWish, Sequence};
use vial_model::transformer::{Engine, Pass, Row, Transformer};
use vial_model::weights::Resident;

use crate::{LoadError, ModelFile};

/// A model with room for one sequence.
#[derive(Debug)]
pub struct Runner<'a> {
    model: Transformer,
    cache: KvCache,
    pass: Pass,
    weights: Resident<'a>,
    engine: Engine<'a>,
}

impl<'a> Runner<'a> {
    /// A runner for sequences of up to `context` tokens, kept as `kv`, and passes of up to `rows`.
    ///
    /// # Errors
    /// What is not understood of the file.
    pub fn new(
        file: &'a ModelFile,
        engine: Engine<'a>,
        context: usize,
        rows: usize,
        kv: KvKind,
    ) -> Result<Self, LoadError> {
        let gguf = Gguf::parse(file.bytes(), file.bytes().len() as u64)?;
        let model = Transformer::from_gguf(&gguf)?;
        let wish = KvWish { streams: 1, context, budget_bytes: u64::MAX };
        let plan = KvPlan::of_kind(&model.config, wish, kv)?;
        let (cache, pass) = (KvCache::new(&model.config, plan), Pass::new(&model, rows));
        Ok(Self { model, cache, pass, weights: Resident::new(file.bytes()), engine })
    }

    /// Tokens of the vocabulary.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.model.config.vocabulary
    }

    /// Bytes of weights that decoding one token reads.
    #[must_use]
    pub fn bytes_per_token(&self) -> u64 {
        self.model.bytes_per_token()
    }

    /// Tells the logits `[vocabulary]` behind every token of `ids` from place `from` on, in order.
    ///
    /// # Errors
    /// A pass that fails.
    pub fn score(&mut self, ids: &[u32], from: usize, tell: &mut dyn FnMut(&[f32])) -> Result<(), LoadError> {
        let rows = self.pass.max_rows();
        self.with_sequence(ids.len(), |runner, sequence| {
            for start in (0..ids.len()).step_by(rows) {
                let positions = start..ids.len().min(start + rows);
                let logits = runner.run(sequence, positions, |at| (ids[at], at >= from))?;
                logits.chunks(runner.model.config.vocabulary).for_each(&mut *tell);
            }
            Ok(())
        })
    }

    /// Runs `work` with an empty sequence that has room for `tokens`.
    pub(crate) fn with_sequence<R>(
        &mut self,
        tokens: usize,
        work: impl FnOnce(&mut Self, &Sequence) -> Result<R, LoadError>,
    ) -> Result<R, LoadError> {
        let Some(sequence) = self.cache.open(tokens) else {
            return Err(LoadError::Context { found: tokens });
        };
        let done = work(self, &sequence);
        self.cache.close(sequence);
        done
    }

    /// One pass over some places of a sequence; `token` gives each place's token and whether its logits are wanted.
    pub(crate) fn run(
        &mut self,
        sequence: &Sequence,
        positions: Range<usize>,
        mut token: impl FnMut(usize) -> (u32, bool),
    ) -> Result<Vec<f32>, LoadError> {
        let row = |position| {
            let (token, wants_logits) = token(position);
            Row { token, position, sequence, wants_logits }
        };
        let rows: Vec<Row<'_>> = positions.map(row).collect();
        Ok(self.pass.run(&self.model, &mut self.weights, &mut self.cache, self.engine, &rows)?.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::with_team;
    use vial_tensor::Isa;

    #[test]
    fn logits_do_not_depend_on_how_many_tokens_share_a_pass() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tiny.gguf");
        std::fs::write(&path, vial_model::tiny::llama(1)).unwrap();
        let file = ModelFile::read(&path, &mut |_, _| ()).unwrap();
        let ids = [1, 5, 9, 2, 7];
        let scored = |rows| {
            with_team(1, |team| {
                let engine = Engine { team, isa: Isa::PORTABLE };
                let mut runner = Runner::new(&file, engine, 16, rows, KvKind::F16).unwrap();
                let mut all = Vec::new();
                runner.score(&ids, 2, &mut |logits| all.push(logits.to_vec())).unwrap();
                all
            })
        };
        let (one, many) = (scored(1), scored(4));
        assert_eq!((one.len(), one[0].len()), (3, 288));
        let close = |(one, many): (&f32, &f32)| (one - many).abs() < 1e-4;
        assert!(one.iter().flatten().zip(many.iter().flatten()).all(close));
    }
}
