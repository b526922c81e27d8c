//! The schemas and texts of `measurements/vectors/schemas.py`: what the `jsonschema` package says, grammars keep to.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]

mod walk;

use std::sync::Arc;
use vial_grammar::{Grammar, Json, Mask, Matcher};

fn accepts(grammar: &Arc<Grammar>, text: &str) -> bool {
    let mut matcher = Matcher::new(Arc::clone(grammar));
    matcher.accept_bytes(text.as_bytes()).is_ok() && matcher.is_complete()
}

fn texts<'a>(entry: &'a Json, kind: &str) -> impl Iterator<Item = &'a str> {
    let Some(Json::List(texts)) = entry.get(kind) else { unreachable!("{entry}: expected {kind}") };
    texts.iter().map(|text| if let Json::Text(text) = text { text.as_str() } else { unreachable!("a text") })
}

#[test]
fn grammars_of_schemas_accept_what_is_made_by_them_and_nothing_invalid() {
    let entries = walk::entries();
    assert_eq!(entries.len(), 300);
    for entry in &entries {
        let grammar = walk::grammar(entry);
        texts(entry, "made").for_each(|text| assert!(accepts(&grammar, text), "{entry}\n{text}"));
        texts(entry, "invalid").for_each(|text| assert!(!accepts(&grammar, text), "{entry}\n{text}"));
    }
}

#[test]
fn every_walk_through_masks_ends_in_a_text_that_the_grammar_accepts() {
    let vocabulary = walk::Vocabulary::new(2000);
    for (seed, entry) in (0..).zip(walk::entries()) {
        let grammar = walk::grammar(&entry);
        let text = String::from_utf8(walk::walk(&grammar, &vocabulary, seed)).expect("UTF-8");
        assert!(accepts(&grammar, &text), "{entry}\n{text}");
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
    }
}

#[test]
fn a_mask_is_what_accepting_each_token_would_say() {
    let vocabulary = walk::Vocabulary::new(600);
    let mut random = walk::Random::new(3);
    for entry in walk::entries().iter().step_by(10) {
        let grammar = walk::grammar(entry);
        let text = walk::walk(&grammar, &vocabulary, 1);
        let mut matcher = Matcher::new(Arc::clone(&grammar));
        matcher.accept_bytes(&text[..random.below(text.len() + 1)]).expect("a beginning of its text");
        let mut mask = Mask::new(0);
        matcher.mask(&vocabulary.trie, &mut mask).expect("a simple grammar");
        for (token, bytes) in (0..).zip(&vocabulary.tokens) {
            let says = matcher.clone().accept_bytes(bytes).is_ok();
            let expected = if token == vocabulary.end { matcher.is_complete() } else { says };
            assert_eq!(mask.allows(token), expected, "{entry}: {bytes:?}");
        }
    }
}
