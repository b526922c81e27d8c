//! Small models of every architecture against llama.cpp: `measurements/vectors/architectures.json`, with the files that
//! `measurements/vectors/architectures.py` generates.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use core::ops::Range;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use vial_model::gguf::Gguf;
use vial_model::kv::{KvCache, KvPlan, KvWish};
use vial_model::transformer::{ARCHITECTURES, Engine, ExpertStacks, Pass, Row, Transformer};
use vial_model::weights::{Narrow, Resident, Weights};
use vial_tensor::{Alone, Isa, Team};

/// Below this margin the best token may be the other's second.
const MARGIN: f32 = 0.02;
/// llama.cpp keeps some sums in half precision; log-probabilities range over twenty.
const TOLERANCE: f32 = 0.05;

#[derive(Deserialize)]
struct Listed {
    ids: Vec<u32>,
    positions: Vec<usize>,
    probes: Vec<u32>,
    variants: BTreeMap<String, Answers>,
}

/// The best token, its margin, and log-probabilities of it and the probes, one a position.
#[derive(Deserialize)]
struct Answers {
    best: Vec<usize>,
    margins: Vec<f32>,
    logs: Vec<Vec<f32>>,
}

fn listed() -> Listed {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../measurements/vectors/architectures.json");
    serde_json::from_slice(&std::fs::read(list).unwrap()).unwrap()
}

#[expect(clippy::print_stderr, reason = "says why a test does nothing")]
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("VIAL_TEST_ARCHITECTURES");
    if folder.is_none() {
        eprintln!("skipped: VIAL_TEST_ARCHITECTURES names no folder (`cargo xtask test` does)");
    }
    folder.map(PathBuf::from)
}

/// Logits of every position, computed `rows` at a time.
fn logits(file: &[u8], ids: &[u32], rows: usize) -> Vec<Vec<f32>> {
    logits_of(&mut Resident::new(file), file, ids, rows)
}

/// The same by weights that may not all be there at once.
fn logits_of(weights: &mut impl Weights, file: &[u8], ids: &[u32], rows: usize) -> Vec<Vec<f32>> {
    let model = Transformer::from_gguf(&Gguf::parse(file, file.len() as u64).unwrap()).unwrap();
    let wish = KvWish { streams: 1, context: ids.len(), budget_bytes: 1 << 30 };
    let mut cache = KvCache::new(&model.config, KvPlan::new(&model.config, wish).unwrap());
    let sequence = cache.open(ids.len()).unwrap();
    let mut pass = Pass::new(&model, rows);
    let team = Team::new(1, &Alone);
    let engine = Engine { team: &team, isa: Isa::detect() };
    let mut all = Vec::new();
    for (at, part) in ids.chunks(rows).enumerate() {
        let row = |(offset, &token)| {
            let position = at * rows + offset;
            Row { token, position, sequence: &sequence, wants_logits: true }
        };
        let part: Vec<_> = part.iter().enumerate().map(row).collect();
        let found = pass.run(&model, weights, &mut cache, engine, &part).unwrap();
        all.extend(found.chunks(model.config.vocabulary).map(<[f32]>::to_vec));
    }
    all
}

fn log_probability(logits: &[f32], token: usize) -> f32 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - top).exp()).sum();
    logits[token] - top - sum.ln()
}

#[test]
fn every_architecture_has_a_variant_with_answers() {
    let listed = listed();
    for architecture in &ARCHITECTURES {
        let is_of = |name: &String| name.starts_with(architecture.name);
        assert!(listed.variants.keys().any(is_of), "{}", architecture.name);
    }
}

#[test]
fn every_architecture_answers_as_llama_cpp_does() {
    let Some(folder) = folder() else { return };
    let listed = listed();
    for (name, answers) in &listed.variants {
        let file = std::fs::read(folder.join(format!("{name}.gguf"))).unwrap();
        for rows in [64, 7] {
            let found = logits(&file, &listed.ids, rows);
            for (at, &position) in listed.positions.iter().enumerate() {
                let logits = &found[position];
                let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
                let expected = answers.best[at];
                assert!(best == expected || answers.margins[at] < MARGIN, "{name}, {position}: {best}");
                let tokens = core::iter::once(expected).chain(listed.probes.iter().map(|&id| id as usize));
                for (token, &log) in tokens.zip(&answers.logs[at]) {
                    let ours = log_probability(logits, token);
                    assert!((ours - log).abs() < TOLERANCE, "{name}, {position}, {token}: {ours}, not {log}");
                }
            }
        }
    }
}

#[test]
fn every_architecture_has_the_same_logits_with_little_room_for_weights() {
    let Some(folder) = folder() else { return };
    let Listed { ids, variants, .. } = listed();
    let bits = |all: Vec<Vec<f32>>| all.concat().into_iter().map(f32::to_bits).collect::<Vec<_>>();
    for name in variants.keys() {
        let file = std::fs::read(folder.join(format!("{name}.gguf"))).unwrap();
        let ids = &ids[..40];
        let whole = bits(logits(&file, ids, 16));
        for most in [1, 20_000, 200_000] {
            let mut weights = Narrow::new(&file, most);
            let found = logits_of(&mut weights, &file, ids, 16);
            assert!(bits(found) == whole, "{name}: {most}");
            assert_all_is_known_before(&weights, &file, most, name);
        }
    }
}

/// What is required lies in the order of every pass, or was announced before, in turn.
fn assert_all_is_known_before(weights: &Narrow<'_>, file: &[u8], most: u64, name: &str) {
    let model = Transformer::from_gguf(&Gguf::parse(file, file.len() as u64).unwrap()).unwrap();
    let order: BTreeSet<u64> = model.order(most).iter().map(|range| range.start).collect();
    // Rows of an embedding that is the output too are pieces of it where pieces are rows.
    let others = |ranges: &[Range<u64>]| {
        ranges.iter().filter(|range| !order.contains(&range.start)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(others(&weights.asked), others(&weights.announced), "{name}: {most}");
    for ExpertStacks { stacks, experts, .. } in model.expert_stacks() {
        assert!(weights.announced.iter().any(|range| stacks[2].contains(&range.start)), "{name}");
        assert!(experts > 1);
    }
}
