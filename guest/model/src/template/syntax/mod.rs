//! From source to nodes.

mod expression;
mod known_calls;
pub(super) mod lex;
mod literal;
mod parser;
mod postfix;
mod statement;
mod tree;

pub(super) use parser::parse;
pub(super) use tree::{
    Action, Arguments, Comparison, Expression, For, MacroDefinition, Node, Operator, Step, Target,
};
