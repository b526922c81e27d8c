//! A draft model changes how many passes an answer takes, and nothing else.

use alloc::vec::Vec;

use super::bench::{Answer, Bench, Prices, Setup, request, same_tokens, together, tokens};
use crate::generate::{Limits, Overflow, Request, Speculation};
use crate::sample::Sampling;
use crate::transformer::PassError;

/// The seed of the model itself, and another.
const SAME: u64 = 3;
const OTHER: u64 = 8;

fn with(draft: u64) -> Setup {
    let setup = Setup::new();
    Setup { draft: Some(draft), limits: Limits { drafts: 7, ..setup.limits }, ..setup }
}

fn sampled(seed: u32, temperature: f32, max_tokens: usize) -> Request {
    let sampling = Sampling { temperature, seed: seed.into(), ..Sampling::default() };
    Request { sampling, ..request(&tokens(seed, 20), max_tokens) }
}

/// Requests with penalties and cuts, greedy and by chance, that begin alike and not.
fn requests() -> Vec<Request> {
    let cut = Sampling { temperature: 0.7, top_k: 9, top_p: 0.9, seed: 5, ..Sampling::default() };
    let penalised = Sampling { repetition_penalty: 1.3, frequency_penalty: 0.4, ..cut.clone() };
    let alike =
        |own: u32| Request { cache_scope: Some(1), ..request(&[tokens(1, 70), tokens(own, 9)].concat(), 80) };
    [
        sampled(1, 0.0, 100),
        sampled(2, 1.0, 100),
        Request { sampling: cut, ..request(&tokens(4, 7), 100) },
        Request { sampling: penalised, ..request(&tokens(5, 30), 100) },
        alike(6),
        alike(7),
    ]
    .into()
}

fn run(setup: Setup, requests: &[Request]) -> (Vec<Answer>, Speculation) {
    let mut bench = Bench::new(setup);
    for request in requests {
        bench.submit(request.clone());
    }
    bench.run();
    assert_eq!(bench.batcher.free_pages().0, setup.pages);
    let drafter = bench.batcher.drafter().unwrap();
    assert_eq!((drafter.free_pages().0, drafter.error()), (setup.draft_pages, None));
    (bench.answers.into_values().collect(), bench.batcher.speculation())
}

#[test]
fn a_draft_model_that_is_the_model_is_always_right_at_any_temperature() {
    for temperature in [0.0, 0.7, 1.5] {
        let request = sampled(1, temperature, 120);
        let (answers, found) = run(with(SAME), core::slice::from_ref(&request));
        assert!(same_tokens(&answers, &together(Setup::new(), &[request])));
        assert_eq!(found.modelled.right, found.modelled.drafted, "{temperature}");
        assert!(found.modelled.right > 60 && found.passes < 60, "{found:?}");
    }
}

#[test]
fn another_draft_model_changes_no_token_of_any_stream() {
    let plain = together(Setup::new(), &requests());
    for draft in [SAME, OTHER] {
        for streams in [1, 4] {
            let limits = Limits { streams, ..with(draft).limits };
            let (answers, found) = run(Setup { limits, ..with(draft) }, &requests());
            assert!(same_tokens(&answers, &plain), "{draft}, {streams} streams");
            assert!(found.modelled.drafted > 0 && found.draft_passes > 0, "{found:?}");
            assert_eq!(draft == SAME, found.modelled.right == found.modelled.drafted, "{found:?}");
        }
    }
}

#[test]
fn a_draft_model_follows_shifts_of_the_context() {
    let shifted = |seed| Request {
        overflow: Overflow::Shift { keep: 10 },
        cache_scope: Some(1),
        ..sampled(seed, 1.0, 400)
    };
    let requests = [shifted(1), shifted(2)];
    let small = |setup| Setup { context: 128, pages: 6, draft_pages: 6, ..setup };
    for rows in [8, Setup::new().rows] {
        let small = |setup| Setup { rows, ..small(setup) };
        let (answers, found) = run(small(with(SAME)), &requests);
        assert!(same_tokens(&answers, &together(small(Setup::new()), &requests)));
        let (right, drafted) = (found.modelled.right, found.modelled.drafted);
        // After a shift the draft model reads rows at once where the model had decoded one by one. Sixteen or more round
        // otherwise; fewer have the same bits, so that every draft is right.
        let is_exact = rows < 16;
        assert!(if is_exact { right == drafted } else { right * 50 >= drafted * 49 }, "{found:?}");
        assert!(right > 400, "{rows} rows: {found:?}");
    }
}

#[test]
fn a_page_that_others_may_find_is_not_written_again_after_a_shift() {
    let mut bench = Bench::new(Setup { context: 128, ..with(SAME) });
    let shifted = Request { overflow: Overflow::Shift { keep: 10 }, ..sampled(1, 0.0, 70) };
    // The first page is found by the second, which begins when the first has shifted.
    let request = Request { prompt: tokens(1, 100), cache_scope: Some(1), ..shifted };
    bench.submit(request.clone());
    bench.run();
    bench.submit(Request { max_tokens: 20, ..request });
    bench.run();
    let found = bench.batcher.speculation().modelled;
    assert!(found.right > 40 && found.right == found.drafted, "{found:?}");
}

#[test]
fn streams_that_are_cancelled_paused_or_join_disturb_no_draft() {
    let plain = together(Setup::new(), &requests());
    for draft in [SAME, OTHER] {
        let mut bench = Bench::new(with(draft));
        let ids: Vec<_> = requests()[..3].iter().map(|request| bench.submit(request.clone())).collect();
        let cancelled = bench.submit(sampled(9, 1.0, 200));
        (0..12).for_each(|_| bench.step());
        bench.batcher.set_paused(ids[1], true);
        (0..7).for_each(|_| bench.step());
        bench.batcher.cancel(cancelled);
        bench.answers.remove(&cancelled);
        for request in &requests()[3..] {
            bench.submit(request.clone());
        }
        (0..9).for_each(|_| bench.step());
        bench.batcher.set_paused(ids[1], false);
        bench.run();
        let found = bench.batcher.speculation();
        assert_eq!(draft == SAME, found.modelled.right == found.modelled.drafted, "{found:?}");
        let answers: Vec<_> = bench.answers.into_values().collect();
        assert!(same_tokens(&answers, &plain), "{draft}");
        assert_eq!(bench.batcher.drafter().unwrap().free_pages().0, 16);
    }
}

#[test]
fn pages_that_run_out_in_either_cache_change_nothing() {
    let plain = together(Setup::new(), &requests());
    for (pages, draft_pages) in [(16, 1), (16, 3), (5, 16), (4, 2)] {
        let (answers, found) = run(Setup { pages, draft_pages, ..with(SAME) }, &requests());
        assert!(same_tokens(&answers, &plain), "{pages} and {draft_pages} pages");
        assert_eq!(found.modelled.right, found.modelled.drafted, "{pages} and {draft_pages} pages");
    }
}

#[test]
fn vocabularies_that_end_sooner_or_later_change_no_token() {
    let prompts = [tokens(1, 30), tokens(2, 40)];
    let requests = prompts.map(|prompt| {
        let known: Vec<u32> = prompt.into_iter().filter(|&token| token < 280).collect();
        Request { sampling: sampled(3, 1.5, 1).sampling, ..request(&known, 120) }
    });
    for vocabularies in [(288, 280), (280, 288)] {
        let (answers, found) = run(Setup { vocabularies, ..with(SAME) }, &requests);
        let plain = Setup { vocabularies, ..Setup::new() };
        assert!(same_tokens(&answers, &together(plain, &requests)), "{vocabularies:?}");
        assert!(found.modelled.right > 0, "{vocabularies:?}: {found:?}");
        let is_larger = answers.iter().flat_map(|answer| &answer.tokens).any(|&token| token >= 280);
        assert_eq!(is_larger, vocabularies.0 == 288);
    }
}

#[test]
fn a_draft_model_that_fails_is_left_alone_and_says_why() {
    let mut bench = Bench::new(with(SAME));
    bench.draft.truncate(bench.draft.len() / 2);
    for request in requests() {
        bench.submit(request);
    }
    bench.run();
    let (found, drafter) = (bench.batcher.speculation(), bench.batcher.drafter().unwrap());
    assert!(matches!(drafter.error(), Some(PassError::Weights(_))), "{:?}", drafter.error());
    assert_eq!((found.draft_passes, found.modelled.drafted, drafter.free_pages().0), (1, 0, 16));
    let answers: Vec<_> = bench.answers.into_values().collect();
    assert!(same_tokens(&answers, &together(Setup::new(), &requests())));
}

#[test]
fn a_deterministic_request_is_never_drafted() {
    let exact = Request { is_deterministic: true, ..sampled(1, 0.5, 60) };
    let (alone, found) = run(with(OTHER), core::slice::from_ref(&exact));
    assert_eq!(found.draft_passes, 0);
    let others = [exact, sampled(2, 1.0, 60), sampled(3, 0.0, 60)];
    let (company, found) = run(with(OTHER), &others);
    assert!(found.draft_passes > 0 && same_tokens(&company[..1], &alone));
}

#[test]
fn what_the_draft_model_has_seen_is_wiped_or_shared_as_the_streams_pages_are() {
    for (cache_scope, kept) in [(None, 0), (Some(1), 2)] {
        let mut bench = Bench::new(with(SAME));
        bench.submit(Request { cache_scope, ..request(&tokens(1, 100), 40) });
        bench.run();
        assert_eq!(bench.batcher.drafter().unwrap().free_pages(), (16, kept));
        bench.batcher.forget(1);
        assert_eq!(bench.batcher.drafter().unwrap().free_pages(), (16, 0));
    }
}

/// Counts of the tokens at place `at` of answers to one prompt by seed.
fn counts(setup: Setup, seeds: core::ops::Range<u64>, at: usize) -> [f64; 288] {
    let sampling = |seed| Sampling { temperature: 1.0, seed, top_k: 6, ..Sampling::default() };
    let ask = |seed| Request { sampling: sampling(seed), ..request(&tokens(5, 12), at + 2) };
    let requests: Vec<Request> = seeds.map(ask).collect();
    let mut counts = [0.0; 288];
    together(setup, &requests).iter().for_each(|answer| counts[answer.tokens[at] as usize] += 1.0);
    counts
}

#[test]
fn tokens_behind_a_draft_model_have_the_distribution_of_plain_decoding() {
    let limits = Limits { streams: 8, waiting: 2000, kept_pages: 0, drafts: 7 };
    let small = |setup| Setup { limits, context: 64, pages: 8, draft_pages: 8, ..setup };
    for (draft, at) in [(SAME, 3), (OTHER, 1), (OTHER, 3)] {
        // Other seeds, so that only the distributions are compared.
        let plain = counts(small(Setup::new()), 0..800, at);
        let drafted = counts(small(with(draft)), 800..1600, at);
        let seen = || plain.iter().zip(&drafted).filter(|(one, other)| *one + *other > 0.0);
        let chi_square: f64 = seen().map(|(one, other)| (one - other).powi(2) / (one + other)).sum();
        let freedom = seen().count() as f64 - 1.0;
        // Five standard deviations.
        assert!(chi_square < freedom + 5.0 * (2.0 * freedom).sqrt() + 5.0, "{chi_square} of {freedom}");
    }
}

/// Time with and without the draft model, and how the drafts did.
fn times(draft: u64, prices: Prices, requests: &[Request]) -> (u64, u64, Speculation) {
    let time = |setup: Setup| {
        let mut bench = Bench::new(Setup { prices: Some(prices), ..setup });
        for request in requests {
            bench.submit(request.clone());
        }
        bench.run();
        (bench.time, bench.batcher.speculation(), bench.answers.into_values().collect::<Vec<_>>())
    };
    let (plain, _, expected) = time(Setup { draft: None, ..with(draft) });
    let (drafted, found, answers) = time(with(draft));
    assert!(same_tokens(&answers, &expected));
    (drafted, plain, found)
}

/// Answers of many streams, of one, and short ones to long prompts.
fn workloads() -> [Vec<Request>; 3] {
    let short = |seed| request(&tokens(seed, 150), 30);
    [
        (0..4).map(|seed| sampled(seed, 1.0, 200)).collect(),
        [sampled(1, 0.0, 200)].into(),
        (0..9).map(short).collect(),
    ]
}

#[test]
fn a_draft_model_of_no_use_costs_at_most_a_twentieth_whatever_it_costs() {
    let all = [
        ((100, 5), (12, 1)),
        ((100, 1), (60, 1)),
        ((100, 20), (5, 1)),
        ((10, 10), (10, 10)),
        ((20, 1), (40, 2)),
    ];
    for ((once, row), draft) in all {
        let prices = Prices { model: (once * 1000, row * 1000), draft: (draft.0 * 1000, draft.1 * 1000) };
        for requests in workloads() {
            let (time, plain, found) = times(OTHER, prices, &requests);
            assert!(time * 95 <= plain * 100, "{time} against {plain}, {once} {row} {draft:?}: {found:?}");
        }
    }
    // Always right, and as dear as the model.
    let prices = Prices { model: (100_000, 1_000), draft: (100_000, 1_000) };
    for requests in workloads() {
        let (time, plain, found) = times(SAME, prices, &requests);
        assert!(time * 95 <= plain * 100, "{time} against {plain}: {found:?}");
    }
}

#[test]
fn a_draft_model_that_is_right_pays_what_it_costs_and_more() {
    let prices = Prices { model: (100_000, 2_000), draft: (10_000, 200) };
    for (streams, gain) in [(1, 200), (4, 180)] {
        let requests: Vec<Request> = (0..streams).map(|seed| sampled(seed, 1.0, 220)).collect();
        let (time, plain, found) = times(SAME, prices, &requests);
        assert!(time * gain <= plain * 100, "{time} against {plain}, {streams} streams: {found:?}");
    }
}
