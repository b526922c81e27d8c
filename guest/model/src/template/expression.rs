//! Expressions, by precedence: `if else`, `or`, `and`, `not`, comparisons, `~`, sums, products, filters, calls.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::lex::{Token, Tokens};
use super::value::Value;
use super::{TemplateError, error, filter};

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Constant(Value),
    Name(String),
    List(Vec<Expression>),
    /// `then if condition else otherwise`.
    Choice(Box<[Expression; 3]>),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    Two(&'static str, Box<[Expression; 2]>),
    Index(Box<[Expression; 2]>),
    Slice(Box<Expression>, [Option<Box<Expression>>; 2]),
    Filter(Box<Expression>, String, Vec<Expression>),
    /// Value, test, and whether it is negated.
    Test(Box<Expression>, String, bool),
    /// A method of a value.
    Method(Box<Expression>, String, Vec<Expression>),
    /// A function with positional and named arguments.
    Call(String, Vec<Expression>, Vec<(String, Expression)>),
}

type Parsed = Result<Expression, TemplateError>;

/// Levels of operators of two sides, loosest first.
const LEVELS: [&[&str]; 3] = [&["~"], &["+", "-"], &["*", "/", "//", "%"]];
const COMPARISONS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];

/// The next expression.
pub(super) fn expression(tokens: &mut Tokens) -> Parsed {
    let then = any(tokens)?;
    // A `for` has an `if` of its own; only one with `else` is a choice.
    let has_else = tokens.rest.iter().any(|token| *token == Token::Name("else".into()));
    if !has_else || !takes_name(tokens, "if") {
        return Ok(then);
    }
    let condition = any(tokens)?;
    if !takes_name(tokens, "else") {
        return Err(error(tokens.line, "\"else\" is missing"));
    }
    Ok(Expression::Choice(Box::new([then, condition, expression(tokens)?])))
}

fn any(tokens: &mut Tokens) -> Parsed {
    let mut left = all(tokens)?;
    while takes_name(tokens, "or") {
        left = Expression::Two("or", Box::new([left, all(tokens)?]));
    }
    Ok(left)
}

fn all(tokens: &mut Tokens) -> Parsed {
    let mut left = not(tokens)?;
    while takes_name(tokens, "and") {
        left = Expression::Two("and", Box::new([left, not(tokens)?]));
    }
    Ok(left)
}

fn not(tokens: &mut Tokens) -> Parsed {
    if takes_name(tokens, "not") {
        return Ok(Expression::Not(Box::new(not(tokens)?)));
    }
    let mut left = level(tokens, 0)?;
    loop {
        if let Some(mark) = COMPARISONS.into_iter().find(|mark| takes(tokens, mark)) {
            left = Expression::Two(mark, Box::new([left, level(tokens, 0)?]));
        } else if takes_name(tokens, "in") {
            left = Expression::Two("in", Box::new([left, level(tokens, 0)?]));
        } else if is_not_in(tokens) {
            left = Expression::Not(Box::new(Expression::Two("in", Box::new([left, level(tokens, 0)?]))));
        } else if takes_name(tokens, "is") {
            left = test(tokens, left)?;
        } else {
            return Ok(left);
        }
    }
}

fn is_not_in(tokens: &mut Tokens) -> bool {
    let is_next = matches!(tokens.rest.as_slice(), [.., Token::Name(second), Token::Name(first)] if first == "not" && second == "in");
    if is_next {
        tokens.rest.truncate(tokens.rest.len() - 2);
    }
    is_next
}

fn test(tokens: &mut Tokens, value: Expression) -> Parsed {
    let is_negated = takes_name(tokens, "not");
    let name = name(tokens)?;
    if !filter::TESTS.contains(&name.as_str()) {
        return Err(error(tokens.line, format!("test {name:?} is not known")));
    }
    Ok(Expression::Test(Box::new(value), name, is_negated))
}

fn level(tokens: &mut Tokens, at: usize) -> Parsed {
    let Some(marks) = LEVELS.get(at) else { return unary(tokens) };
    let mut left = level(tokens, at + 1)?;
    while let Some(mark) = marks.iter().find(|mark| takes(tokens, mark)) {
        left = Expression::Two(mark, Box::new([left, level(tokens, at + 1)?]));
    }
    Ok(left)
}

fn unary(tokens: &mut Tokens) -> Parsed {
    if takes(tokens, "-") {
        return Ok(Expression::Negative(Box::new(unary(tokens)?)));
    }
    let mut value = primary(tokens)?;
    loop {
        if takes(tokens, ".") {
            let name = name(tokens)?;
            value = if takes(tokens, "(") { method(tokens, value, name)? } else { field(value, &name) };
        } else if takes(tokens, "[") {
            value = index(tokens, value)?;
        } else if takes(tokens, "|") {
            value = filtered(tokens, value)?;
        } else {
            return Ok(value);
        }
    }
}

fn field(value: Expression, name: &str) -> Expression {
    Expression::Index(Box::new([value, Expression::Constant(Value::text(name))]))
}

fn method(tokens: &mut Tokens, value: Expression, name: String) -> Parsed {
    if !filter::METHODS.contains(&name.as_str()) {
        return Err(error(tokens.line, format!("method {name:?} is not known")));
    }
    Ok(Expression::Method(Box::new(value), name, positional(tokens)?))
}

fn filtered(tokens: &mut Tokens, value: Expression) -> Parsed {
    let name = name(tokens)?;
    if !filter::FILTERS.contains(&name.as_str()) {
        return Err(error(tokens.line, format!("filter {name:?} is not known")));
    }
    let arguments = if takes(tokens, "(") { positional(tokens)? } else { Vec::new() };
    Ok(Expression::Filter(Box::new(value), name, arguments))
}

fn index(tokens: &mut Tokens, value: Expression) -> Parsed {
    let bound = |tokens: &mut Tokens| match tokens.rest.last() {
        Some(Token::Mark(":" | "]")) => Ok(None),
        _ => expression(tokens).map(|bound| Some(Box::new(bound))),
    };
    let first = bound(tokens)?;
    if takes(tokens, ":") {
        let second = bound(tokens)?;
        close(tokens, "]")?;
        return Ok(Expression::Slice(Box::new(value), [first, second]));
    }
    close(tokens, "]")?;
    let key = first.ok_or_else(|| error(tokens.line, "an index is missing"))?;
    Ok(Expression::Index(Box::new([value, *key])))
}

fn primary(tokens: &mut Tokens) -> Parsed {
    match tokens.rest.pop() {
        Some(Token::Text(text)) => Ok(Expression::Constant(Value::text(&text))),
        Some(Token::Int(value)) => Ok(Expression::Constant(Value::Int(value))),
        Some(Token::Name(name)) => named(tokens, name),
        Some(Token::Mark("(")) => {
            let inner = expression(tokens)?;
            close(tokens, ")")?;
            Ok(inner)
        }
        Some(Token::Mark("[")) => list(tokens),
        Some(token) => Err(error(tokens.line, format!("{token:?} is not expected here"))),
        None => Err(error(tokens.line, "an expression is missing")),
    }
}

fn named(tokens: &mut Tokens, name: String) -> Parsed {
    let constant = match name.as_str() {
        "true" | "True" => Some(Value::Bool(true)),
        "false" | "False" => Some(Value::Bool(false)),
        "none" | "None" => Some(Value::None),
        _ => None,
    };
    if let Some(constant) = constant {
        return Ok(Expression::Constant(constant));
    }
    if !takes(tokens, "(") {
        return Ok(Expression::Name(name));
    }
    if !filter::FUNCTIONS.contains(&name.as_str()) {
        return Err(error(tokens.line, format!("function {name:?} is not known")));
    }
    let (mut positional, mut by_name) = (Vec::new(), Vec::new());
    while !takes(tokens, ")") {
        match tokens.rest.as_slice() {
            [.., Token::Mark("="), Token::Name(_)] => {
                let key = self::name(tokens)?;
                tokens.rest.pop();
                by_name.push((key, expression(tokens)?));
            }
            _ => positional.push(expression(tokens)?),
        }
        separated(tokens, ")")?;
    }
    Ok(Expression::Call(name, positional, by_name))
}

fn list(tokens: &mut Tokens) -> Parsed {
    let mut items = Vec::new();
    while !takes(tokens, "]") {
        items.push(expression(tokens)?);
        separated(tokens, "]")?;
    }
    Ok(Expression::List(items))
}

fn positional(tokens: &mut Tokens) -> Result<Vec<Expression>, TemplateError> {
    let mut items = Vec::new();
    while !takes(tokens, ")") {
        items.push(expression(tokens)?);
        separated(tokens, ")")?;
    }
    Ok(items)
}

/// A comma, or the closing bracket, which stays.
fn separated(tokens: &mut Tokens, end: &'static str) -> Result<(), TemplateError> {
    let is_end = tokens.rest.last() == Some(&Token::Mark(end));
    if is_end || takes(tokens, ",") { Ok(()) } else { Err(error(tokens.line, format!("{end:?} is missing"))) }
}

fn close(tokens: &mut Tokens, mark: &'static str) -> Result<(), TemplateError> {
    if takes(tokens, mark) { Ok(()) } else { Err(error(tokens.line, format!("{mark:?} is missing"))) }
}

fn name(tokens: &mut Tokens) -> Result<String, TemplateError> {
    match tokens.rest.pop() {
        Some(Token::Name(name)) => Ok(name),
        _ => Err(error(tokens.line, "a name is missing")),
    }
}

fn takes(tokens: &mut Tokens, mark: &str) -> bool {
    let is_next = matches!(tokens.rest.last(), Some(Token::Mark(found)) if *found == mark);
    if is_next {
        tokens.rest.pop();
    }
    is_next
}

fn takes_name(tokens: &mut Tokens, name: &str) -> bool {
    let is_next = matches!(tokens.rest.last(), Some(Token::Name(found)) if found == name);
    if is_next {
        tokens.rest.pop();
    }
    is_next
}
