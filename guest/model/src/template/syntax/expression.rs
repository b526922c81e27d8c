//! Expressions, by jinja2's precedence: `if else`, `or`, `and`, `not`, comparisons, sums, `~`, products, powers, signs.
//!
//! Source: jinja2 3.1 `parser.py`, `parse_condexpr` and what follows it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::super::value::Value;
use super::super::{Construct, Fault};
use super::lex::Token;
use super::parser::{Parsed, Parser};
use super::tree::{Comparison, Expression, Operator};

type Parse = fn(&mut Parser) -> Parsed<Expression>;

const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::Unequal),
    ("<=", Comparison::LessEqual),
    (">=", Comparison::GreaterEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];
const SUMS: [(&str, Operator); 2] = [("+", Operator::Add), ("-", Operator::Subtract)];
const PRODUCTS: [(&str, Operator); 4] = [
    ("*", Operator::Multiply),
    ("/", Operator::Divide),
    ("//", Operator::FloorDivide),
    ("%", Operator::Modulo),
];
const POWERS: [(&str, Operator); 1] = [("**", Operator::Power)];

impl Parser {
    /// An expression, or several with commas between them.
    pub(super) fn tuple(&mut self) -> Parsed<Expression> {
        self.tuple_of(Self::expression)
    }

    /// What a `for` goes through: its `if` is a filter, not a choice.
    pub(super) fn tuple_without_choice(&mut self) -> Parsed<Expression> {
        self.tuple_of(|parser| parser.deeper(Self::any))
    }

    fn tuple_of(&mut self, parse: Parse) -> Parsed<Expression> {
        let first = parse(self)?;
        if !self.is_mark(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.takes_mark(",") {
            if self.is_tuple_end() {
                break;
            }
            items.push(parse(self)?);
        }
        Ok(Expression::Tuple(items))
    }

    fn is_tuple_end(&self) -> bool {
        let is_end = matches!(self.peek(), Some(Token::OutputEnd | Token::StatementEnd | Token::Mark(")")));
        is_end || self.is_name("if") || self.is_name("recursive")
    }

    pub(super) fn expression(&mut self) -> Parsed<Expression> {
        self.deeper(Self::choice)
    }

    fn choice(&mut self) -> Parsed<Expression> {
        let then = self.any()?;
        if !self.takes_name("if") {
            return Ok(then);
        }
        let condition = self.any()?;
        let otherwise = if self.takes_name("else") { Some(Box::new(self.expression()?)) } else { None };
        Ok(Expression::Choice(Box::new([then, condition]), otherwise))
    }

    fn any(&mut self) -> Parsed<Expression> {
        let mut parts = vec![self.all()?];
        while self.takes_name("or") {
            parts.push(self.all()?);
        }
        Ok(single(parts, Expression::Any))
    }

    fn all(&mut self) -> Parsed<Expression> {
        let mut parts = vec![self.not()?];
        while self.takes_name("and") {
            parts.push(self.not()?);
        }
        Ok(single(parts, Expression::All))
    }

    fn not(&mut self) -> Parsed<Expression> {
        if self.takes_name("not") {
            return Ok(Expression::Not(Box::new(self.deeper(Self::not)?)));
        }
        let first = self.sum()?;
        let mut rest = Vec::new();
        while let Some(comparison) = self.comparison() {
            rest.push((comparison, self.sum()?));
        }
        Ok(if rest.is_empty() { first } else { Expression::Compare(Box::new(first), rest) })
    }

    fn comparison(&mut self) -> Option<Comparison> {
        if let Some((_, comparison)) = COMPARISONS.into_iter().find(|(mark, _)| self.takes_mark(mark)) {
            return Some(comparison);
        }
        if self.takes_name("in") {
            return Some(Comparison::In);
        }
        let is_not_in =
            self.is_name("not") && matches!(self.peek_second(), Some(Token::Name(second)) if second == "in");
        is_not_in.then(|| {
            self.next();
            self.next();
            Comparison::NotIn
        })
    }

    fn sum(&mut self) -> Parsed<Expression> {
        self.chain(&SUMS, Self::concatenation)
    }

    fn concatenation(&mut self) -> Parsed<Expression> {
        let mut parts = vec![self.product()?];
        while self.takes_mark("~") {
            parts.push(self.product()?);
        }
        Ok(single(parts, Expression::Concatenation))
    }

    fn product(&mut self) -> Parsed<Expression> {
        self.chain(&PRODUCTS, Self::power)
    }

    fn power(&mut self) -> Parsed<Expression> {
        self.chain(&POWERS, Self::unary)
    }

    fn chain(&mut self, marks: &[(&str, Operator)], parse: Parse) -> Parsed<Expression> {
        let first = parse(self)?;
        let mut rest = Vec::new();
        while let Some(&(_, operator)) = marks.iter().find(|(mark, _)| self.takes_mark(mark)) {
            rest.push((operator, parse(self)?));
        }
        Ok(if rest.is_empty() { first } else { Expression::Chain(Box::new(first), rest) })
    }

    fn unary(&mut self) -> Parsed<Expression> {
        let value = self.signed()?;
        self.filtered(value)
    }

    fn signed(&mut self) -> Parsed<Expression> {
        let value = if self.takes_mark("-") {
            Expression::Negative(Box::new(self.deeper(Self::signed)?))
        } else if self.takes_mark("+") {
            Expression::Positive(Box::new(self.deeper(Self::signed)?))
        } else {
            self.primary()?
        };
        self.postfixed(value)
    }

    pub(super) fn primary(&mut self) -> Parsed<Expression> {
        match self.peek() {
            Some(
                Token::Name(_)
                | Token::Text(_)
                | Token::Int(_)
                | Token::Float(_)
                | Token::Mark("(" | "[" | "{"),
            ) => {}
            _ => return Err(self.expected("an expression")),
        }
        match self.next() {
            Some(Token::Text(text)) => Ok(self.texts(text)),
            Some(Token::Int(value)) => Ok(Expression::Constant(Value::Int(value))),
            Some(Token::Float(value)) => Ok(Expression::Constant(Value::Float(value))),
            Some(Token::Name(name)) => self.named(name),
            Some(Token::Mark("(")) => self.parenthesis(),
            Some(Token::Mark("[")) => Ok(Expression::List(self.items("]", Self::expression)?)),
            _ => Ok(Expression::Map(self.items("}", Self::field)?)),
        }
    }

    /// Texts that follow each other are one.
    fn texts(&mut self, mut text: String) -> Expression {
        while let Some(Token::Text(_)) = self.peek() {
            if let Some(Token::Text(more)) = self.next() {
                text.push_str(&more);
            }
        }
        Expression::Constant(Value::trusted(&text))
    }

    fn named(&self, name: String) -> Parsed<Expression> {
        match name.as_str() {
            "true" | "True" => Ok(Expression::Constant(Value::Bool(true))),
            "false" | "False" => Ok(Expression::Constant(Value::Bool(false))),
            "none" | "None" => Ok(Expression::Constant(Value::None)),
            "varargs" | "kwargs" | "self" => Err(Fault::Unknown { kind: Construct::Name, name }),
            name => Ok(Expression::Name(name.into())),
        }
    }

    fn parenthesis(&mut self) -> Parsed<Expression> {
        if self.takes_mark(")") {
            return Ok(Expression::Tuple(vec![]));
        }
        let inside = self.tuple()?;
        self.expect_mark(")")?;
        Ok(inside)
    }

    fn field(&mut self) -> Parsed<(Expression, Expression)> {
        let key = self.expression()?;
        self.expect_mark(":")?;
        Ok((key, self.expression()?))
    }

    /// Items with commas between them, up to `end`.
    fn items<T>(&mut self, end: &'static str, parse: fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = Vec::new();
        while !self.takes_mark(end) {
            if !items.is_empty() {
                self.expect_mark(",")?;
                if self.takes_mark(end) {
                    break;
                }
            }
            items.push(parse(self)?);
        }
        Ok(items)
    }
}

/// The only part, or `join` of them.
fn single(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            join(parts)
        }
    }
}
