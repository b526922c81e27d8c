//! What follows a value: fields, items, slices, calls, filters and tests.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::ToString as _;
use alloc::vec;
use alloc::vec::Vec;

use super::super::known::{Filter, Test};
use super::super::value::Value;
use super::super::{Construct, Fault};
use super::known_calls;
use super::lex::Token;
use super::parser::{Parsed, Parser};
use super::tree::{Action, Arguments, Expression, Step};

impl Parser {
    /// `value` with fields, items and calls.
    pub(super) fn postfixed(&mut self, value: Expression) -> Parsed<Expression> {
        let mut steps = Vec::new();
        loop {
            if self.takes_mark(".") {
                steps.push(self.attribute()?);
            } else if self.takes_mark("[") {
                steps.push(self.subscript()?);
            } else if self.is_mark("(") {
                steps.push(self.call(&value, &steps)?);
            } else {
                return Ok(with_steps(value, steps));
            }
        }
    }

    /// `value` with filters and tests.
    pub(super) fn filtered(&mut self, value: Expression) -> Parsed<Expression> {
        let mut steps = Vec::new();
        loop {
            if self.takes_mark("|") {
                steps.push(self.filter()?);
            } else if self.takes_name("is") {
                steps.push(self.test()?);
            } else if self.is_mark("(") {
                steps.push(self.call(&value, &steps)?);
            } else {
                return Ok(with_steps(value, steps));
            }
        }
    }

    fn attribute(&mut self) -> Parsed<Step> {
        let line = self.line;
        let action = match self.peek() {
            Some(Token::Int(at)) => {
                let at = Expression::Constant(Value::Int(*at));
                self.next();
                Action::Item(at)
            }
            _ => Action::Attribute(self.name()?.as_str().into()),
        };
        Ok(Step { line, action })
    }

    fn subscript(&mut self) -> Parsed<Step> {
        let line = self.line;
        let first = self.bound()?;
        if !self.takes_mark(":") {
            let key = first.ok_or_else(|| self.expected("an index"))?;
            self.expect_mark("]")?;
            return Ok(Step { line, action: Action::Item(key) });
        }
        let second = self.bound()?;
        let third = if self.takes_mark(":") { self.bound()? } else { None };
        self.expect_mark("]")?;
        Ok(Step { line, action: Action::Slice(Box::new([first, second, third])) })
    }

    fn bound(&mut self) -> Parsed<Option<Expression>> {
        if self.is_mark(":") || self.is_mark("]") { Ok(None) } else { self.expression().map(Some) }
    }

    /// A call; a method or function that is called by name must be known.
    fn call(&mut self, value: &Expression, steps: &[Step]) -> Parsed<Step> {
        self.next();
        let line = self.line;
        known_calls::method(value, steps)?;
        if let (Expression::Name(name), []) = (value, steps) {
            self.called.push((line, name.clone()));
        }
        let arguments = self.arguments()?;
        if let (Expression::Name(name), []) = (value, steps) {
            known_calls::function(name, &arguments)?;
        }
        Ok(Step { line, action: Action::Call(arguments) })
    }

    /// A filter; its `|` was taken.
    pub(super) fn filter(&mut self) -> Parsed<Step> {
        let (name, line) = (self.name()?, self.line);
        let filter = Filter::named(&name).ok_or(Fault::Unknown { kind: Construct::Filter, name })?;
        let arguments = if self.takes_mark("(") { self.arguments()? } else { Arguments::default() };
        known_calls::filter(filter, &arguments)?;
        Ok(Step { line, action: Action::Filter(filter, arguments) })
    }

    fn test(&mut self) -> Parsed<Step> {
        let line = self.line;
        let is_negated = self.takes_name("not");
        let name = self.name()?;
        let test = Test::named(&name).ok_or(Fault::Unknown { kind: Construct::Test, name })?;
        let arguments = if self.takes_mark("(") { self.arguments()? } else { self.test_argument()? };
        Ok(Step { line, action: Action::Test { test, is_negated, arguments } })
    }

    /// A test may have one argument without brackets.
    fn test_argument(&mut self) -> Parsed<Arguments> {
        let has_argument = match self.peek() {
            Some(Token::Name(name)) => {
                !matches!(name.as_str(), "else" | "or" | "and" | "if" | "is" | "in" | "not")
            }
            Some(Token::Text(_) | Token::Int(_) | Token::Float(_) | Token::Mark("[" | "{")) => true,
            _ => false,
        };
        if !has_argument {
            return Ok(Arguments::default());
        }
        let value = self.deeper(Self::primary)?;
        let value = self.postfixed(value)?;
        Ok(Arguments { positional: vec![value], named: vec![] })
    }

    /// Arguments; the opening bracket was taken.
    fn arguments(&mut self) -> Parsed<Arguments> {
        let mut arguments = Arguments::default();
        let mut is_first = true;
        while !self.takes_mark(")") {
            if !core::mem::take(&mut is_first) {
                self.expect_mark(",")?;
                if self.takes_mark(")") {
                    break;
                }
            }
            self.argument(&mut arguments)?;
        }
        Ok(arguments)
    }

    fn argument(&mut self, arguments: &mut Arguments) -> Parsed<()> {
        if self.is_mark("*") || self.is_mark("**") {
            return Err(Fault::Unknown { kind: Construct::Syntax, name: "*arguments".to_string() });
        }
        let is_named =
            matches!((self.peek(), self.peek_second()), (Some(Token::Name(_)), Some(Token::Mark("="))));
        if is_named {
            let name: Rc<str> = self.name()?.as_str().into();
            self.next();
            arguments.named.push((name, self.expression()?));
        } else if arguments.named.is_empty() {
            arguments.positional.push(self.expression()?);
        } else {
            return Err(self.expected("a named argument"));
        }
        Ok(())
    }
}

fn with_steps(value: Expression, steps: Vec<Step>) -> Expression {
    if steps.is_empty() { value } else { Expression::Postfix(Box::new(value), steps) }
}
