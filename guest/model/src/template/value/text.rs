//! Text that remembers who wrote which of it: the template itself, or those whose values it was given.
//!
//! Only what the template wrote may become a control token. Whatever an operation makes anew, and that is not a part of
//! what the template wrote, counts as given.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::hash::{Hash, Hasher};
use core::ops::{Deref, Range};

use super::Value;

/// A text. Cloning is cheap; two are equal if they say the same, whoever wrote it.
#[derive(Clone, Debug, Default)]
pub struct Text(Rc<Written>);

/// A text in the making.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Written {
    text: String,
    /// Bytes that the template wrote: ranges in order, none empty, none touching the next.
    own: Vec<Range<usize>>,
}

impl Text {
    /// A text of the template.
    pub(in super::super) fn own(text: &str) -> Self {
        let mut written = Written::default();
        written.push(text, true);
        written.done()
    }

    /// A text that the template was given.
    pub(in super::super) fn given(text: impl Into<String>) -> Self {
        Self(Rc::new(Written { text: text.into(), own: Vec::new() }))
    }

    /// Whether the template wrote all of it.
    pub(in super::super) fn is_own(&self) -> bool {
        match self.0.own.as_slice() {
            [] => self.is_empty(),
            [all] => all.len() == self.len(),
            _ => false,
        }
    }

    /// Number of ranges that the template wrote.
    pub(in super::super) fn ranges(&self) -> usize {
        self.0.own.len()
    }

    /// A part of it, as cut out by the methods of `str`; any other text is a given one.
    pub(in super::super) fn part(&self, part: &str) -> Self {
        if self.place(part) == Some(0..self.len()) {
            return self.clone();
        }
        let mut written = Written::default();
        written.push_part(self, part);
        written.done()
    }

    /// Each of its characters.
    pub(in super::super) fn characters(&self) -> impl Iterator<Item = Value> {
        self.char_indices().map(|place| self.character(place))
    }

    /// The character at a place that `char_indices` gave.
    pub(in super::super) fn character(&self, (at, character): (usize, char)) -> Value {
        let part = self.get(at..at + character.len_utf8()).unwrap_or_default();
        Value::Text(self.part(part))
    }

    /// What was made of all of it, as upper case: the template's if all of it was.
    pub(in super::super) fn changed(&self, into: String) -> Self {
        if self.is_own() { Self::own(&into) } else { Self::given(into) }
    }

    /// Where a part stands; nothing if it is none.
    fn place(&self, part: &str) -> Option<Range<usize>> {
        let start = part.as_ptr().addr().checked_sub(self.as_ptr().addr())?;
        let end = start.checked_add(part.len())?;
        (end <= self.len()).then_some(start..end)
    }
}

impl Written {
    pub(in super::super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Appends what the template wrote (`is_own`) or was given.
    pub(in super::super) fn push(&mut self, text: &str, is_own: bool) {
        let start = self.text.len();
        self.text.push_str(text);
        if is_own {
            self.note(start..self.text.len());
        }
    }

    /// Appends a text with its ranges.
    pub(in super::super) fn push_text(&mut self, text: &Text) {
        let start = self.text.len();
        self.text.push_str(text);
        text.0.own.iter().for_each(|range| self.note(start + range.start..start + range.end));
    }

    /// Appends a part of a text, as cut out by the methods of `str`, with its ranges.
    pub(in super::super) fn push_part(&mut self, text: &Text, part: &str) {
        let start = self.text.len();
        self.text.push_str(part);
        let Some(place) = text.place(part) else { return };
        let own = &text.0.own;
        let first = own.partition_point(|range| range.end <= place.start);
        for range in own.iter().skip(first).take_while(|range| range.start < place.end) {
            let (from, to) = (range.start.max(place.start), range.end.min(place.end));
            self.note(start + from - place.start..start + to - place.start);
        }
    }

    pub(in super::super) fn done(self) -> Text {
        Text(Rc::new(self))
    }

    /// Text and ranges.
    pub(in super::super) fn into_parts(self) -> (String, Vec<Range<usize>>) {
        (self.text, self.own)
    }

    fn note(&mut self, range: Range<usize>) {
        match self.own.last_mut() {
            _ if range.is_empty() => {}
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.own.push(range),
        }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0.text
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        str::cmp(self, other)
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        str::hash(self, state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(text: &Text) -> Vec<(usize, usize)> {
        text.0.own.iter().map(|range| (range.start, range.end)).collect()
    }

    fn mixed() -> Text {
        let mut written = Written::default();
        for (text, is_own) in
            [("<a>", true), ("é", false), ("", true), ("b", false), ("<c", true), (">", true)]
        {
            written.push(text, is_own);
        }
        written.done()
    }

    #[test]
    fn neighbours_of_one_writer_are_one_range() {
        assert_eq!((&*mixed(), ranges(&mixed())), ("<a>éb<c>", [(0, 3), (6, 9)].to_vec()));
        assert!(!mixed().is_own() && Text::own("a").is_own() && !Text::given("a").is_own());
    }

    #[test]
    fn parts_keep_who_wrote_them() {
        let text = mixed();
        assert_eq!(ranges(&text.part(&text[1..7])), [(0, 2), (5, 6)]);
        assert_eq!(ranges(&text.part(&text[3..6])), []);
        assert_eq!(ranges(&text.part(&text[6..])), [(0, 3)]);
        assert_eq!(ranges(&text.part(&text)), [(0, 3), (6, 9)]);
        let mut twice = Written::default();
        twice.push_part(&text, &text[6..]);
        twice.push_text(&text);
        assert_eq!(ranges(&twice.done()), [(0, 6), (9, 12)]);
    }

    #[test]
    fn a_text_from_elsewhere_is_a_given_one() {
        let text = mixed();
        assert_eq!(ranges(&text.part("<a")), []);
        assert_eq!(ranges(&text.changed("<A>".into())), []);
        assert_eq!(ranges(&Text::own("a").changed("A".into())), [(0, 1)]);
        assert_eq!(Text::own("a"), Text::given("a"));
    }
}
