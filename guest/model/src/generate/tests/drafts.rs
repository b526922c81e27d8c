//! Drafts change how many passes an answer takes, and nothing else.

use alloc::vec::Vec;

use vial_tensor::Isa;

use super::bench::{Bench, Setup, request, same_tokens, together, tokens};
use crate::generate::guess::Guess;
use crate::generate::pace::Pace;
use crate::generate::{Limits, Request};
use crate::sample::Sampling;

fn drafting(drafts: usize) -> Setup {
    let setup = Setup::new();
    Setup { limits: Limits { drafts, ..setup.limits }, ..setup }
}

/// A prompt that repeats itself, so that drafts are made.
fn prompt() -> Vec<u32> {
    tokens(5, 12).repeat(3)
}

fn sampled(temperature: f32, seed: u64, max_tokens: usize) -> Request {
    let sampling = Sampling { temperature, seed, top_k: 4, ..Sampling::default() };
    Request { sampling, ..request(&prompt(), max_tokens) }
}

#[test]
fn answers_are_those_without_drafts_greedy_and_by_chance() {
    let requests = [(0.0, 0), (0.2, 1), (1.0, 2)].map(|(temperature, seed)| sampled(temperature, seed, 120));
    assert!(same_tokens(&together(drafting(7), &requests), &together(drafting(0), &requests)));
}

/// Rows of one stream, one or several in a pass, give the same bits; several streams may not.
#[test]
fn drafts_of_a_stream_alone_change_no_bit_on_any_instruction_set() {
    let bonus = Sampling { frequency_penalty: -2.0, logprobs: Some(0), ..Sampling::default() };
    let repeating = Request { sampling: bonus, ..request(&prompt(), 120) };
    for isa in Isa::supported() {
        let answer = |drafts| {
            let mut bench = Bench::new(Setup { isa, ..drafting(drafts) });
            let id = bench.submit(repeating.clone());
            bench.run();
            (bench.answers[&id].logprobs.clone(), bench.passes)
        };
        let ((plain, all), (drafted, fewer)) = (answer(0), answer(7));
        assert!(plain == drafted && plain.len() == 120, "{isa}");
        assert!(fewer < all, "{isa}: {fewer} passes, {all} without drafts");
    }
}

#[test]
fn what_repeats_itself_takes_fewer_passes() {
    let passes = |drafts| {
        let mut bench = Bench::new(drafting(drafts));
        // A bonus for what was said already makes the model repeat itself.
        let sampling = Sampling { frequency_penalty: -2.0, ..Sampling::default() };
        bench.submit(Request { sampling, ..request(&prompt(), 120) });
        bench.run();
        bench.passes
    };
    let (plain, drafted) = (passes(0), passes(7));
    assert!(3 * drafted < 2 * plain, "{drafted} passes, {plain} without drafts");
}

/// Counts of the first tokens of answers by seed.
fn counts(setup: Setup, seeds: core::ops::Range<u64>, at: usize) -> [f64; 288] {
    let requests: Vec<Request> = seeds.map(|seed| sampled(1.0, seed, at + 1)).collect();
    let mut counts = [0.0; 288];
    for answer in together(setup, &requests) {
        counts[answer.tokens[at] as usize] += 1.0;
    }
    counts
}

#[test]
fn tokens_behind_drafts_have_the_distribution_of_plain_decoding() {
    let setup = |drafts| {
        let limits = Limits { streams: 8, waiting: 1000, drafts, kept_pages: 0 };
        Setup { limits, context: 64, pages: 8, ..Setup::new() }
    };
    for at in [1, 3] {
        // Other seeds, so that only the distributions are compared.
        let (plain, drafted) = (counts(setup(0), 0..800, at), counts(setup(4), 800..1600, at));
        let seen = || plain.iter().zip(&drafted).filter(|(one, other)| *one + *other > 0.0);
        let chi_square: f64 = seen().map(|(one, other)| (one - other).powi(2) / (one + other)).sum();
        let freedom = seen().count() as f64 - 1.0;
        // Five standard deviations.
        assert!(chi_square < freedom + 5.0 * (2.0 * freedom).sqrt() + 5.0, "{chi_square} of {freedom}");
    }
}

/// Time of 2,000 tokens where each drafted token is right with chance `right`, by a pass of `rows` that takes
/// `base + rows`; the same without drafts.
fn times(right: impl Fn(u32) -> bool, base: u64) -> (u64, u64) {
    let (mut guess, mut pace) = (Guess::default(), Pace::default());
    let (mut time, mut tokens) = (0, 0);
    let known = tokens_that_match();
    while tokens < 2000 {
        guess.look_up(&known, 7);
        let mut drafted = 0;
        let mut likely = guess.likely(0);
        let mut expected = 1.0;
        while drafted < guess.draft().len() && pace.pays(1 + drafted, expected, likely) {
            (drafted, expected, likely) = (drafted + 1, expected + likely, likely * guess.likely(0));
        }
        let accepted = (0..drafted).take_while(|_| {
            tokens += 1;
            right(tokens)
        });
        let accepted = accepted.count();
        guess.learn(accepted, drafted);
        tokens += u32::from(accepted == drafted);
        let ns = base + 1 + drafted as u64;
        pace.note(1 + drafted, 1000 * ns);
        time += ns;
    }
    (time, u64::from(tokens) * (base + 1))
}

fn tokens_that_match() -> Vec<u32> {
    tokens(5, 12).repeat(2)
}

#[test]
fn drafts_that_fail_cost_next_to_nothing_and_those_that_succeed_pay() {
    for base in [0, 1, 4, 20] {
        let (time, plain) = times(|_| false, base);
        assert!(time * 95 <= plain * 100, "{time} against {plain} with {base}");
        let (time, plain) = times(|token| token % 4 == 0, base);
        assert!(time * 95 <= plain * 100, "{time} against {plain} with {base}, a fourth right");
    }
    let (time, plain) = times(|_| true, 20);
    assert!(time * 4 < plain, "{time} against {plain}");
}
