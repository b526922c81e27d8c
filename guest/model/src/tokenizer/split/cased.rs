//! Words of `o200k` and `tekken`: cut where upper case follows lower case.
//!
//! The pattern is `U*L+|U+L*` with `U` the letters that are not `a-z` and `L` those that are not `A-Z`: letters outside
//! ASCII are both. Source: llama.cpp `llm_tokenizer_bpe`, which has no other case; the models' own patterns name
//! Unicode's cases.

use super::class::{Class, class};

/// Bytes of the word that `text` starts with; 0 if that is no letter.
pub(super) fn word(text: &str) -> usize {
    let (upper, caseless) = upper(text);
    let rest = &text[upper..];
    if rest.starts_with(|first: char| first.is_ascii_lowercase()) {
        return upper + rest.find(|next| !is_lower(next)).unwrap_or(rest.len());
    }
    // `U*` gives back what `L+` needs.
    if caseless > 0 { caseless } else { upper }
}

/// Bytes of `U*`, and of its part up to the last letter outside ASCII.
fn upper(text: &str) -> (usize, usize) {
    let (mut upper, mut caseless) = (0, 0);
    for letter in text.chars().take_while(|&next| is_letter(next) && !next.is_ascii_lowercase()) {
        upper += letter.len_utf8();
        if !letter.is_ascii() {
            caseless = upper;
        }
    }
    (upper, caseless)
}

fn is_lower(character: char) -> bool {
    is_letter(character) && !character.is_ascii_uppercase()
}

fn is_letter(character: char) -> bool {
    class(character) == Class::Letter
}
