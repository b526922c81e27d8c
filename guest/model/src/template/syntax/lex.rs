//! A template's source as tokens, by the rules of jinja2's lexer with `trim_blocks` and `lstrip_blocks`.
//!
//! Source: jinja2 3.1 `lexer.py`, `Lexer.tokeniter`.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::super::text::is_space;
use super::super::{Fault, TemplateError};
use super::literal;

/// A token with its line.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Lexeme {
    pub(in super::super) line: usize,
    pub(in super::super) token: Token,
}

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Token {
    /// Text between tags.
    Data(String),
    OutputBegin,
    OutputEnd,
    StatementBegin,
    StatementEnd,
    Name(String),
    Text(String),
    Int(i128),
    Float(f64),
    /// An operator or bracket.
    Mark(&'static str),
}

const MARKS: [&str; 26] = [
    "==", "!=", "<=", ">=", "//", "**", "(", ")", "[", "]", "{", "}", ".", ",", ":", "|", "+", "-", "*", "/",
    "%", "~", "<", ">", "=", ";",
];

/// What opens a tag, by the character behind `{`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tag {
    Output,
    Statement,
    Comment,
}

impl Tag {
    fn close(self) -> &'static str {
        match self {
            Self::Output => "}}",
            Self::Statement => "%}",
            Self::Comment => "#}",
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    /// Whether what was last taken ended a line.
    is_line_start: bool,
    lexemes: Vec<Lexeme>,
}

/// Cuts a source into tokens.
///
/// # Errors
/// What is not closed or not known, with its line.
pub(in super::super) fn lexemes(source: &str) -> Result<Vec<Lexeme>, TemplateError> {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let rest = source.strip_suffix('\n').unwrap_or(&source);
    let mut lexer = Lexer { rest, line: 1, is_line_start: true, lexemes: Vec::new() };
    match lexer.run() {
        Ok(()) => Ok(lexer.lexemes),
        Err(fault) => Err(TemplateError { line: lexer.line, fault }),
    }
}

impl<'a> Lexer<'a> {
    fn run(&mut self) -> Result<(), Fault> {
        while let Some((at, tag)) = self.next_tag() {
            self.data(at, tag != Tag::Output);
            match tag {
                Tag::Comment => self.comment()?,
                Tag::Statement if self.raw()? => {}
                _ => self.inside(tag)?,
            }
        }
        let rest = self.take(self.rest.len());
        self.push_data(rest);
        Ok(())
    }

    fn next_tag(&self) -> Option<(usize, Tag)> {
        self.rest.match_indices('{').find_map(|(at, _)| {
            let tag = match self.rest.as_bytes().get(at + 1)? {
                b'{' => Tag::Output,
                b'%' => Tag::Statement,
                b'#' => Tag::Comment,
                _ => return None,
            };
            Some((at, tag))
        })
    }

    /// Takes the text before a tag and its opening brace with its sign. `-` takes all white space before it; a
    /// statement or comment that is first on its line takes that line's.
    fn data(&mut self, length: usize, takes_indent: bool) {
        let was_line_start = self.is_line_start;
        let line = self.line;
        let text = self.take(length);
        self.take(2);
        let kept = match self.rest.as_bytes().first() {
            Some(b'-') => text.trim_end_matches(is_space),
            Some(b'+') => text,
            _ if takes_indent => without_indent(text, was_line_start),
            _ => text,
        };
        if matches!(self.rest.as_bytes().first(), Some(b'-' | b'+')) {
            self.take(1);
        }
        if !kept.is_empty() {
            self.lexemes.push(Lexeme { line, token: Token::Data(kept.to_string()) });
        }
    }

    fn push_data(&mut self, text: &str) {
        if !text.is_empty() {
            self.push(Token::Data(text.to_string()));
        }
    }

    fn push(&mut self, token: Token) {
        self.lexemes.push(Lexeme { line: self.line, token });
    }

    /// Takes `length` bytes.
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.line += taken.matches('\n').count();
        self.is_line_start = taken.ends_with('\n');
        self.rest = rest;
        taken
    }

    fn comment(&mut self) -> Result<(), Fault> {
        let end = self.rest.find("#}").ok_or(Fault::Malformed { what: "a comment" })?;
        let sign = self.rest[..end].chars().next_back().filter(|sign| "+-".contains(*sign));
        self.take(end - sign.map_or(0, char::len_utf8));
        self.close(Tag::Comment);
        Ok(())
    }

    /// Takes `{% raw %}` to `{% endraw %}`, if that is next.
    fn raw(&mut self) -> Result<bool, Fault> {
        let Some(inside) = keyword(self.rest, "raw").filter(|rest| closes(rest, Tag::Statement)) else {
            return Ok(false);
        };
        self.take(self.rest.len() - inside.len());
        let takes_space = inside.starts_with('-');
        self.take(2 + usize::from(takes_space));
        if takes_space {
            self.take_spaces();
        }
        let unclosed = || Fault::Malformed { what: "\"raw\"" };
        let end = self.rest.match_indices("{%").map(|(at, _)| at);
        let is_end = |at: &usize| {
            let inside = &self.rest[at + 2..];
            let inside = inside.strip_prefix(['-', '+']).unwrap_or(inside);
            keyword(inside, "endraw").is_some_and(|rest| closes(rest, Tag::Statement))
        };
        let at = end.into_iter().find(is_end).ok_or_else(unclosed)?;
        self.data(at, true);
        let inside = keyword(self.rest, "endraw").ok_or_else(unclosed)?;
        self.take(self.rest.len() - inside.len());
        self.close(Tag::Statement);
        Ok(true)
    }

    /// Takes the closing brace that is next, and the white space it takes with it.
    fn close(&mut self, tag: Tag) {
        let sign = self.rest.chars().next().filter(|sign| "+-".contains(*sign));
        self.take(2 + usize::from(sign.is_some()));
        match sign {
            Some('-') => self.take_spaces(),
            None if tag != Tag::Output && self.rest.starts_with('\n') => drop(self.take(1)),
            _ => {}
        }
    }

    fn take_spaces(&mut self) {
        let length = self.rest.len() - self.rest.trim_start_matches(is_space).len();
        if length > 0 {
            self.take(length);
        }
    }

    /// Takes tokens up to the closing brace.
    fn inside(&mut self, tag: Tag) -> Result<(), Fault> {
        let is_output = tag == Tag::Output;
        self.push(if is_output { Token::OutputBegin } else { Token::StatementBegin });
        let mut open = Vec::new();
        loop {
            if open.is_empty() && closes(self.rest, tag) && !(is_output && self.rest.starts_with('+')) {
                self.push(if is_output { Token::OutputEnd } else { Token::StatementEnd });
                self.close(tag);
                return Ok(());
            }
            self.token(&mut open)?;
        }
    }

    fn token(&mut self, open: &mut Vec<&'static str>) -> Result<(), Fault> {
        let first = self.rest.chars().next().ok_or(Fault::Malformed { what: "a brace" })?;
        if is_space(first) {
            self.take_spaces();
            return Ok(());
        }
        let (token, length) = match first {
            '\'' | '"' => literal::text(self.rest, first).ok_or(Fault::Malformed { what: "a text" })?,
            '0'..='9' => literal::number(self.rest).ok_or(Fault::Malformed { what: "a number" })?,
            _ if first.is_alphabetic() || first == '_' => literal::name(self.rest),
            _ => self.mark(first, open)?,
        };
        self.push(token);
        self.take(length);
        Ok(())
    }

    fn mark(&self, first: char, open: &mut Vec<&'static str>) -> Result<(Token, usize), Fault> {
        let unknown = |expected| Fault::Expected { expected, found: first.to_string() };
        let mark = MARKS.into_iter().find(|mark| self.rest.starts_with(mark));
        let mark = mark.ok_or_else(|| unknown("an operator"))?;
        match mark {
            "(" => open.push(")"),
            "[" => open.push("]"),
            "{" => open.push("}"),
            ")" | "]" | "}" if open.pop() != Some(mark) => return Err(unknown("a bracket that closes")),
            _ => {}
        }
        Ok((Token::Mark(mark), mark.len()))
    }
}

/// `text` without white space behind its last line break; all of it must be white space.
fn without_indent(text: &str, was_line_start: bool) -> &str {
    let line = text.rfind('\n').map_or(0, |at| at + 1);
    let is_indent = text[line..].chars().all(is_space) && (line > 0 || was_line_start);
    if is_indent { &text[..line] } else { text }
}

/// What follows `word`, if it is next but for white space.
fn keyword<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let text = text.trim_start_matches(is_space).strip_prefix(word)?;
    Some(text.trim_start_matches(is_space))
}

fn closes(text: &str, tag: Tag) -> bool {
    text.strip_prefix(['+', '-']).unwrap_or(text).starts_with(tag.close())
}
