//! Rules of GBNF, by recursive descent.

use alloc::borrow::ToOwned as _;
use alloc::vec;
use alloc::vec::Vec;
use hashbrown::HashMap;

use super::cursor::Cursor;
use crate::error::GrammarError;
use crate::expr::{CharSet, Expr, Rules};

/// Groups inside each other.
const MAX_DEPTH: usize = 64;
/// Most repeats that a count may ask for.
const MAX_REPEATS: u32 = 10_000;

/// Reads all rules.
pub(super) fn parse(text: &str) -> Result<Rules, GrammarError> {
    let mut parser = Parser {
        cursor: Cursor::new(text),
        rules: Rules::default(),
        known: HashMap::new(),
        uses: Vec::new(),
    };
    parser.cursor.skip_space(true);
    while parser.cursor.peek().is_some() {
        parser.rule()?;
    }
    parser.finish()
}

struct Parser<'text> {
    cursor: Cursor<'text>,
    rules: Rules,
    known: HashMap<&'text str, u32>,
    /// For each rule, whether it is defined, and where it was met first.
    uses: Vec<(bool, usize)>,
}

impl<'text> Parser<'text> {
    /// `name ::= choices` and the end of its line.
    fn rule(&mut self) -> Result<(), GrammarError> {
        let start = self.cursor.offset();
        let (name, rule) = self.name()?;
        self.cursor.skip_space(false);
        if !self.cursor.eat("::=") {
            return self.cursor.expected("::= after a rule's name");
        }
        self.cursor.skip_space(true);
        let body = self.choices(0)?;
        if !matches!(self.cursor.peek(), None | Some('\r' | '\n')) {
            return self.cursor.expected("a text, class, rule, group, repeat, | or the end of the line");
        }
        self.cursor.skip_space(true);
        if core::mem::replace(&mut self.uses[rule as usize].0, true) {
            return Err(GrammarError::TwiceDefined {
                name: name.to_owned(),
                line: self.cursor.place(start).0,
            });
        }
        self.rules.set(rule, body);
        Ok(())
    }

    /// A rule's name, and its number.
    fn name(&mut self) -> Result<(&'text str, u32), GrammarError> {
        let offset = self.cursor.offset();
        let name = self.cursor.take_while(is_name);
        if name.is_empty() {
            return self.cursor.expected("a rule's name");
        }
        if let Some(&rule) = self.known.get(name) {
            return Ok((name, rule));
        }
        let rule = self.rules.reserve(name.to_owned());
        self.known.insert(name, rule);
        self.uses.push((false, offset));
        Ok((name, rule))
    }

    /// Sequences with `|` between them.
    fn choices(&mut self, depth: usize) -> Result<Expr, GrammarError> {
        let mut choices = vec![self.sequence(depth)?];
        while self.cursor.eat("|") {
            self.cursor.skip_space(true);
            choices.push(self.sequence(depth)?);
        }
        Ok(if choices.len() == 1 { choices.remove(0) } else { Expr::Any(choices) })
    }

    fn sequence(&mut self, depth: usize) -> Result<Expr, GrammarError> {
        let mut parts = Vec::new();
        while let Some(mut part) = self.item(depth)? {
            while let Some((min, max)) = self.repeat(depth > 0)? {
                part = part.times(min, max);
                // Repeats of repeats nest like groups do.
                if expr_depth(&part) > MAX_DEPTH {
                    return self.cursor.expected("fewer repeats of one thing");
                }
            }
            parts.push(part);
        }
        Ok(Expr::Seq(parts))
    }

    /// A text, class, rule or group, and the space behind it.
    fn item(&mut self, depth: usize) -> Result<Option<Expr>, GrammarError> {
        let item = match self.cursor.peek() {
            Some('"') => self.text()?,
            Some('[') => self.class()?,
            Some('(') => self.group(depth)?,
            Some('.') => {
                self.cursor.next();
                Expr::Char(CharSet::new(Vec::new()).complement())
            }
            Some(other) if is_name(other) => Expr::Rule(self.name()?.1),
            _ => return Ok(None),
        };
        self.cursor.skip_space(depth > 0);
        Ok(Some(item))
    }

    fn text(&mut self) -> Result<Expr, GrammarError> {
        self.cursor.next();
        let mut bytes = Vec::new();
        while !self.cursor.eat("\"") {
            let Some(character) = self.cursor.character()?.and_then(char::from_u32) else {
                return self.cursor.expected("\" at the end of a text");
            };
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(Expr::Text(bytes))
    }

    fn class(&mut self) -> Result<Expr, GrammarError> {
        self.cursor.next();
        let is_negated = self.cursor.eat("^");
        let mut ranges = Vec::new();
        while !self.cursor.eat("]") {
            let from = self.class_character()?;
            let mut to = from;
            let minus = self.cursor.clone();
            if self.cursor.eat("-") {
                // A last minus stands for itself.
                if self.cursor.peek() == Some(']') {
                    self.cursor = minus.clone();
                } else {
                    to = self.class_character()?;
                }
            }
            if from > to {
                return minus.expected("a range from a lower to a higher character");
            }
            ranges.push((from, to));
        }
        let set = CharSet::new(ranges);
        Ok(Expr::Char(if is_negated { set.complement() } else { set }))
    }

    fn class_character(&mut self) -> Result<u32, GrammarError> {
        match self.cursor.character()? {
            Some(point) => Ok(point),
            None => self.cursor.expected("] at the end of a class"),
        }
    }

    fn group(&mut self, depth: usize) -> Result<Expr, GrammarError> {
        if depth >= MAX_DEPTH {
            return self.cursor.expected("fewer groups inside each other");
        }
        self.cursor.next();
        self.cursor.skip_space(true);
        let choices = self.choices(depth + 1)?;
        if !self.cursor.eat(")") {
            return self.cursor.expected(") at the end of a group");
        }
        Ok(choices)
    }

    /// `*`, `+`, `?` or counts in braces.
    fn repeat(&mut self, with_newlines: bool) -> Result<Option<(u32, Option<u32>)>, GrammarError> {
        let counts = match self.cursor.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => self.counts()?,
            _ => return Ok(None),
        };
        self.cursor.next();
        self.cursor.skip_space(with_newlines);
        Ok(Some(counts))
    }

    /// `{m}`, `{m,}` or `{m,n}`, up to the brace that closes it.
    fn counts(&mut self) -> Result<(u32, Option<u32>), GrammarError> {
        self.cursor.next();
        self.cursor.skip_space(false);
        let min = self.cursor.count()?;
        self.cursor.skip_space(false);
        let max = if self.cursor.eat(",") {
            self.cursor.skip_space(false);
            if self.cursor.peek() == Some('}') { None } else { Some(self.cursor.count()?) }
        } else {
            Some(min)
        };
        self.cursor.skip_space(false);
        if self.cursor.peek() != Some('}') {
            return self.cursor.expected("} at the end of a repeat");
        }
        if max.unwrap_or(min) < min || max.unwrap_or(min) > MAX_REPEATS {
            return self.cursor.expected("a repeat from fewer to more, at most 10000");
        }
        Ok((min, max))
    }

    fn finish(mut self) -> Result<Rules, GrammarError> {
        if let Some(at) = self.uses.iter().position(|(is_defined, _)| !is_defined) {
            let (line, column) = self.cursor.place(self.uses[at].1);
            return Err(GrammarError::UnknownRule { name: self.rules.names.remove(at), line, column });
        }
        self.rules.root = *self.known.get("root").ok_or(GrammarError::NoRoot)?;
        Ok(self.rules)
    }
}

fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '-' || character == '_'
}

/// Repeats around a thing.
fn expr_depth(expr: &Expr) -> usize {
    let (mut depth, mut inner) = (0, expr);
    while let Expr::Repeat(body, ..) = inner {
        (depth, inner) = (depth + 1, body);
    }
    depth
}
