//! Matchers and masks over small vocabularies.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::{Grammar, Mask, Matcher, TokenTrie};

pub(crate) fn grammar(text: &str) -> Grammar {
    Grammar::from_gbnf(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Whether a whole text follows a grammar.
pub(crate) fn accepts(grammar: &Grammar, text: &str) -> bool {
    let mut matcher = Matcher::new(Arc::new(grammar.clone()));
    matcher.accept_bytes(text.as_bytes()).is_ok() && matcher.is_complete()
}

/// A vocabulary of these tokens; an empty one is a control token, and the last ends.
fn trie(tokens: &[&[u8]]) -> TokenTrie {
    let end = u32::try_from(tokens.len() - 1).unwrap();
    TokenTrie::new(tokens.len(), &[end], |token, out| out.extend_from_slice(tokens[token as usize]))
}

/// The tokens allowed after a text.
fn allowed(grammar: &Grammar, text: &str, tokens: &[&[u8]]) -> Vec<u32> {
    let mut matcher = Matcher::new(Arc::new(grammar.clone()));
    matcher.accept_bytes(text.as_bytes()).unwrap();
    let mut mask = Mask::new(0);
    matcher.mask(&trie(tokens), &mut mask).unwrap();
    mask.iter().collect()
}

#[test]
fn a_mask_allows_every_split_of_what_may_follow_and_the_end_where_it_may_end() {
    let tokens: [&[u8]; 9] = [b"a", b"ab", b"abc", b"b", b"", b"abx", b"ab", b"c", b"</s>"];
    let grammar = grammar("root ::= \"abc\"*");
    assert_eq!(allowed(&grammar, "", &tokens), [0, 1, 2, 6, 8]);
    assert_eq!(allowed(&grammar, "a", &tokens), [3]);
    assert_eq!(allowed(&grammar, "ab", &tokens), [7]);
    assert_eq!(allowed(&grammar, "abc", &tokens), [0, 1, 2, 6, 8]);
}

#[test]
fn tokens_may_hold_parts_of_characters() {
    let tokens: [&[u8]; 8] =
        [b"\xC3", b"\xA9", b"\xC3\xA9", b"\xF0\x9F", b"\x98\x80", b"\xA9\xC3", b"\xFF", b""];
    let grammar = grammar("root ::= [é😀]+");
    assert_eq!(allowed(&grammar, "", &tokens), [0, 2, 3]);
    let mut matcher = Matcher::new(Arc::new(grammar));
    matcher.accept_bytes(b"\xC3").unwrap();
    let mut mask = Mask::new(0);
    matcher.mask(&trie(&tokens), &mut mask).unwrap();
    assert_eq!(mask.iter().collect::<Vec<_>>(), [1, 5]);
    assert!(!matcher.is_complete() && matcher.can_continue());
}

#[test]
fn a_refused_byte_leaves_the_matcher_as_it_was() {
    let mut matcher = Matcher::new(Arc::new(grammar("root ::= \"abc\" \"d\"?")));
    assert_eq!(matcher.accept_bytes(b"abx").unwrap_err().at, 2);
    matcher.accept_bytes(b"abc").unwrap();
    assert!(matcher.is_complete() && matcher.can_continue());
    matcher.accept_bytes(b"d").unwrap();
    assert!(matcher.is_complete() && !matcher.can_continue());
}

#[test]
fn a_vocabulary_that_cannot_spell_the_grammar_gives_an_empty_mask() {
    assert_eq!(allowed(&grammar("root ::= \"z\""), "", &[b"a", b""]), [0; 0]);
}

#[test]
fn ambiguity_and_depth_are_bounded() {
    let text = "root ::= a{0,600}\na ::= \"x\" root \"y\" | \"x\" root | \"x\"";
    let mut matcher = Matcher::new(Arc::new(grammar(text)));
    let accepted = (0..2000).take_while(|_| matcher.accept_bytes(b"x").is_ok()).count();
    assert!(accepted < 2000);
    let nested = grammar("root ::= \"(\" root \")\" | \"\"");
    let mut matcher = Matcher::new(Arc::new(nested));
    let accepted = (0..1 << 17).take_while(|_| matcher.accept_bytes(b"(").is_ok()).count();
    assert!((60_000..70_000).contains(&accepted), "{accepted}");
}

#[test]
fn states_that_are_dropped_change_no_answer() {
    let grammar = Arc::new(grammar("root ::= \"[\" (root (\",\" root)*)? \"]\" | [0-9]{1,3}"));
    let mut matcher = Matcher::new(Arc::clone(&grammar));
    for _ in 0..25_000 {
        matcher.accept_bytes(b"[1,[").unwrap();
        matcher.accept_bytes(b"]x").unwrap_err();
    }
    for _ in 0..25_000 {
        matcher.accept_bytes(b"],2]").unwrap();
    }
    assert!(matcher.is_complete() && !matcher.can_continue());
}
