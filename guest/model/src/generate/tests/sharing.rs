//! Requests that begin alike.

use alloc::vec::Vec;

use super::bench::{Bench, Setup, alone, request, same_tokens, tokens};
use crate::generate::{Limits, Request};

/// Four prompts of 128 tokens alike and 10 of their own.
fn requests(cache_scope: Option<u64>) -> Vec<Request> {
    let prompt = |own: u32| [tokens(1, 128), tokens(own, 10)].concat();
    (2..6).map(|own| Request { cache_scope, ..request(&prompt(own), 5) }).collect()
}

fn keeping(kept_pages: usize) -> Setup {
    let setup = Setup::new();
    Setup { limits: Limits { kept_pages, ..setup.limits }, ..setup }
}

#[test]
fn what_prompts_that_come_at_once_begin_with_is_computed_once() {
    let mut bench = Bench::new(Setup::new());
    let ids: Vec<_> = requests(Some(1)).into_iter().map(|request| bench.submit(request)).collect();
    bench.run();
    // Of each answer of five, four tokens are computed with.
    assert_eq!(bench.rows, 128 + 4 * (10 + 4));
    let cached: Vec<_> = ids.iter().map(|id| bench.answers[id].cached_tokens()).collect();
    assert_eq!(cached, [0, 128, 128, 128]);
    let answers: Vec<_> = bench.answers.into_values().collect();
    assert!(same_tokens(&answers, &alone(Setup::new(), &requests(Some(1)))));
    assert_eq!(bench.batcher.free_pages(), (16, 0));
}

#[test]
fn a_closed_request_is_found_again_in_its_scope_and_with_its_answer() {
    let mut bench = Bench::new(keeping(8));
    let first = bench.submit(Request { cache_scope: Some(1), ..request(&tokens(1, 60), 10) });
    bench.run();
    assert_eq!(bench.batcher.free_pages(), (16, 1));
    let said = [tokens(1, 60), bench.answers[&first].tokens.clone(), tokens(2, 9)].concat();
    let again = |bench: &mut Bench, cache_scope| {
        let id = bench.submit(Request { cache_scope, ..request(&said, 5) });
        bench.run();
        (bench.answers[&id].cached_tokens(), bench.answers[&id].tokens.clone())
    };
    let plain = alone(Setup::new(), &[request(&said, 5)]).remove(0).tokens;
    assert_eq!(again(&mut bench, None), (0, plain.clone()));
    assert_eq!(again(&mut bench, Some(2)), (0, plain.clone()));
    assert_eq!(again(&mut bench, Some(1)), (64, plain));
}

#[test]
fn requests_without_a_scope_leave_nothing_and_share_nothing() {
    let mut bench = Bench::new(keeping(8));
    let ids: Vec<_> = requests(None).into_iter().map(|request| bench.submit(request)).collect();
    bench.run();
    assert!(ids.iter().all(|id| bench.answers[id].cached_tokens() == 0));
    assert_eq!(bench.batcher.free_pages(), (16, 0));
}

#[test]
fn the_beginning_that_every_client_is_given_is_paid_once() {
    let mut bench = Bench::new(keeping(8));
    bench.batcher.set_public_prefix(tokens(1, 100));
    for request in requests(None) {
        let id = bench.submit(request);
        bench.run();
        let expected = if id == *bench.answers.keys().next().unwrap() { 0 } else { 64 };
        assert_eq!(bench.answers[&id].cached_tokens(), expected);
    }
    assert_eq!(bench.batcher.free_pages(), (16, 1));
}
