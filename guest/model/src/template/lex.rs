//! A template's source as text, outputs, and statements, each with its tokens and line.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::{TemplateError, error};

/// Part of the source.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    /// `{{ … }}`.
    Output(Tokens),
    /// `{% … %}`.
    Statement(Tokens),
}

/// What stands between the braces, last token first so that it can be popped.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tokens {
    pub(super) line: usize,
    pub(super) rest: Vec<Token>,
}

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Name(String),
    Text(String),
    Int(i64),
    /// An operator or bracket.
    Mark(&'static str),
}

const MARKS: [&str; 25] = [
    "==", "!=", "<=", ">=", "//", "**", "(", ")", "[", "]", "{", "}", ".", ",", ":", "|", "+", "-", "*", "/",
    "%", "~", "<", ">", "=",
];

/// Cuts the source. White space: a `-` at a brace takes all of it on that side; a statement takes the line break behind
/// it and, if it is first on its line, the white space in front.
pub(super) fn pieces(source: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = source;
    let mut is_trimmed = false;
    while let Some(at) = rest.find("{{").into_iter().chain(rest.find("{%")).chain(rest.find("{#")).min() {
        let line = 1 + source[..source.len() - rest.len() + at].matches('\n').count();
        let kind = rest.as_bytes().get(at + 1).copied().unwrap_or_default();
        let (inside, after) =
            inside(&rest[at + 2..], kind).ok_or_else(|| error(line, "a brace is not closed"))?;
        let takes_before = inside.starts_with('-');
        push_text(&mut pieces, before(&rest[..at], kind, takes_before), is_trimmed);
        is_trimmed = inside.ends_with('-') && inside.len() > 1;
        let inside = inside.strip_prefix(['-', '+']).unwrap_or(inside);
        let inside = if is_trimmed { inside.strip_suffix('-').unwrap_or(inside) } else { inside };
        let tokens = || tokens(inside, line).map(|rest| Tokens { line, rest });
        match kind {
            b'{' => pieces.push(Piece::Output(tokens()?)),
            b'%' => pieces.push(Piece::Statement(tokens()?)),
            _ => {}
        }
        let is_block = kind != b'{';
        rest = if is_block { after.strip_prefix('\n').unwrap_or(after) } else { after };
    }
    push_text(&mut pieces, rest, is_trimmed);
    Ok(pieces)
}

fn push_text(pieces: &mut Vec<Piece>, text: &str, is_trimmed: bool) {
    let text = if is_trimmed { text.trim_start() } else { text };
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_string()));
    }
}

/// The text before a brace, without the white space it takes.
fn before(text: &str, kind: u8, takes_all: bool) -> &str {
    if takes_all {
        return text.trim_end();
    }
    let indent = text.trim_end_matches([' ', '\t']);
    if kind != b'{' && (indent.is_empty() || indent.ends_with('\n')) { indent } else { text }
}

/// What stands before the closing brace, and what behind it. Braces in quotes do not close.
fn inside(text: &str, kind: u8) -> Option<(&str, &str)> {
    let close = match kind {
        b'{' => "}}",
        b'%' => "%}",
        _ => return text.split_once("#}"),
    };
    let mut quote = None;
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match quote {
            Some(_) if character == '\\' => drop(characters.next()),
            Some(open) if character == open => quote = None,
            None if matches!(character, '\'' | '"') => quote = Some(character),
            None if text[at..].starts_with(close) => return Some((&text[..at], &text[at + 2..])),
            _ => {}
        }
    }
    None
}

fn tokens(text: &str, line: usize) -> Result<Vec<Token>, TemplateError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '\'' | '"' => quoted(rest, first).ok_or_else(|| error(line, "a text is not closed"))?,
            '0'..='9' => number(rest).ok_or_else(|| error(line, "a number is too large"))?,
            _ if first.is_alphabetic() || first == '_' => name(rest),
            _ => mark(rest).ok_or_else(|| error(line, alloc::format!("{first:?} is not known")))?,
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    tokens.reverse();
    Ok(tokens)
}

fn name(text: &str) -> (Token, usize) {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (Token::Name(text[..end].to_string()), end)
}

fn number(text: &str) -> Option<(Token, usize)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((Token::Int(text[..end].parse().ok()?), end))
}

fn mark(text: &str) -> Option<(Token, usize)> {
    let mark = MARKS.into_iter().find(|mark| text.starts_with(mark))?;
    Some((Token::Mark(mark), mark.len()))
}

fn quoted(text: &str, quote: char) -> Option<(Token, usize)> {
    let mut out = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => out.push(escaped(characters.next()?.1)),
            _ if character == quote => return Some((Token::Text(out), at + 1)),
            _ => out.push(character),
        }
    }
    None
}

fn escaped(character: char) -> char {
    match character {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        other => other,
    }
}
