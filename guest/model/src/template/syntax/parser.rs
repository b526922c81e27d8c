//! The parser's place in the tokens, and what it remembers for checks at the end.

use alloc::rc::Rc;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use alloc::{format, vec};

use super::super::known::Function;
use super::super::{Construct, Fault, TemplateError};
use super::lex::{Lexeme, Token, lexemes};
use super::tree::Node;

/// Deepest nesting of statements and expressions together.
const DEPTH_MAX: usize = 80;

pub(super) type Parsed<T> = Result<T, Fault>;

/// Lexemes, the next one last.
pub(super) struct Parser {
    rest: Vec<Lexeme>,
    pub(super) line: usize,
    depth: usize,
    /// Names that the template sets somewhere.
    pub(super) bound: Vec<Rc<str>>,
    /// Names that it calls, with their lines.
    pub(super) called: Vec<(usize, Rc<str>)>,
    pub(super) loops: usize,
}

/// The nodes of a whole template.
///
/// # Errors
/// What is not known or does not fit, with its line.
pub(in super::super) fn parse(source: &str) -> Result<Vec<Node>, TemplateError> {
    let mut rest = lexemes(source)?;
    rest.reverse();
    let mut parser = Parser { rest, line: 1, depth: 0, bound: vec![], called: vec![], loops: 0 };
    let nodes = parser.whole().map_err(|fault| TemplateError { line: parser.line, fault })?;
    parser.check_calls()?;
    Ok(nodes)
}

impl Parser {
    fn whole(&mut self) -> Parsed<Vec<Node>> {
        let (nodes, end) = self.nodes(&[])?;
        match end {
            None => Ok(nodes),
            Some(name) => Err(Fault::Unknown { kind: Construct::Statement, name }),
        }
    }

    /// A name that is called is a function that is known, or one that the template sets: a macro, or a parameter.
    fn check_calls(&self) -> Result<(), TemplateError> {
        let is_known = |name: &Rc<str>| Function::named(name).is_some() || self.bound.contains(name);
        match self.called.iter().find(|(_, name)| !is_known(name)) {
            None => Ok(()),
            Some((line, name)) => {
                let fault = Fault::Unknown { kind: Construct::Function, name: name.to_string() };
                Err(TemplateError { line: *line, fault })
            }
        }
    }

    /// Runs `parse` one level deeper.
    pub(super) fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault::Limit { limit: super::super::Limit::Depth });
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.rest.last().map(|lexeme| &lexeme.token)
    }

    pub(super) fn peek_second(&self) -> Option<&Token> {
        self.rest.iter().nth_back(1).map(|lexeme| &lexeme.token)
    }

    pub(super) fn next(&mut self) -> Option<Token> {
        let lexeme = self.rest.pop()?;
        self.line = lexeme.line;
        Some(lexeme.token)
    }

    /// Takes the next token if it is this one.
    pub(super) fn takes(&mut self, token: &Token) -> bool {
        let is_next = self.peek() == Some(token);
        if is_next {
            self.next();
        }
        is_next
    }

    pub(super) fn is_mark(&self, mark: &str) -> bool {
        matches!(self.peek(), Some(Token::Mark(found)) if *found == mark)
    }

    pub(super) fn takes_mark(&mut self, mark: &str) -> bool {
        let is_next = self.is_mark(mark);
        if is_next {
            self.next();
        }
        is_next
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(found)) if found == name)
    }

    pub(super) fn takes_name(&mut self, name: &str) -> bool {
        let is_next = self.is_name(name);
        if is_next {
            self.next();
        }
        is_next
    }

    pub(super) fn expect_mark(&mut self, mark: &'static str) -> Parsed<()> {
        if self.takes_mark(mark) { Ok(()) } else { Err(self.expected(mark)) }
    }

    pub(super) fn expect_name(&mut self, name: &'static str) -> Parsed<()> {
        if self.takes_name(name) { Ok(()) } else { Err(self.expected(name)) }
    }

    pub(super) fn name(&mut self) -> Parsed<String> {
        match self.peek() {
            Some(Token::Name(_)) => {}
            _ => return Err(self.expected("a name")),
        }
        match self.next() {
            Some(Token::Name(name)) => Ok(name),
            _ => Err(self.expected("a name")),
        }
    }

    /// A name that is set here.
    pub(super) fn bind(&mut self, name: &str) -> Rc<str> {
        if let Some(known) = self.bound.iter().find(|known| &***known == name) {
            return known.clone();
        }
        let name: Rc<str> = name.into();
        self.bound.push(name.clone());
        name
    }

    pub(super) fn expected(&mut self, expected: &'static str) -> Fault {
        let found = match self.next() {
            None => "the end".to_string(),
            Some(Token::Data(_)) => "text".to_string(),
            Some(Token::OutputBegin) => "\"{{\"".to_string(),
            Some(Token::OutputEnd) => "\"}}\"".to_string(),
            Some(Token::StatementBegin) => "\"{%\"".to_string(),
            Some(Token::StatementEnd) => "\"%}\"".to_string(),
            Some(Token::Name(name)) => format!("{name:?}"),
            Some(Token::Text(text)) => format!("{text:?}"),
            Some(Token::Int(value)) => value.to_string(),
            Some(Token::Float(value)) => value.to_string(),
            Some(Token::Mark(mark)) => format!("{mark:?}"),
        };
        Fault::Expected { expected, found }
    }
}
