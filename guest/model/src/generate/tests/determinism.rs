//! Deterministic requests: the same bits, whatever else is computed.

use alloc::vec::Vec;
use vial_tensor::Isa;

use super::bench::{Answer, Bench, Setup, alone, request, tokens};
use crate::generate::{Limits, Request};
use crate::sample::Sampling;

/// A deterministic request whose probabilities are told to the last bit.
fn exact(seed: u32, prompt: usize) -> Request {
    let sampling = Sampling { temperature: 0.5, seed: 1, logprobs: Some(0), ..Sampling::default() };
    let cache_scope = Some(1);
    Request { sampling, cache_scope, is_deterministic: true, ..request(&tokens(seed, prompt), 90) }
}

fn bits(answer: &Answer) -> (&[u32], &[u32]) {
    assert!(answer.tokens.len() == answer.logprobs.len() && answer.done.is_some());
    (&answer.tokens, &answer.logprobs)
}

/// Answers of `exact` among others that come before, with and after it.
fn in_company(setup: Setup, requests: &[Request]) -> Vec<Answer> {
    let mut bench = Bench::new(setup);
    let other = |seed, length| Request { cache_scope: Some(1), ..request(&tokens(seed, length), 40) };
    bench.submit(other(1, 130));
    bench.submit(other(9, 20));
    (0..5).for_each(|_| bench.step());
    let ids: Vec<_> = requests.iter().map(|request| bench.submit(request.clone())).collect();
    bench.submit(other(7, 30));
    (0..20).for_each(|_| bench.step());
    bench.submit(other(8, 75));
    bench.run();
    ids.iter().map(|id| bench.answers[id].clone()).collect()
}

fn setups(isa: Isa) -> [Setup; 3] {
    let limits = Limits { streams: 6, waiting: 64, kept_pages: 16, drafts: 4 };
    let plenty = Setup { limits, isa, pages: 24, ..Setup::new() };
    [plenty, Setup { rows: 64, ..plenty }, Setup { pages: 5, ..plenty }]
}

#[test]
fn bits_do_not_depend_on_company_pages_or_what_the_cache_knows_on_any_instruction_set() {
    // The second begins as the first does, and both as one of the others; the third alone.
    let requests = [exact(1, 130), exact(1, 140), exact(4, 7)];
    for isa in Isa::supported() {
        for setup in setups(isa) {
            let expected = alone(Setup { pages: 24, ..setup }, &requests);
            let found = in_company(setup, &requests);
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(bits(found), bits(expected), "{isa}, {} rows, {} pages", setup.rows, setup.pages);
            }
        }
    }
}

#[test]
fn what_a_deterministic_request_computed_is_found_again_with_the_same_bits() {
    let mut bench = Bench::new(setups(Isa::detect())[0]);
    let ids = [0, 1].map(|_| {
        let id = bench.submit(exact(1, 130));
        bench.run();
        id
    });
    let [first, again] = ids.map(|id| bench.answers[&id].clone());
    assert_eq!((first.cached_tokens(), again.cached_tokens()), (0, 128));
    assert_eq!(bits(&first), bits(&again));
}
