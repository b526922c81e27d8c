//! Pre-tokenizers: where text is cut before tokens are joined.
//!
//! Two patterns cover the families known here:
//! - GPT-2's `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`, for `smollm` after every
//!   number character was cut off by itself;
//! - Llama 3's `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|
//!   \s+(?!\S)|\s+`, for `qwen2` with one number character at a time.

use unicode_general_category::{GeneralCategory as Category, get_general_category};

/// Names that are known.
pub(super) const KNOWN: &str = "gpt-2, smollm, llama-bpe, qwen2";

/// How text is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Splitter {
    /// Llama 3's pattern instead of GPT-2's.
    is_llama: bool,
    /// Most number characters of a piece.
    numbers: usize,
    /// Whether numbers are cut off before anything else.
    cuts_numbers: bool,
}

impl Splitter {
    /// The splitter of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (is_llama, numbers, cuts_numbers) = match name {
            "gpt-2" => (false, usize::MAX, false),
            "smollm" => (false, 1, true),
            "llama-bpe" => (true, 3, false),
            "qwen2" => (true, 1, false),
            _ => return None,
        };
        Some(Self { is_llama, numbers, cuts_numbers })
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
        let text = if self.cuts_numbers { before_number(text) } else { text };
        let contraction = contraction(text, self.is_llama);
        if contraction > 0 {
            return contraction;
        }
        if self.is_llama { self.llama(text) } else { self.gpt2(text) }
    }

    fn gpt2(&self, text: &str) -> usize {
        let space = usize::from(text.starts_with(' '));
        let rest = &text[space..];
        match rest.chars().next().map(kind) {
            Some(Kind::Letter) => space + run(rest, Kind::Letter, usize::MAX),
            Some(Kind::Number) if space == 0 || !self.cuts_numbers => {
                space + run(rest, Kind::Number, self.numbers)
            }
            Some(Kind::Other) => space + run(rest, Kind::Other, usize::MAX),
            _ => spaces(text),
        }
    }

    fn llama(&self, text: &str) -> usize {
        let mut characters = text.chars();
        let Some(first) = characters.next() else { return 0 };
        let second = characters.next().map(kind);
        let is_lead = !matches!(kind(first), Kind::Letter | Kind::Number) && !matches!(first, '\r' | '\n');
        if kind(first) == Kind::Letter || is_lead && second == Some(Kind::Letter) {
            let lead = if is_lead { first.len_utf8() } else { 0 };
            return lead + run(&text[lead..], Kind::Letter, usize::MAX);
        }
        if kind(first) == Kind::Number {
            return run(text, Kind::Number, self.numbers);
        }
        let space = usize::from(first == ' ');
        if text[space..].chars().next().map(kind) == Some(Kind::Other) {
            let end = space + run(&text[space..], Kind::Other, usize::MAX);
            return end + text[end..].bytes().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        }
        match newlines(text) {
            0 => spaces(text),
            end => end,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Letter,
    Number,
    Space,
    Other,
}

fn kind(character: char) -> Kind {
    if character.is_whitespace() {
        return Kind::Space;
    }
    match get_general_category(character) {
        Category::UppercaseLetter
        | Category::LowercaseLetter
        | Category::TitlecaseLetter
        | Category::ModifierLetter
        | Category::OtherLetter => Kind::Letter,
        Category::DecimalNumber | Category::LetterNumber | Category::OtherNumber => Kind::Number,
        _ => Kind::Other,
    }
}

/// Bytes of the characters of one kind in front, at most `most`.
fn run(text: &str, wanted: Kind, most: usize) -> usize {
    text.chars().take(most).take_while(|&character| kind(character) == wanted).map(char::len_utf8).sum()
}

/// `\s+(?!\S)|\s+`: all white space, but for the last character where something follows and there is more than one.
fn spaces(text: &str) -> usize {
    let end = run(text, Kind::Space, usize::MAX);
    let last = text[..end].chars().next_back().map_or(0, char::len_utf8);
    if end < text.len() && end > last { end - last } else { end }
}

/// `\s*[\r\n]+`: white space up to its last line break.
fn newlines(text: &str) -> usize {
    let end = run(text, Kind::Space, usize::MAX);
    text[..end].rfind(['\r', '\n']).map_or(0, |at| at + 1)
}

fn contraction(text: &str, ignores_case: bool) -> usize {
    let Some(rest) = text.strip_prefix('\'') else { return 0 };
    let matches = |ending: &&str| {
        rest.get(..ending.len()).is_some_and(|start| {
            if ignores_case { start.eq_ignore_ascii_case(ending) } else { start == *ending }
        })
    };
    ["s", "t", "re", "ve", "m", "ll", "d"]
        .iter()
        .find(|ending| matches(ending))
        .map_or(0, |ending| 1 + ending.len())
}

/// A number character by itself, or what stands before the first one.
fn before_number(text: &str) -> &str {
    let mut characters = text.char_indices();
    match characters.next() {
        Some((_, first)) if kind(first) == Kind::Number => &text[..first.len_utf8()],
        _ => {
            let end = characters.find(|&(_, character)| kind(character) == Kind::Number);
            end.map_or(text, |(at, _)| &text[..at])
        }
    }
}
