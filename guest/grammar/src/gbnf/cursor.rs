//! Characters of a text, with their line and column.

use alloc::string::ToString as _;

use crate::error::GrammarError;

/// Most digits of a repeat.
const MAX_DIGITS: usize = 5;

/// A place in a text.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'text> {
    text: &'text str,
    at: usize,
}

impl<'text> Cursor<'text> {
    pub(super) const fn new(text: &'text str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) const fn offset(&self) -> usize {
        self.at
    }

    /// Line and column of an offset, from 1.
    pub(super) fn place(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        (before.matches('\n').count() + 1, column)
    }

    pub(super) fn expected<T>(&self, expected: &'static str) -> Result<T, GrammarError> {
        let (line, column) = self.place(self.at);
        Err(GrammarError::Syntax { line, column, expected })
    }

    fn rest(&self) -> &'text str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Goes past `text` if it comes next.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let is_next = self.rest().starts_with(text);
        if is_next {
            self.at += text.len();
        }
        is_next
    }

    /// Goes past characters while they fit; gives them.
    pub(super) fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'text str {
        let rest = self.rest();
        let end = rest.find(|character| !fits(character)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// Goes past spaces and comments, and past newlines if they are allowed.
    pub(super) fn skip_space(&mut self, with_newlines: bool) {
        loop {
            self.take_while(|c| c == ' ' || c == '\t' || with_newlines && (c == '\r' || c == '\n'));
            if self.peek() != Some('#') {
                return;
            }
            self.take_while(|c| c != '\n' && c != '\r');
        }
    }

    /// A number of repeats.
    pub(super) fn count(&mut self) -> Result<u32, GrammarError> {
        let start = self.clone();
        let digits = self.take_while(|c| c.is_ascii_digit());
        if digits.len() > MAX_DIGITS {
            return start.expected("a number of at most 5 digits");
        }
        digits.to_string().parse().or_else(|_| start.expected("a number"))
    }

    /// A character of a text or class, with escapes. `None` at the end of the text.
    pub(super) fn character(&mut self) -> Result<Option<u32>, GrammarError> {
        let start = self.clone();
        let Some(next) = self.next() else { return Ok(None) };
        if next != '\\' {
            return Ok(Some(next.into()));
        }
        let point = match self.next() {
            Some('x') => self.hex(2)?,
            Some('u') => self.hex(4)?,
            Some('U') => self.hex(8)?,
            Some('t') => '\t'.into(),
            Some('r') => '\r'.into(),
            Some('n') => '\n'.into(),
            Some(plain @ ('\\' | '"' | '[' | ']')) => plain.into(),
            _ => return start.expected("an escape: one of \\n \\r \\t \\\\ \\\" \\[ \\] \\x \\u \\U"),
        };
        match char::from_u32(point) {
            Some(_) => Ok(Some(point)),
            None => start.expected("the number of a character"),
        }
    }

    fn hex(&mut self, digits: usize) -> Result<u32, GrammarError> {
        let start = self.clone();
        let text = self.rest().get(..digits).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let value = text.and_then(|text| u32::from_str_radix(text, 16).ok());
        self.at += digits;
        value.map_or_else(|| start.expected("hexadecimal digits: 2 after \\x, 4 after \\u, 8 after \\U"), Ok)
    }
}
