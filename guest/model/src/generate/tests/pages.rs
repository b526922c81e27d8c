//! Pages that run out and come back.

use alloc::vec::Vec;

use super::bench::{Bench, Setup, alone, request, same_tokens, together, tokens};
use crate::generate::{Limits, Request};
use crate::sample::Sampling;

/// Room for one whole context and one page more.
fn scarce() -> Setup {
    Setup { context: 128, pages: 3, ..Setup::new() }
}

/// Requests whose answers fill a context each, the last two by chance.
fn requests() -> Vec<Request> {
    let sampling =
        |seed| Sampling { temperature: f32::from(u8::from(seed > 1)), seed, ..Sampling::default() };
    (0..4)
        .map(|seed| Request {
            sampling: sampling(u64::from(seed)),
            cache_scope: Some(u64::from(seed)),
            ..request(&tokens(seed, 30), 98)
        })
        .collect()
}

#[test]
fn streams_that_run_out_of_pages_give_the_answers_they_give_alone() {
    let mut bench = Bench::new(scarce());
    for request in requests() {
        bench.submit(request);
    }
    bench.run();
    assert!(bench.rows > 4 * 127, "{} rows: nobody lost its pages", bench.rows);
    let answers: Vec<_> = bench.answers.into_values().collect();
    assert!(answers.iter().all(|answer| answer.tokens.len() == 98));
    assert!(same_tokens(&answers, &alone(scarce(), &requests())));
    assert_eq!(bench.batcher.free_pages(), (3, 0));
}

#[test]
fn a_request_that_may_fill_the_context_does_not_keep_others_waiting() {
    let mut bench = Bench::new(scarce());
    bench.submit(request(&tokens(1, 20), 1000));
    let short = bench.submit(request(&tokens(2, 20), 3));
    (0..6).for_each(|_| bench.step());
    assert!(bench.answers[&short].done.is_some());
}

#[test]
fn a_cancelled_stream_frees_its_pages_at_once() {
    let mut bench = Bench::new(Setup::new());
    let id = bench.submit(Request { cache_scope: Some(1), ..request(&tokens(1, 150), 50) });
    (0..20).for_each(|_| bench.step());
    assert_eq!(bench.batcher.free_pages(), (13, 0));
    bench.batcher.cancel(id);
    assert_eq!(bench.batcher.free_pages(), (16, 0));
}

#[test]
fn a_paused_stream_lends_its_pages_and_goes_on_where_it_was() {
    let setup = Setup { pages: 2, ..scarce() };
    let all = requests();
    let mut bench = Bench::new(setup);
    let first = bench.submit(all[0].clone());
    (0..60).for_each(|_| bench.step());
    bench.batcher.set_paused(first, true);
    let second = bench.submit(all[2].clone());
    bench.run();
    assert!(bench.answers[&second].done.is_some() && bench.answers[&first].done.is_none());
    bench.batcher.set_paused(first, false);
    bench.run();
    let answers = [bench.answers[&first].clone(), bench.answers[&second].clone()];
    assert!(same_tokens(&answers, &alone(setup, &[all[0].clone(), all[2].clone()])));
}

#[test]
fn many_requests_on_few_pages_all_end() {
    let limits = Limits { streams: 8, waiting: 64, kept_pages: 2, drafts: 3 };
    let setup = Setup { limits, ..scarce() };
    let many: Vec<Request> = (0..30)
        .map(|seed| Request {
            client: u64::from(seed % 3),
            cache_scope: Some(u64::from(seed % 2)),
            is_deterministic: seed % 5 == 0,
            ..request(&tokens(seed % 4, 20 + seed as usize * 3), 90)
        })
        .collect();
    let answers = together(setup, &many);
    assert!(answers.iter().all(|answer| answer.done.is_some()));
    let wanted = many.iter().map(|request| request.max_tokens.min(128 - request.prompt.len()));
    assert!(answers.iter().map(|answer| answer.tokens.len()).eq(wanted));
}
