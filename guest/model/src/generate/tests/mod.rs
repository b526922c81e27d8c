//! The batcher over the tiny model.

mod bench;
mod determinism;
mod draft_model;
mod drafts;
mod grammar;
mod overflow;
mod pages;
mod sharing;

use self::bench::{Bench, Setup, alone, request, same_tokens, together, tokens};
use super::{Finish, Limits, Request, SubmitError};

fn limited(streams: usize, waiting: usize) -> Bench {
    Bench::new(Setup { limits: Limits { streams, waiting, ..Limits::default() }, ..Setup::new() })
}

#[test]
fn answers_do_not_depend_on_company() {
    let requests = [&[1, 2, 4][..], &[7; 40], &[9]].map(|prompt| request(prompt, 20));
    assert!(same_tokens(&together(Setup::new(), &requests), &alone(Setup::new(), &requests)));
}

#[test]
fn requests_past_the_limits_wait_and_then_are_refused() {
    let mut bench = limited(1, 1);
    bench.submit(request(&[1], 4));
    bench.submit(request(&[2], 4));
    assert_eq!(bench.batcher.submit(request(&[4], 4)), Err(SubmitError::Full { waiting: 1 }));
    assert_eq!(bench.batcher.load(), (1, 1));
    bench.run();
    assert!(bench.answers.values().all(|answer| answer.tokens.len() == 4));
}

#[test]
fn a_client_that_fills_the_queue_leaves_room_for_others() {
    let mut bench = limited(1, 2);
    let of = |client| Request { client, ..request(&[1], 4) };
    let ids = [7, 7, 7].map(|client| bench.submit(of(client)));
    let full = |bench: &mut Bench, client| bench.batcher.submit(of(client)).unwrap_err();
    assert_eq!(full(&mut bench, 7), SubmitError::Full { waiting: 2 });
    let other = bench.submit(of(8));
    assert_eq!(full(&mut bench, 8), SubmitError::Full { waiting: 3 });
    bench.submit(of(9));
    assert_eq!(full(&mut bench, 10), SubmitError::Full { waiting: 4 });
    while bench.answers[&other].done.is_none() {
        bench.step();
    }
    assert!(bench.answers[&ids[0]].done.is_some() && bench.answers[&ids[1]].done.is_none());
}

#[test]
fn a_cancelled_request_gives_its_place_at_once_and_a_paused_one_keeps_it() {
    let mut bench = limited(1, 4);
    let first = bench.submit(request(&[1], 50));
    bench.step();
    bench.batcher.set_paused(first, true);
    assert!(bench.batcher.is_idle());
    bench.step();
    assert_eq!(bench.passes, 1);
    bench.batcher.cancel(first);
    let second = bench.submit(request(&[2], 3));
    bench.run();
    assert_eq!((bench.answers[&first].tokens.len(), bench.answers[&second].tokens.len()), (1, 3));
}

#[test]
fn an_answer_ends_at_its_length_at_its_end_and_at_the_contexts_end() {
    let requests = [request(&tokens(1, 8), 5), request(&[1; 254], 50)];
    let done = |setup, request: &Request| {
        let (finish, usage) = alone(setup, core::slice::from_ref(request))[0].done.unwrap();
        (finish, usage.completion_tokens)
    };
    let ends = requests.each_ref().map(|request| done(Setup::new(), request));
    assert_eq!(ends, [(Finish::Length, 5), (Finish::Length, 2)]);
    let told = alone(Setup::new(), &requests[..1]).remove(0).tokens;
    let before = told.iter().position(|token| *token == told[3]).unwrap();
    let ending = Setup { end: Some(told[3]), ..Setup::new() };
    assert_eq!(done(ending, &requests[0]), (Finish::Stop, before + 1));
    let refused = Bench::new(Setup::new()).batcher.submit(request(&[1; 256], 1));
    assert_eq!(refused, Err(SubmitError::TooLong { found: 256, context: 256 }));
}

#[test]
fn prompts_share_passes_and_a_short_one_is_not_held_up_by_a_long_one() {
    let mut bench = Bench::new(Setup::new());
    let long = bench.submit(request(&tokens(1, 200), 5));
    let short = bench.submit(request(&tokens(2, 20), 5));
    (0..4).for_each(|_| bench.step());
    assert_eq!((bench.answers[&long].tokens.len(), bench.answers[&short].tokens.len()), (0, 2));
}

#[test]
fn places_and_rows_go_round_between_clients() {
    let of = |client, seed| Request { client, ..request(&tokens(seed, 40), 3) };
    let mut bench = limited(1, 9);
    let ids = [of(1, 1), of(1, 2), of(1, 3), of(2, 5)].map(|request| bench.submit(request));
    while bench.answers[&ids[3]].done.is_none() {
        bench.step();
    }
    let told = ids.map(|id| bench.answers[&id].tokens.len());
    assert_eq!(told, [3, 0, 0, 3], "the other client's turn comes second");
    // Of 16 rows the one prompt of the second client gets eight, as many as the three of the first.
    let mut bench = limited(4, 9);
    let ids = [of(1, 1), of(1, 2), of(1, 3), of(2, 5)].map(|request| bench.submit(request));
    (0..5).for_each(|_| bench.step());
    let begun = ids.map(|id| !bench.answers[&id].tokens.is_empty());
    assert_eq!(begun, [false, false, false, true]);
}
