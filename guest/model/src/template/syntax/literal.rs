//! Names, numbers and texts inside braces, each with its length in bytes.

use alloc::string::{String, ToString as _};
use core::iter::Peekable;
use core::str::CharIndices;

use super::lex::Token;

/// A name; the first character was looked at.
pub(super) fn name(text: &str) -> (Token, usize) {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (Token::Name(text[..end].to_string()), end)
}

/// A whole number in any base, or a decimal number. `None` if it is too large.
pub(super) fn number(text: &str) -> Option<(Token, usize)> {
    for (prefix, base) in [("0b", 2), ("0o", 8), ("0x", 16)] {
        if text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(prefix)) {
            let length = digits(&text[2..], base);
            let value = i128::from_str_radix(&text[2..2 + length].replace('_', ""), base).ok()?;
            return Some((Token::Int(value), 2 + length));
        }
    }
    let whole = digits(text, 10);
    let length = float_length(text, whole);
    let plain = text[..length].replace('_', "");
    if length > whole {
        return Some((Token::Float(plain.parse().ok()?), length));
    }
    Some((Token::Int(plain.parse().ok()?), length))
}

/// Length of digits with single `_` between them.
fn digits(text: &str, base: u32) -> usize {
    let mut length = 0;
    let mut was_digit = false;
    for (at, character) in text.char_indices() {
        match character {
            '_' if was_digit => was_digit = false,
            _ if character.is_digit(base) => (was_digit, length) = (true, at + 1),
            _ => break,
        }
    }
    length
}

/// Length of a decimal number with fraction or exponent; `whole` where it has neither.
fn float_length(text: &str, whole: usize) -> usize {
    let mut length = whole;
    if let Some(rest) = text[length..].strip_prefix('.') {
        let fraction = digits(rest, 10);
        length += if fraction > 0 { 1 + fraction } else { 0 };
    }
    if let Some(rest) = text[length..].strip_prefix(['e', 'E']) {
        let unsigned = rest.strip_prefix(['+', '-']).unwrap_or(rest);
        let exponent = digits(unsigned, 10);
        length += if exponent > 0 { 1 + (rest.len() - unsigned.len()) + exponent } else { 0 };
    }
    length
}

/// A text in quotes with Python's escapes. `None` if it is not closed or an escape is not valid.
pub(super) fn text(text: &str, quote: char) -> Option<(Token, usize)> {
    let mut out = String::new();
    let mut characters = text.char_indices().peekable();
    characters.next();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => escape(&mut characters, &mut out)?,
            _ if character == quote => return Some((Token::Text(out), at + 1)),
            _ => out.push(character),
        }
    }
    None
}

/// What follows a backslash. One that Python does not know keeps its backslash.
fn escape(characters: &mut Peekable<CharIndices<'_>>, out: &mut String) -> Option<()> {
    let (_, character) = characters.next()?;
    let code = match character {
        '\n' => return Some(()),
        'x' => code(characters, 2, 16)?,
        'u' => code(characters, 4, 16)?,
        'U' => code(characters, 8, 16)?,
        '0'..='7' => octal(characters, character),
        'N' => return None,
        _ => {
            match simple(character) {
                Some(plain) => out.push(plain),
                None => out.extend(['\\', character]),
            }
            return Some(());
        }
    };
    out.push(char::from_u32(code)?);
    Some(())
}

fn simple(character: char) -> Option<char> {
    Some(match character {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'v' => '\x0b',
        '\\' | '\'' | '"' => character,
        _ => return None,
    })
}

fn code(characters: &mut Peekable<CharIndices<'_>>, length: usize, base: u32) -> Option<u32> {
    let mut code = 0_u32;
    for _ in 0..length {
        code = code.checked_mul(base)?.checked_add(characters.next()?.1.to_digit(base)?)?;
    }
    Some(code)
}

fn octal(characters: &mut Peekable<CharIndices<'_>>, first: char) -> u32 {
    let mut code = first.to_digit(8).unwrap_or(0);
    for _ in 0..2 {
        let Some(digit) = characters.peek().and_then(|(_, next)| next.to_digit(8)) else { break };
        code = code * 8 + digit;
        characters.next();
    }
    code
}
