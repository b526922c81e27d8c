//! Tokens that are found in text as they are written.
//!
//! The first place counts, and of several tokens at one place the longest. Where two overlap, llama.cpp takes the
//! longer one even if it starts later; no vocabulary of a family known here has such a pair.

use alloc::vec::Vec;
use core::ops::Range;

use super::kind::Kind;

/// Control, unknown and user-defined tokens.
#[derive(Clone, Debug, Default)]
pub(super) struct Specials {
    /// Sorted by text.
    tokens: Vec<Special>,
    /// Those that start with each byte: a range of `tokens`.
    starts: Vec<(usize, usize)>,
}

#[derive(Clone, Debug)]
struct Special {
    text: Vec<u8>,
    token: u32,
    is_hidden: bool,
    eats_space: bool,
}

/// Where hidden tokens are found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Places<'a> {
    /// Nowhere: what is written is text.
    Nowhere,
    /// Wherever they are written.
    Anywhere,
    /// Where all of their bytes lie in one of these ranges, which are in order and do not touch.
    Within(&'a [Range<usize>]),
}

impl Places<'_> {
    fn hold(self, token: &Range<usize>) -> bool {
        let Self::Within(ranges) = self else { return matches!(self, Self::Anywhere) };
        let at = ranges.partition_point(|range| range.end <= token.start);
        ranges.get(at).is_some_and(|range| range.start <= token.start && token.end <= range.end)
    }
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Text to be cut and joined; never empty.
    Text(&'a str),
    /// A special token.
    Token(u32),
}

impl Specials {
    /// The specials among `texts`, one of `kinds` each. `eats_space` tells whether white space after a token belongs to it.
    pub(super) fn new(texts: &[&str], kinds: &[Kind], eats_space: impl Fn(&str) -> bool) -> Self {
        let mut tokens = Vec::new();
        for (token, (text, kind)) in (0..).zip(texts.iter().zip(kinds)) {
            if kind.is_special() && !text.is_empty() {
                let (is_hidden, eats_space) = (kind.is_hidden(), eats_space(text));
                tokens.push(Special { text: text.as_bytes().to_vec(), token, is_hidden, eats_space });
            }
        }
        tokens.sort_by(|one, other| one.text.cmp(&other.text));
        let start = |byte: u8| {
            let until = |byte: u8| tokens.partition_point(|special| special.text[0] < byte);
            (until(byte), byte.checked_add(1).map_or(tokens.len(), until))
        };
        Self { starts: (0..=u8::MAX).map(start).collect(), tokens }
    }

    /// The parts of `text` in order. User-defined tokens are found in all places.
    pub(super) fn parts<'a>(&self, text: &'a str, hidden: Places<'_>) -> impl Iterator<Item = Part<'a>> {
        let (mut rest, mut found) = (text, None);
        core::iter::from_fn(move || {
            if let Some(token) = found.take() {
                return Some(Part::Token(token));
            }
            let Some((at, special)) = self.next(text, text.len() - rest.len(), hidden) else {
                let last = core::mem::take(&mut rest);
                return (!last.is_empty()).then_some(Part::Text(last));
            };
            let (before, after) = (&rest[..at], &rest[at + special.text.len()..]);
            rest = if special.eats_space { after.trim_start_matches(is_space) } else { after };
            if before.is_empty() {
                return Some(Part::Token(special.token));
            }
            found = Some(special.token);
            Some(Part::Text(before))
        })
    }

    /// The first special token of `text` from byte `from` on, and how far behind it.
    fn next(&self, text: &str, from: usize, hidden: Places<'_>) -> Option<(usize, &Special)> {
        let bytes = &text.as_bytes()[from..];
        let at_place = |(at, &byte): (usize, &u8)| {
            let &(start, end) = self.starts.get(usize::from(byte)).filter(|(start, end)| start < end)?;
            let is_found = |special: &Special| {
                let place = from + at..from + at + special.text.len();
                !special.is_hidden || hidden.hold(&place)
            };
            Some((at, longest(&self.tokens[start..end], &bytes[at..], is_found)?))
        };
        bytes.iter().enumerate().find_map(at_place)
    }
}

/// The longest of `tokens`, which are sorted, that `text` starts with and that `is_found` takes.
fn longest<'a>(
    mut tokens: &'a [Special],
    text: &[u8],
    is_found: impl Fn(&Special) -> bool,
) -> Option<&'a Special> {
    let mut best = None;
    for (depth, &byte) in text.iter().enumerate() {
        let at = |special: &Special| special.text.get(depth).copied();
        let start = tokens.partition_point(|special| at(special) < Some(byte));
        let end = tokens.partition_point(|special| at(special) <= Some(byte));
        tokens = &tokens[start..end];
        let whole = tokens.iter().take_while(|special| special.text.len() == depth + 1);
        best = whole.clone().find(|special| is_found(special)).or(best);
        if tokens.is_empty() {
            break;
        }
    }
    best
}

/// White space of C's `isspace`.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t'..='\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts<'a>(text: &'a str, hidden: Places<'_>) -> Vec<Part<'a>> {
        let texts = ["<a>", "x", "<a", "  ", "<|e|>", "   "];
        let kinds = [
            Kind::Control,
            Kind::Normal,
            Kind::UserDefined,
            Kind::UserDefined,
            Kind::Unknown,
            Kind::UserDefined,
        ];
        let specials = Specials::new(&texts, &kinds, |text| text == "<|e|>");
        specials.parts(text, hidden).collect()
    }

    use Part::{Text, Token};

    #[test]
    fn the_longest_of_those_at_one_place_is_found() {
        assert_eq!(
            parts("x<a>y<a<b", Places::Anywhere),
            [Text("x"), Token(0), Text("y"), Token(2), Text("<b")]
        );
        assert_eq!(parts("     .", Places::Anywhere), [Token(5), Token(3), Text(".")]);
        assert_eq!(parts("", Places::Anywhere), []);
    }

    #[test]
    fn hidden_ones_are_found_only_where_they_are_allowed() {
        assert_eq!(parts("<a><|e|>", Places::Nowhere), [Token(2), Text("><|e|>")]);
    }

    #[test]
    fn hidden_ones_are_found_where_all_of_them_is_allowed() {
        let within = |ranges: &[(usize, usize)]| {
            let ranges: Vec<_> = ranges.iter().map(|&(start, end)| start..end).collect();
            parts("<a><a>x<a>", Places::Within(&ranges))
        };
        assert_eq!(within(&[(0, 10)]), [Token(0), Token(0), Text("x"), Token(0)]);
        assert_eq!(within(&[(0, 5), (7, 10)]), [Token(0), Token(2), Text(">x"), Token(0)]);
        assert_eq!(within(&[(4, 10)]), [Token(2), Text(">"), Token(2), Text(">x"), Token(0)]);
        assert_eq!(within(&[]), [Token(2), Text(">"), Token(2), Text(">x"), Token(2), Text(">")]);
        assert_eq!(within(&[(0, 2), (99, 100)]), within(&[]));
    }

    #[test]
    fn white_space_after_some_belongs_to_them() {
        assert_eq!(parts("<|e|> \n<|e|>\u{a0}", Places::Anywhere), [Token(4), Token(4), Text("\u{a0}")]);
    }
}
