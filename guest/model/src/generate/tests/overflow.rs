//! Answers that reach the context's end.

use super::bench::{Setup, alone, request, tokens};
use crate::generate::{Finish, Overflow, Request, SubmitError};

fn setup() -> Setup {
    Setup { context: 128, pages: 4, ..Setup::new() }
}

#[test]
fn a_shifted_answer_goes_on_as_if_the_prompt_had_been_what_is_left() {
    let (prompt, keep) = (tokens(1, 100), 64);
    for is_deterministic in [false, true] {
        let whole = Request {
            overflow: Overflow::Shift { keep },
            is_deterministic,
            cache_scope: Some(1),
            ..request(&prompt, 100)
        };
        let whole = alone(setup(), &[whole]).remove(0);
        assert_eq!(whole.done.unwrap().0, Finish::Length);
        assert_eq!((whole.tokens.len(), whole.done.unwrap().1.prompt_tokens), (100, 100));
        let mut seen = prompt.clone();
        let mut told = whole.tokens.iter();
        while told.len() > 0 {
            let room = 128 - seen.len();
            let part = alone(setup(), &[request(&seen, room.min(told.len()))]).remove(0).tokens;
            assert!(part.iter().eq(told.by_ref().take(part.len())), "after {} tokens", seen.len());
            seen.extend(part);
            seen.drain(keep..keep + (seen.len() - keep).div_ceil(2));
        }
    }
}

#[test]
fn a_prompt_is_never_dropped_before_its_time_and_not_more_than_half_may_stay() {
    let with = |keep| Request { overflow: Overflow::Shift { keep }, ..request(&tokens(1, 10), 5) };
    let mut bench = super::Bench::new(setup());
    bench.submit(with(64));
    assert_eq!(bench.batcher.submit(with(65)), Err(SubmitError::Keep { found: 65, most: 64 }));
}
