//! JSON Schemas, and values that follow them.
#![no_main]

use std::sync::Arc;
use vial_grammar::{Grammar, Json, Mask, Matcher, TokenTrie};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(schema) = serde_json::from_slice::<Json>(data) else { return };
    let Ok(grammar) = Grammar::from_schema(&schema) else { return };
    let trie = TokenTrie::new(257, &[256], |token, out| out.extend(u8::try_from(token)));
    let (mut matcher, mut mask) = (Matcher::new(Arc::new(grammar)), Mask::new(0));
    let mut text = Vec::new();
    for turn in data.iter().cycle().take(200) {
        if matcher.mask(&trie, &mut mask).is_err() || mask.allows(256) {
            break;
        }
        let Some(token) = mask.iter().nth(usize::from(*turn) % mask.count().max(1) as usize) else { return };
        text.extend(u8::try_from(token));
        matcher.accept_bytes(&text[text.len() - 1..]).expect("an allowed token is accepted");
    }
    if matcher.is_complete() {
        serde_json::from_slice::<serde_json::Value>(&text).expect("a finished text is JSON");
    }
});
