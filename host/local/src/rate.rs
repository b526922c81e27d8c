//! How fast a model reads prompts and decodes, as `llama-bench` counts it: random tokens, no sampling, each round from an
//! empty cache.

use std::time::Instant;
use vial_model::kv::KvKind;
use vial_model::sample::Random;
use vial_model::transformer::Engine;

use crate::{LoadError, ModelFile, Runner, read_rate};

/// What one round does.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Tokens of the prompt.
    pub prompt: usize,
    /// Tokens decoded one at a time.
    pub tokens: usize,
    /// Tokens that are in the cache before either.
    pub depth: usize,
    /// Rounds that count; one more goes before them.
    pub rounds: usize,
    /// Rows of a pass.
    pub rows: usize,
    /// How keys and values are kept.
    pub kv: KvKind,
}

/// Tokens per second of every round, in order.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    /// Reading the prompt; empty where there is none.
    pub prefill: Vec<f64>,
    /// Decoding; empty where nothing is decoded.
    pub decode: Vec<f64>,
    /// Bytes of weights that decoding one token reads.
    pub bytes_per_token: u64,
    /// Bytes per second at which the same cpus read the same memory when they do nothing else.
    pub memory: f64,
}

/// Measures.
///
/// # Errors
/// What is not understood, or a pass that fails.
pub fn rates(file: &ModelFile, engine: Engine<'_>, workload: Workload) -> Result<Rates, LoadError> {
    let context = workload.depth + workload.prompt.max(workload.tokens).max(1);
    let runner = Runner::new(file, engine, context, workload.rows, workload.kv)?;
    let random = Random::from_seed(1);
    let mut round = Round { runner, random, depth: workload.depth, rows: workload.rows };
    let bytes_per_token = round.runner.bytes_per_token();
    let mut rates = Rates { bytes_per_token, memory: read_rate(file, engine.team), ..Rates::default() };
    for number in 0..=workload.rounds {
        let found = (round.timed(workload.prompt, workload.rows)?, round.timed(workload.tokens, 1)?);
        if number > 0 {
            rates.prefill.extend(found.0);
            rates.decode.extend(found.1);
        }
    }
    Ok(rates)
}

struct Round<'a> {
    runner: Runner<'a>,
    random: Random,
    depth: usize,
    rows: usize,
}

impl Round<'_> {
    /// Runs `count` tokens behind `depth` of a fresh sequence, `at_once` in a pass; gives tokens per second.
    fn timed(&mut self, count: usize, at_once: usize) -> Result<Option<f64>, LoadError> {
        if count == 0 {
            return Ok(None);
        }
        let (random, vocabulary) = (&mut self.random, self.runner.vocabulary() as u64);
        let mut token = || u32::try_from(random.next_u64() % vocabulary).unwrap_or(0);
        let (depth, rows, end) = (self.depth, self.rows, self.depth + count);
        let mut seconds = 0.0;
        self.runner.with_sequence(end, |runner, sequence| {
            for from in (0..depth).step_by(rows) {
                runner.run(sequence, from..depth.min(from + rows), |_| (token(), false))?;
            }
            let started = Instant::now();
            for from in (depth..end).step_by(at_once) {
                let positions = from..end.min(from + at_once);
                let wants_all = positions.len() == 1;
                runner.run(sequence, positions, |at| (token(), wants_all || at + 1 == end))?;
            }
            seconds = started.elapsed().as_secs_f64();
            Ok(())
        })?;
        #[expect(clippy::cast_precision_loss, reason = "a count of tokens")]
        let rate = count as f64 / seconds;
        Ok(Some(rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::with_team;
    use vial_tensor::Isa;

    #[test]
    fn every_round_gives_a_rate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tiny.gguf");
        std::fs::write(&path, vial_model::tiny::llama(1)).unwrap();
        let file = ModelFile::read(&path, &mut |_, _| ()).unwrap();
        let [workload, deep] = [0, 70].map(|depth| Workload {
            prompt: 20,
            tokens: 5,
            depth,
            rounds: 3,
            rows: 8,
            kv: KvKind::Q8_0,
        });
        let found = |workload| {
            let rates =
                with_team(2, |team| rates(&file, Engine { team, isa: Isa::detect() }, workload)).unwrap();
            assert_eq!((rates.prefill.len(), rates.decode.len()), (3, 3));
            assert!(rates.decode.iter().all(|rate| *rate > 0.0) && rates.memory > 0.0);
            rates
        };
        let rates = found(workload);
        assert_eq!(found(deep).bytes_per_token, rates.bytes_per_token);
        // All but the embedding's other rows: F32 matrices of two layers and Q8_0 output.
        let layer = 4 * (2 * 32 + 32 * (32 + 16 + 16 + 32) + 3 * 32 * 64);
        assert_eq!(rates.bytes_per_token, 2 * layer + 4 * 32 + 34 * 288 + 4 * 32);
    }
}
