//! Pre-tokenizers: where text is cut before tokens are joined.
//!
//! Three patterns cover the families known here; what differs between families is how many number characters a piece
//! has, whether marks belong to letters, and what a word's end is:
//! - GPT-2's `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`, for `smollm` and others after
//!   every number character was cut off by itself;
//! - Llama 3's `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|
//!   \s+(?!\S)|\s+`, for `qwen2` with one number character at a time;
//! - `o200k`'s, which also cuts where upper case follows lower case: see [`cased`].

mod cased;
mod class;
mod family;

use class::{Class, class};
pub(super) use family::KNOWN;

/// How text is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Splitter {
    words: Words,
    /// Most number characters of a piece.
    numbers: usize,
    /// Whether each number character is cut off before anything else.
    cuts_numbers: bool,
    /// Whether marks are letters.
    joins_marks: bool,
    /// Whether a piece that is a token stays whole, whatever the merges say.
    pub(super) keeps_tokens: bool,
    /// Whether the beginning token comes first where the file does not say.
    pub(super) adds_bos: bool,
}

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Words {
    /// Letters, with a space before them.
    Gpt2,
    /// Letters, with anything but a line break or number before them.
    Llama,
    /// As [`Words::Llama`], in one change of case, and with an ending such as `'s` where it has them.
    Cased { has_endings: bool },
}

impl Splitter {
    /// The splitter of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        family::named(name)
    }

    /// The pieces of `text`, in order; together they are `text`.
    pub fn pieces<'a>(&self, text: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
        let splitter = *self;
        let mut rest = text;
        core::iter::from_fn(move || {
            let length = splitter.length(rest);
            let (piece, after) = rest.split_at_checked(length).filter(|(piece, _)| !piece.is_empty())?;
            rest = after;
            Some(piece)
        })
    }

    /// Bytes of the first piece.
    fn length(&self, text: &str) -> usize {
        let ending = match self.words {
            Words::Cased { .. } => 0,
            Words::Gpt2 => ending(text, |one, other| one == other),
            Words::Llama => ending(text, str::eq_ignore_ascii_case),
        };
        match self.words {
            _ if ending > 0 => ending,
            Words::Gpt2 => self.gpt2(text),
            Words::Llama | Words::Cased { .. } => self.llama(text),
        }
    }

    fn gpt2(&self, text: &str) -> usize {
        let space = usize::from(text.starts_with(' '));
        let rest = &text[space..];
        match self.first(rest) {
            Some(Class::Letter) => space + self.run(rest, Class::Letter, usize::MAX),
            Some(Class::Number) if space == 0 || !self.cuts_numbers => {
                space + self.run(rest, Class::Number, self.numbers)
            }
            Some(Class::Other) => space + self.run(rest, Class::Other, usize::MAX),
            _ => self.spaces(text),
        }
    }

    fn llama(&self, text: &str) -> usize {
        let Some(first) = text.chars().next() else { return 0 };
        let class = self.class(first);
        let has_lead = !matches!(class, Class::Letter | Class::Number) && !matches!(first, '\r' | '\n');
        let lead = if has_lead { first.len_utf8() } else { 0 };
        if self.first(&text[lead..]) == Some(Class::Letter) {
            return lead + self.word(&text[lead..]);
        }
        if class == Class::Number {
            return self.run(text, Class::Number, self.numbers);
        }
        let space = usize::from(first == ' ');
        if self.first(&text[space..]) == Some(Class::Other) {
            let end = space + self.run(&text[space..], Class::Other, usize::MAX);
            return end + text[end..].bytes().take_while(|&byte| self.follows_marks(byte)).count();
        }
        match self.newlines(text) {
            0 => self.spaces(text),
            end => end,
        }
    }

    /// Bytes of the word that `text` starts with.
    fn word(&self, text: &str) -> usize {
        let Words::Cased { has_endings } = self.words else {
            return self.run(text, Class::Letter, usize::MAX);
        };
        let end = cased::word(text);
        if has_endings { end + ending(&text[end..], str::eq_ignore_ascii_case) } else { end }
    }

    /// Whether a byte belongs to the punctuation before it.
    fn follows_marks(&self, byte: u8) -> bool {
        matches!(byte, b'\r' | b'\n') || byte == b'/' && matches!(self.words, Words::Cased { .. })
    }

    fn class(&self, character: char) -> Class {
        match class(character) {
            Class::Mark if self.joins_marks => Class::Letter,
            Class::Mark => Class::Other,
            class => class,
        }
    }

    fn first(&self, text: &str) -> Option<Class> {
        text.chars().next().map(|character| self.class(character))
    }

    /// Bytes of the characters of one class in front, at most `most`.
    fn run(&self, text: &str, wanted: Class, most: usize) -> usize {
        let other = |&(_, character): &(usize, char)| self.class(character) != wanted;
        text.char_indices()
            .zip(0..)
            .find(|(at, number)| *number == most || other(at))
            .map_or(text.len(), |((at, _), _)| at)
    }

    /// `\s+(?!\S)|\s+`: all white space, but for the last character where something follows and there is more than one.
    fn spaces(&self, text: &str) -> usize {
        let end = self.run(text, Class::Space, usize::MAX);
        let last = text[..end].chars().next_back().map_or(0, char::len_utf8);
        let is_last = match self.first(&text[end..]) {
            Some(Class::Number) => self.cuts_numbers,
            Some(_) => false,
            None => true,
        };
        if is_last || end == last { end } else { end - last }
    }

    /// `\s*[\r\n]+`: white space up to its last line break.
    fn newlines(&self, text: &str) -> usize {
        let end = self.run(text, Class::Space, usize::MAX);
        text[..end].rfind(['\r', '\n']).map_or(0, |at| at + 1)
    }
}

/// Bytes of the ending such as `'s` that `text` starts with.
fn ending(text: &str, is_same: impl Fn(&str, &str) -> bool) -> usize {
    let Some(rest) = text.strip_prefix('\'') else { return 0 };
    let matches = |ending: &&&str| rest.get(..ending.len()).is_some_and(|start| is_same(start, ending));
    ["s", "t", "re", "ve", "m", "ll", "d"].iter().find(matches).map_or(0, |ending| 1 + ending.len())
}
