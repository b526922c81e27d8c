//! Grammars in GBNF, and bytes that a matcher follows.
#![no_main]

use std::sync::Arc;
use vial_grammar::{Grammar, Mask, Matcher, TokenTrie};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((text, bytes)) = std::str::from_utf8(data).ok().and_then(|text| text.split_once('\0')) else { return };
    let Ok(grammar) = Grammar::from_gbnf(text) else { return };
    let trie = TokenTrie::new(257, &[256], |token, out| out.extend(u8::try_from(token)));
    let (mut matcher, mut mask) = (Matcher::new(Arc::new(grammar)), Mask::new(0));
    for byte in bytes.bytes().take(64) {
        if matcher.mask(&trie, &mut mask).is_err() {
            return;
        }
        assert_eq!(mask.allows(256), matcher.is_complete());
        assert_eq!(mask.allows(byte.into()), matcher.accept_bytes(&[byte]).is_ok());
    }
});
