//! Passes over the tiny model: batching and chunking must not change what a sequence computes.

use alloc::vec::Vec;
use core::ops::Range;
use vial_tensor::{Alone, Isa, Quant, Team};

use super::config::SlidingWindow;
use super::{Engine, Pass, PassError, Row, Transformer};
use crate::gguf::Gguf;
use crate::kv::{KvCache, KvKind, KvPlan, KvWish, Sequence};
use crate::tiny;
use crate::weights::{Narrow, Resident, Weights, WeightsError};

struct Bench {
    file: Vec<u8>,
    model: Transformer,
    cache: KvCache,
    pass: Pass,
}

impl Bench {
    fn new() -> Self {
        let file = tiny::llama(3);
        let model = Transformer::from_gguf(&Gguf::parse(&file, file.len() as u64).unwrap()).unwrap();
        let plan =
            KvPlan::new(&model.config, KvWish { streams: 4, context: 256, budget_bytes: 1 << 30 }).unwrap();
        let (cache, pass) = (KvCache::new(&model.config, plan), Pass::new(&model, 16));
        Self { file, model, cache, pass }
    }

    fn run(&mut self, isa: Isa, rows: &[Row<'_>]) -> Vec<f32> {
        self.run_with_room(u64::MAX, isa, rows)
    }

    fn run_with_room(&mut self, most: u64, isa: Isa, rows: &[Row<'_>]) -> Vec<f32> {
        let team = Team::new(1, &Alone);
        let engine = Engine { team: &team, isa };
        let mut weights = Narrow::new(&self.file, most);
        self.pass.run(&self.model, &mut weights, &mut self.cache, engine, rows).unwrap().to_vec()
    }
}

fn rows<'a>(sequence: &'a Sequence, tokens: &[u32], from: usize) -> Vec<Row<'a>> {
    let row = |(at, &token)| Row { token, position: from + at, sequence, wants_logits: true };
    tokens.iter().enumerate().map(row).collect()
}

fn close(one: &[f32], other: &[f32]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-3)
}

/// The part of the energy of `expected` by which `found` is apart from it.
fn apart(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let energy: f32 = expected.iter().map(|x| x * x).sum();
    found.iter().zip(expected).map(|(a, b)| (a - b) * (a - b)).sum::<f32>() / energy
}

const TOKENS: [u32; 12] = [1, 5, 9, 2, 33, 63, 0, 7, 7, 8, 40, 11];

#[test]
fn one_row_at_a_time_gives_what_one_pass_gives_on_every_instruction_set() {
    let mut bench = Bench::new();
    let sequence = bench.cache.open(100).unwrap();
    let whole = bench.run(Isa::PORTABLE, &rows(&sequence, &TOKENS, 0));
    for isa in Isa::supported() {
        let other = bench.cache.open(100).unwrap();
        let mut single = Vec::new();
        for (at, token) in TOKENS.iter().enumerate() {
            single.extend(bench.run(isa, &rows(&other, &[*token], at)));
        }
        assert!(close(&single, &whole), "{}", isa.name());
        bench.cache.close(other);
    }
}

#[test]
fn logits_have_the_same_bits_with_whatever_room_for_weights() {
    let mut bench = Bench::new();
    for isa in Isa::supported() {
        for tokens in [&TOKENS[..], &TOKENS[..1]] {
            let mut of = |most| {
                let sequence = bench.cache.open(100).unwrap();
                let logits = bench.run_with_room(most, isa, &rows(&sequence, tokens, 0));
                bench.cache.close(sequence);
                logits.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            let whole = of(u64::MAX);
            // A row of the output has 34 bytes, others up to 256, matrices up to 9792.
            for most in [1, 255, 256, 700, 5000, 8192, 9791, 9792] {
                assert!(of(most) == whole, "{isa}: {most}");
            }
        }
    }
}

#[test]
fn passes_require_weights_in_the_order_that_is_told() {
    let mut bench = Bench::new();
    for most in [1, 700, 5000, u64::MAX] {
        let sequence = bench.cache.open(100).unwrap();
        let (team, mut weights) = (Team::new(1, &Alone), Narrow::new(&bench.file, most));
        let engine = Engine { team: &team, isa: Isa::PORTABLE };
        let row = rows(&sequence, &[7], 0);
        bench.pass.run(&bench.model, &mut weights, &mut bench.cache, engine, &row).unwrap();
        bench.cache.close(sequence);
        assert_eq!(weights.asked[0], bench.model.layout.embedding.row(7));
        assert_eq!(weights.asked[1..], bench.model.order(most));
    }
}

#[test]
fn sequences_of_one_pass_do_not_see_each_other() {
    let mut bench = Bench::new();
    let (one, other) = (bench.cache.open(100).unwrap(), bench.cache.open(100).unwrap());
    let alone = bench.run(Isa::PORTABLE, &rows(&one, &TOKENS[..4], 0));
    let mixed: Vec<_> = [rows(&other, &TOKENS[4..8], 0), rows(&one, &TOKENS[..4], 0)].concat();
    let together = bench.run(Isa::PORTABLE, &mixed);
    assert!(close(&together[4 * bench.model.config.vocabulary..], &alone));
}

#[test]
fn a_context_over_several_pages_is_the_same_in_chunks() {
    let mut bench = Bench::new();
    let tokens: Vec<u32> = (0..150).map(|at| at * 7 % 64).collect();
    let mut last = Vec::new();
    for chunk in [16, 5] {
        let sequence = bench.cache.open(200).unwrap();
        let mut logits = Vec::new();
        for (at, part) in tokens.chunks(chunk).enumerate() {
            logits = bench.run(Isa::PORTABLE, &rows(&sequence, part, at * chunk));
        }
        let end = logits.split_off(logits.len() - bench.model.config.vocabulary);
        assert!(last.is_empty() || close(&last, &end));
        last = end;
        bench.cache.close(sequence);
    }
}

#[test]
fn many_rows_at_once_give_what_one_at_a_time_gives_with_windows_and_caps_and_in_company() {
    let tokens: Vec<u32> = (0..150).map(|at| at * 7 % 64).collect();
    for kind in [KvKind::F16, KvKind::Q8_0] {
        let mut bench = Bench::new();
        let wish = KvWish { streams: 4, context: 256, budget_bytes: 1 << 30 };
        let plan = KvPlan::of_kind(&bench.model.config, wish, kind).unwrap();
        (bench.cache, bench.pass) = (KvCache::new(&bench.model.config, plan), Pass::new(&bench.model, 160));
        let attending = &mut bench.model.config.attending;
        attending.window = Some(SlidingWindow { tokens: 40, layers: alloc::vec![true, false] });
        attending.score_cap = Some(0.5);
        let one = bench.cache.open(200).unwrap();
        let single = |at: usize| rows(&one, &tokens[at..=at], at);
        let expected: Vec<f32> = (0..150).flat_map(|at| bench.run(Isa::PORTABLE, &single(at))).collect();
        for isa in Isa::supported() {
            let (many, other) = (bench.cache.open(200).unwrap(), bench.cache.open(200).unwrap());
            let mut found = Vec::new();
            // Chunks of more rows than a block has, of fewer, and of those that are taken one by one.
            for (from, to) in [(0, 17), (17, 18), (18, 62), (62, 78), (78, 150)] {
                let company = rows(&other, &TOKENS[..3], 0);
                let mixed = [&company[..], &rows(&many, &tokens[from..to], from), &company[..]].concat();
                let logits = bench.run(isa, &mixed);
                let row = bench.model.config.vocabulary;
                found.extend_from_slice(&logits[3 * row..logits.len() - 3 * row]);
            }
            // Tiles leave out 2^-16 of weights and inputs, and then numbers fall to other integers of the cache.
            let is_close = match Some(isa) == Isa::amx() {
                true => apart(&found, &expected) < 1e-6,
                false => close(&found, &expected),
            };
            assert!(is_close, "{kind:?} {isa}");
            [many, other].into_iter().for_each(|sequence| bench.cache.close(sequence));
        }
    }
}

/// Weights whose every range fails.
struct Broken;

impl Weights for Broken {
    fn require(&mut self, _: &Team<'_>, _: &[Range<u64>]) -> Result<(), WeightsError> {
        Err(WeightsError::Differs { leaf: 5 })
    }

    fn keep(&mut self, _: Range<u64>) -> Result<(), WeightsError> {
        Err(WeightsError::Differs { leaf: 6 })
    }

    fn most(&self) -> u64 {
        u64::MAX
    }

    fn bytes(&self, _: Range<u64>) -> &[u8] {
        &[]
    }
}

#[test]
fn a_leaf_that_differs_stops_the_pass_and_a_strange_token_is_refused() {
    let mut bench = Bench::new();
    let sequence = bench.cache.open(100).unwrap();
    let team = Team::new(1, &Alone);
    let engine = Engine { team: &team, isa: Isa::PORTABLE };
    let row = rows(&sequence, &[1], 0);
    let refused = bench.pass.run(&bench.model, &mut Broken, &mut bench.cache, engine, &row);
    assert_eq!(refused, Err(PassError::Weights(WeightsError::Differs { leaf: 5 })));
    let strange = rows(&sequence, &[1_000_000], 0);
    let mut weights = Resident::new(&bench.file);
    let refused = bench.pass.run(&bench.model, &mut weights, &mut bench.cache, engine, &strange);
    assert!(matches!(refused, Err(PassError::Token { token: 1_000_000, .. })));
}

/// What a pass over the first token says when `bytes` stand at `at` in the file.
fn refusal(at: u64, bytes: &[u8]) -> Result<(), PassError> {
    let mut bench = Bench::new();
    bench.file[usize::try_from(at).unwrap()..][..bytes.len()].copy_from_slice(bytes);
    let sequence = bench.cache.open(100).unwrap();
    let (team, mut weights) = (Team::new(1, &Alone), Resident::new(&bench.file));
    let engine = Engine { team: &team, isa: Isa::detect() };
    let row = rows(&sequence, &[0], 0);
    // Twice: a refusal is not forgotten.
    let first = bench.pass.run(&bench.model, &mut weights, &mut bench.cache, engine, &row).map(|_| ());
    let again = bench.pass.run(&bench.model, &mut weights, &mut bench.cache, engine, &row).map(|_| ());
    assert_eq!(first, again);
    first
}

#[test]
fn a_scale_that_is_no_number_stops_the_pass_wherever_it_lies() {
    let layout = Bench::new().model.layout;
    let nan = f32::NAN.to_le_bytes();
    let floats = [
        &layout.embedding,
        &layout.output_norm,
        &layout.layers[0].attention.norm,
        &layout.layers[1].attention.output.weight,
    ];
    for matrix in floats {
        let at = matrix.range.start + 4;
        assert_eq!(refusal(at, &nan), Err(PassError::Scale { kind: Quant::F32, at }));
    }
    // The last block of the output, whose scale is infinite.
    let at = layout.output.weight.range.end - 34;
    assert_eq!(refusal(at, &[0x00, 0x7C]), Err(PassError::Scale { kind: Quant::Q8_0, at }));
    assert_eq!(refusal(at + 2, &[0xFF; 32]), Ok(()));
}

#[test]
fn a_cache_of_integers_gives_nearly_what_one_of_halves_gives_on_every_instruction_set() {
    let tokens: Vec<u32> = (0..100).map(|at| at * 7 % 64).collect();
    let mut halves = Bench::new();
    let mut integers = Bench::new();
    let wish = KvWish { streams: 1, context: 128, budget_bytes: 1 << 30 };
    let config = &integers.model.config;
    integers.cache = KvCache::new(config, KvPlan::of_kind(config, wish, KvKind::Q8_0).unwrap());
    let last = |bench: &mut Bench, isa| {
        let sequence = bench.cache.open(100).unwrap();
        let mut logits = Vec::new();
        for (at, part) in tokens.chunks(16).enumerate() {
            logits = bench.run(isa, &rows(&sequence, part, at * 16));
        }
        bench.cache.close(sequence);
        logits.split_off(logits.len() - bench.model.config.vocabulary)
    };
    let exact = last(&mut halves, Isa::PORTABLE);
    let reference = last(&mut integers, Isa::PORTABLE);
    let error = apart(&reference, &exact);
    assert!(error > 0.0 && error < 1e-3, "{error}");
    for isa in Isa::supported() {
        let found = last(&mut integers, isa);
        // A number at the edge of two integers may fall to either.
        let apart = apart(&found, &reference);
        assert!(apart < 1e-3, "{isa}: {apart}");
    }
}
