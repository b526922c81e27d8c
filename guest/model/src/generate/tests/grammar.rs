//! Answers that follow a grammar.

use alloc::sync::Arc;
use vial_grammar::Grammar;

use super::bench::{Answer, Bench, Setup, request, together, tokens};
use crate::generate::{Event, Finish, Limits, Request};
use crate::sample::Sampling;
use crate::transformer::PassError;

fn constrained(grammar: &str, max_tokens: usize) -> Request {
    let grammar = Some(Arc::new(Grammar::from_gbnf(grammar).unwrap()));
    Request { grammar, ..request(&[1], max_tokens) }
}

fn finish(answer: &Answer) -> Finish {
    answer.done.unwrap().0
}

#[test]
fn an_answer_follows_its_grammar_and_ends_with_it() {
    let requests = [
        constrained("root ::= \"7 \" [59] \" 11 \"", 50),
        constrained("root ::= (\"12 \" | \"20 \"){5} \"4 \"*", 4),
        request(&tokens(1, 5), 6),
    ];
    let answers = together(Setup::new(), &requests);
    assert!(["7 5 11 ", "7 9 11 "].contains(&answers[0].text.as_str()), "{}", answers[0].text);
    assert!(answers[1].tokens.iter().all(|token| [12, 20].contains(token)));
    assert_eq!(answers[1].tokens.len(), 4);
    assert_eq!([0, 1, 2].map(|at| finish(&answers[at])), [Finish::Stop, Finish::Length, Finish::Length]);
}

#[test]
fn the_token_that_ends_is_chosen_only_where_the_grammar_may_end() {
    let setup = Setup { end: Some(30), ..Setup::new() };
    for seed in 0..20 {
        let sampling = Sampling { temperature: 1.0, seed, ..Sampling::default() };
        let request = Request { sampling, ..constrained("root ::= (\"7 \" \"8 \")+", 100) };
        let answer = together(setup, &[request]).remove(0);
        let ended = answer.tokens.len().is_multiple_of(2) && finish(&answer) == Finish::Stop;
        assert!(ended || answer.tokens.len() == 100, "{}", answer.text);
    }
}

#[test]
fn drafts_change_nothing_that_a_grammar_allows() {
    let grammar = "root ::= ((\"7 \" | \"8 \") \"9 \"){40}";
    let drafting = Setup { limits: Limits { drafts: 4, ..Setup::new().limits }, ..Setup::new() };
    let plain = together(Setup::new(), &[constrained(grammar, 100)]);
    let drafted = together(drafting, &[constrained(grammar, 100)]);
    assert_eq!((plain[0].tokens.len(), &plain[0].text), (80, &drafted[0].text));
}

#[test]
fn an_answer_that_the_vocabulary_cannot_spell_fails_and_gives_its_place() {
    let mut bench = Bench::new(Setup::new());
    let id = bench.batcher.submit(constrained("root ::= \"7 x\"", 50)).unwrap();
    let events: alloc::vec::Vec<_> = (0..4).flat_map(|_| bench.events()).collect();
    assert_eq!(events.last(), Some(&Event::Failed { id, error: PassError::NoToken }));
    assert_eq!(bench.batcher.load(), (0, 0));
}
