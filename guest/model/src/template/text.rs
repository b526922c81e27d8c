//! Texts as Python's `str` sees them.

use alloc::string::String;
use alloc::vec::Vec;

use super::Fault;
use super::meter::Writer;
use super::value::Text;

/// Bytes of a text that one step goes through.
pub(super) const BYTES_A_STEP: usize = 64;

/// `str.isspace` of one character: Unicode's white space, and the four separators that are control characters.
pub(super) fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\x1c'..='\x1f').contains(&character)
}

/// `str.split` without a separator, in at most `most + 1` parts.
pub(super) fn words(text: &str, most: Option<usize>) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        if Some(words.len()) == most {
            words.push(rest.trim_end_matches(is_space));
            break;
        }
        let end = rest.find(is_space).unwrap_or(rest.len());
        words.push(&rest[..end]);
        rest = rest[end..].trim_start_matches(is_space);
    }
    words
}

/// `str.splitlines`; with `is_kept`, lines keep their ends.
pub(super) fn lines(text: &str, is_kept: bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let at = rest.find(is_line_end).unwrap_or(rest.len());
        let end = match rest[at..].chars().next() {
            Some('\r') if rest[at + 1..].starts_with('\n') => at + 2,
            Some(character) => at + character.len_utf8(),
            None => at,
        };
        lines.push(if is_kept { &rest[..end] } else { &rest[..at] });
        rest = &rest[end..];
    }
    lines
}

fn is_line_end(character: char) -> bool {
    matches!(character, '\n'..='\r' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// `str.capitalize`.
pub(super) fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next();
    let mut out: String = first.into_iter().flat_map(char::to_uppercase).collect();
    out.push_str(&characters.as_str().to_lowercase());
    out
}

/// Each run of letters capitalised, where `is_break` tells what parts them.
pub(super) fn titled(text: &str, is_break: impl Fn(char) -> bool) -> String {
    let mut out = String::new();
    let mut is_start = true;
    for character in text.chars() {
        if is_start {
            out.extend(character.to_uppercase());
        } else {
            out.extend(character.to_lowercase());
        }
        is_start = is_break(character);
    }
    out
}

/// Whether all letters are of one case, and there is one.
pub(super) fn is_cased(text: &str, is_wanted: fn(char) -> bool, is_other: fn(char) -> bool) -> bool {
    text.chars().any(is_wanted) && !text.chars().any(is_other)
}

/// Writes a text escaped for HTML, as markupsafe does.
pub(super) fn escape(text: &Text, out: &mut Writer<'_>) -> Result<(), Fault> {
    for piece in text.split_inclusive(['&', '<', '>', '\'', '"']) {
        let (plain, escaped) = match piece.char_indices().next_back() {
            Some((at, '&')) => (&piece[..at], "&amp;"),
            Some((at, '<')) => (&piece[..at], "&lt;"),
            Some((at, '>')) => (&piece[..at], "&gt;"),
            Some((at, '\'')) => (&piece[..at], "&#39;"),
            Some((at, '"')) => (&piece[..at], "&#34;"),
            _ => (piece, ""),
        };
        out.push_part(text, plain)?;
        out.push(escaped)?;
    }
    Ok(())
}

/// `str.replace`, at most `most` times.
pub(super) fn replace(
    text: &Text,
    from: &str,
    to: &Text,
    most: Option<usize>,
    out: &mut Writer<'_>,
) -> Result<(), Fault> {
    let mut end = 0;
    for (at, found) in text.match_indices(from).take(most.unwrap_or(usize::MAX)) {
        out.push_part(text, &text[end..at])?;
        out.push_text(to)?;
        end = at + found.len();
    }
    out.push_part(text, &text[end..])
}
