//! Regular expressions of JSON Schema's `pattern`, for the content of a JSON string.
//!
//! The subset of ECMA-262 that needs no look around: characters, `.`, classes with `\d \w \s` and their negations, groups
//! `(…)` and `(?:…)`, `|`, `* + ? {m} {m,} {m,n}`, escapes `\t \n \r \f \v \0 \xhh \uhhhh \u{…}` and of punctuation,
//! `^` first and `$` last in a choice at the top. Where `^` or `$` is missing any text may stand on that side, as the
//! standard says. Look-around, back references, `\b`, `\p`, flags and lazy repeats are refused.
//!
//! A crate for regular expressions is not used: theirs is another dialect (Unicode digits, other escapes), and the meaning
//! must be the validators'.

use alloc::vec;
use alloc::vec::Vec;

use crate::expr::{CharSet, Expr};
use crate::value::encoded;

/// Groups inside each other.
const MAX_DEPTH: usize = 32;
/// Most repeats that a count may ask for.
const MAX_REPEATS: u32 = 10_000;

/// What a pattern allows, as JSON writes it between quotes; `any` is any one character.
///
/// # Errors
/// What is wrong with it or not supported.
pub(crate) fn parse(pattern: &str, any: &Expr) -> Result<Expr, &'static str> {
    let mut parser = Parser { rest: pattern.chars().collect(), any: any.clone() };
    parser.rest.reverse();
    let choices = parser.choices(0)?;
    match parser.rest.is_empty() {
        true => Ok(choices),
        false => Err("pattern: found a closing parenthesis without its opening one"),
    }
}

struct Parser {
    /// What is still to be read, the last character first.
    rest: Vec<char>,
    any: Expr,
}

type Read<T> = Result<T, &'static str>;

impl Parser {
    fn peek(&self) -> Option<char> {
        self.rest.last().copied()
    }

    fn eat(&mut self, character: char) -> bool {
        let is_next = self.peek() == Some(character);
        if is_next {
            self.rest.pop();
        }
        is_next
    }

    fn choices(&mut self, depth: usize) -> Read<Expr> {
        let mut choices = vec![self.choice(depth)?];
        while self.eat('|') {
            choices.push(self.choice(depth)?);
        }
        Ok(if choices.len() == 1 { choices.remove(0) } else { Expr::Any(choices) })
    }

    /// One choice; at the top, with what may stand before and after it.
    fn choice(&mut self, depth: usize) -> Read<Expr> {
        let is_top = depth == 0;
        let starts = is_top && self.eat('^');
        let mut parts = Vec::new();
        while let Some(next) = self.peek().filter(|&next| next != '|' && next != ')') {
            if next == '$' && is_top {
                break;
            }
            let part = self.part(depth)?;
            parts.push(self.repeated(part)?);
        }
        let ends = is_top && self.eat('$');
        if ends && self.peek().is_some_and(|next| next != '|') {
            return Err("pattern: $ is supported at the end of the pattern or of a choice");
        }
        let other = || self.any.clone().times(0, None);
        if is_top && !starts {
            parts.insert(0, other());
        }
        if is_top && !ends {
            parts.push(other());
        }
        Ok(Expr::Seq(parts))
    }

    fn part(&mut self, depth: usize) -> Read<Expr> {
        match self.rest.pop() {
            Some('(') => self.group(depth),
            Some('[') => Ok(encoded(&self.class()?)),
            Some('.') => Ok(encoded(&line_ends().complement())),
            Some('\\') => Ok(encoded(&self.escape()?)),
            Some('^' | '$') => {
                Err("pattern: ^ and $ are supported at the start and end of the pattern or of a choice")
            }
            Some('*' | '+' | '?' | '{' | '}' | ']') => {
                Err("pattern: found a repeat or bracket without what it belongs to")
            }
            Some(plain) => Ok(encoded(&single(plain.into()))),
            None => Err("pattern: found its end, expected more"),
        }
    }

    fn group(&mut self, depth: usize) -> Read<Expr> {
        if depth >= MAX_DEPTH {
            return Err("pattern: expected at most 32 groups inside each other");
        }
        if self.eat('?') && !self.eat(':') {
            return Err("pattern: look-around, named groups and flags are not supported");
        }
        let choices = self.choices(depth + 1)?;
        if self.eat(')') { Ok(choices) } else { Err("pattern: a group is not closed") }
    }

    fn repeated(&mut self, part: Expr) -> Read<Expr> {
        let (min, max) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => return self.counted(part),
            _ => return Ok(part),
        };
        self.rest.pop();
        self.only_one_repeat(part.times(min, max))
    }

    fn counted(&mut self, part: Expr) -> Read<Expr> {
        self.rest.pop();
        let min = self.count()?;
        let max = if !self.eat(',') {
            Some(min)
        } else if self.peek() == Some('}') {
            None
        } else {
            Some(self.count()?)
        };
        if !self.eat('}') || max.unwrap_or(min) < min || max.unwrap_or(min) > MAX_REPEATS {
            return Err("pattern: expected {m}, {m,} or {m,n} up to 10000");
        }
        self.only_one_repeat(part.times(min, max))
    }

    fn only_one_repeat(&self, expr: Expr) -> Read<Expr> {
        match self.peek() {
            Some('?') => Err("pattern: lazy repeats are not supported"),
            Some('*' | '+' | '{') => Err("pattern: found a repeat of a repeat"),
            _ => Ok(expr),
        }
    }

    fn count(&mut self) -> Read<u32> {
        let mut value = 0u32;
        let mut digits = 0;
        while let Some(digit) = self.peek().and_then(|next| next.to_digit(10)) {
            self.rest.pop();
            value = value.saturating_mul(10).saturating_add(digit);
            digits += 1;
        }
        if digits > 0 { Ok(value) } else { Err("pattern: expected {m}, {m,} or {m,n} up to 10000") }
    }

    /// A class, after its `[`.
    fn class(&mut self) -> Read<CharSet> {
        let is_negated = self.eat('^');
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        while !self.eat(']') {
            let from = self.class_item()?;
            let is_range = self.peek() == Some('-') && self.rest.iter().nth_back(1) != Some(&']');
            if !is_range {
                ranges.extend(from.ranges());
                continue;
            }
            self.rest.pop();
            let to = self.class_item()?;
            match (from.ranges(), to.ranges()) {
                (&[(from, last)], &[(to, end)]) if from == last && to == end && from <= to => {
                    ranges.push((from, to))
                }
                _ => return Err("pattern: expected a range from a lower to a higher character"),
            }
        }
        let set = CharSet::new(ranges);
        Ok(if is_negated { set.complement() } else { set })
    }

    fn class_item(&mut self) -> Read<CharSet> {
        match self.rest.pop() {
            Some('\\') if self.eat('b') => Ok(single(8)),
            Some('\\') => self.escape(),
            Some(plain) => Ok(single(plain.into())),
            None => Err("pattern: a class is not closed"),
        }
    }

    /// An escape, after its `\`.
    fn escape(&mut self) -> Read<CharSet> {
        let set = match self.rest.pop() {
            Some('d') => digits(),
            Some('D') => digits().complement(),
            Some('w') => words(),
            Some('W') => words().complement(),
            Some('s') => spaces(),
            Some('S') => spaces().complement(),
            Some('t') => single(9),
            Some('n') => single(10),
            Some('v') => single(11),
            Some('f') => single(12),
            Some('r') => single(13),
            Some('0') if !self.peek().is_some_and(|next| next.is_ascii_digit()) => single(0),
            Some('x') => single(self.hex(2)?),
            Some('u') => single(self.unicode()?),
            Some(plain) if plain.is_ascii_punctuation() => single(plain.into()),
            _ => return Err("pattern: \\b, \\p, back references and unknown escapes are not supported"),
        };
        if set.ranges().is_empty() { Err("pattern: expected the number of a character") } else { Ok(set) }
    }

    fn unicode(&mut self) -> Read<u32> {
        if !self.eat('{') {
            return self.hex(4);
        }
        let mut value = 0u32;
        while !self.eat('}') {
            value = value.saturating_mul(16).saturating_add(self.hex(1)?);
        }
        Ok(value)
    }

    fn hex(&mut self, count: usize) -> Read<u32> {
        (0..count).try_fold(0, |value, _| {
            let digit = self.rest.pop().and_then(|next| next.to_digit(16));
            digit.map(|digit| value * 16 + digit).ok_or("pattern: expected hexadecimal digits")
        })
    }
}

fn single(point: u32) -> CharSet {
    CharSet::new(vec![(point, point)])
}

fn digits() -> CharSet {
    CharSet::new(vec![('0'.into(), '9'.into())])
}

fn words() -> CharSet {
    let ranges = [('0', '9'), ('A', 'Z'), ('a', 'z'), ('_', '_')];
    CharSet::new(ranges.iter().map(|&(from, to)| (from.into(), to.into())).collect())
}

/// White space and line ends. Source: ECMA-262 §12.2, §12.3, and Unicode's Space_Separator.
fn spaces() -> CharSet {
    let ranges = [(9, 13), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029)];
    let more = [(0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)];
    CharSet::new(ranges.into_iter().chain(more).collect())
}

fn line_ends() -> CharSet {
    CharSet::new(vec![(10, 10), (13, 13), (0x2028, 0x2029)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::{LAST_CHAR, Rules};
    use crate::grammar::Grammar;
    use crate::tests::accepts;

    fn fits(pattern: &str, text: &str) -> bool {
        let any = encoded(&CharSet::new(vec![(0, LAST_CHAR)]));
        let mut rules = Rules::default();
        rules.root = rules
            .add("root".into(), parse(pattern, &any).unwrap_or_else(|error| panic!("{pattern}: {error}")));
        accepts(&Grammar::compile(&rules).unwrap(), text)
    }

    #[test]
    fn patterns_allow_what_ecma_262_matches() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("^[a-z]+$", &["a", "abc"], &["", "A", "ab1"]),
            ("ab", &["ab", "xaby"], &["a", "ba"]),
            ("^a", &["a", "abc"], &["ba", ""]),
            ("a$|^b", &["xa", "bx", "b"], &["ax", "xb"]),
            ("^(?:a|b){2,3}(c)?$", &["ab", "bbac"], &["a", "abab", "c"]),
            ("^\\d{3}-\\w*\\.\\/$", &["123-a_9./"], &["12-./", "123-aé./", "123-a,/"]),
            ("^[^\\s\\d]$", &["a", "é"], &["1", " ", "\u{a0}", "ab"]),
            ("^[\\]a-]$", &["]", "a", "-"], &["b", "\\"]),
            ("^.$", &["a", "é", "\\\"", "\\\\"], &["\\n", "", "ab", "\u{2028}"]),
            ("^\\u00e9\\x41\\u{1F600}\\n$", &["éA😀\\n"], &["éA😀n"]),
            ("^\"\\\\$", &["\\\"\\\\"], &["\"\\"]),
            ("", &["", "a"], &[]),
            ("^$", &[""], &["a"]),
        ];
        for (pattern, good, bad) in cases {
            good.iter().for_each(|text| assert!(fits(pattern, text), "{pattern}: {text}"));
            bad.iter().for_each(|text| assert!(!fits(pattern, text), "{pattern}: {text}"));
        }
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        let cases = [
            "(?=a)",
            "(?<n>a)",
            "(?i)a",
            "\\bword",
            "(a)\\1",
            "\\p{L}",
            "a*?",
            "a**",
            "a{2}{3}",
            "(a",
            "a)",
            "[a",
            "[z-a]",
            "[a-\\d]",
            "x^",
            "a$b",
            "(^a)",
            "*a",
            "a{",
            "a{x}",
            "a{3,2}",
            "a{10001}",
            "\\ud800",
            "\\xg0",
            "\\u{110000}",
            "\\",
        ];
        let any = Expr::text("a");
        for pattern in cases {
            assert!(parse(pattern, &any).unwrap_err().starts_with("pattern: "), "{pattern}");
        }
        assert!(parse(&"(".repeat(40), &any).unwrap_err().contains("at most 32"));
    }
}
