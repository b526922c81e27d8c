//! The parsed template. What chains in a source is flat here, so that depth is bounded by nesting alone.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::known::{Filter, Test};
use super::super::value::Value;

/// A part of a template, with the line it starts on.
#[derive(Clone, Debug)]
pub(in super::super) enum Node {
    Text(String),
    Output(usize, Expression),
    If {
        branches: Vec<(usize, Expression, Vec<Node>)>,
        otherwise: Vec<Node>,
    },
    For(Box<For>),
    Set {
        line: usize,
        target: Target,
        value: Expression,
    },
    /// `{% set name %}…{% endset %}`, filtered.
    Capture {
        line: usize,
        target: Target,
        filters: Vec<Step>,
        body: Vec<Node>,
    },
    /// `{% filter … %}…{% endfilter %}`.
    Filtered {
        line: usize,
        filters: Vec<Step>,
        body: Vec<Node>,
    },
    Macro(usize, Rc<MacroDefinition>),
    /// `{% call(…) callee(…) %}…{% endcall %}`.
    CallBlock {
        line: usize,
        caller: Rc<MacroDefinition>,
        callee: Expression,
        arguments: Arguments,
    },
    /// `{% with name = value %}…{% endwith %}`, and a `generation` block, which only marks.
    With {
        line: usize,
        values: Vec<(Target, Expression)>,
        body: Vec<Node>,
    },
    Break,
    Continue,
}

/// `for target in items if filter`.
#[derive(Clone, Debug)]
pub(in super::super) struct For {
    pub(in super::super) line: usize,
    pub(in super::super) target: Target,
    pub(in super::super) items: Expression,
    pub(in super::super) filter: Option<Expression>,
    pub(in super::super) body: Vec<Node>,
    pub(in super::super) otherwise: Vec<Node>,
}

/// What a value is given to.
#[derive(Clone, Debug)]
pub(in super::super) enum Target {
    Name(Rc<str>),
    /// A field of a namespace.
    Field(Rc<str>, Rc<str>),
    Tuple(Vec<Target>),
}

/// A macro, or the body of a `call` block.
#[derive(Clone, Debug)]
pub(in super::super) struct MacroDefinition {
    pub(in super::super) name: Rc<str>,
    pub(in super::super) parameters: Vec<Parameter>,
    pub(in super::super) body: Vec<Node>,
}

/// A parameter with its default.
#[derive(Clone, Debug)]
pub(in super::super) struct Parameter {
    pub(in super::super) name: Rc<str>,
    pub(in super::super) default: Option<Expression>,
}

/// An expression.
#[derive(Clone, Debug)]
pub(in super::super) enum Expression {
    Constant(Value),
    Name(Rc<str>),
    List(Vec<Expression>),
    Tuple(Vec<Expression>),
    Map(Vec<(Expression, Expression)>),
    /// `then if condition else otherwise`.
    Choice(Box<[Expression; 2]>, Option<Box<Expression>>),
    Any(Vec<Expression>),
    All(Vec<Expression>),
    Not(Box<Expression>),
    Compare(Box<Expression>, Vec<(Comparison, Expression)>),
    /// `a ~ b ~ …`.
    Concatenation(Vec<Expression>),
    /// Operators of one level, from the left.
    Chain(Box<Expression>, Vec<(Operator, Expression)>),
    Negative(Box<Expression>),
    Positive(Box<Expression>),
    /// A value and what follows it.
    Postfix(Box<Expression>, Vec<Step>),
}

/// What follows a value, with its line.
#[derive(Clone, Debug)]
pub(in super::super) struct Step {
    pub(in super::super) line: usize,
    pub(in super::super) action: Action,
}

/// What is done with a value.
#[derive(Clone, Debug)]
pub(in super::super) enum Action {
    Attribute(Rc<str>),
    Item(Expression),
    Slice(Box<[Option<Expression>; 3]>),
    Call(Arguments),
    Filter(Filter, Arguments),
    Test { test: Test, is_negated: bool, arguments: Arguments },
}

/// Arguments of a call.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Arguments {
    pub(in super::super) positional: Vec<Expression>,
    pub(in super::super) named: Vec<(Rc<str>, Expression)>,
}

/// Operators of comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    NotIn,
}

/// Operators of numbers, texts and lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
}
