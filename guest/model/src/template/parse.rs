//! Statements: pieces into nodes.

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use super::expression::{Expression, expression};
use super::lex::{Piece, Token, Tokens};
use super::{TemplateError, error};

/// Deepest nesting of statements.
const DEPTH_MAX: usize = 32;

/// A part of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Text(String),
    Output(usize, Expression),
    If { line: usize, branches: Vec<(Expression, Vec<Node>)>, otherwise: Vec<Node> },
    For(For),
    Set { line: usize, name: String, field: Option<String>, value: Expression },
}

/// `for name in items if filter`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct For {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) items: Expression,
    pub(super) filter: Option<Expression>,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// Pieces, the next one last.
struct Parser {
    pieces: Vec<Piece>,
    depth: usize,
}

/// The nodes of a whole template.
pub(super) fn template(mut pieces: Vec<Piece>) -> Result<Vec<Node>, TemplateError> {
    pieces.reverse();
    let mut parser = Parser { pieces, depth: 0 };
    let (nodes, end) = parser.nodes(&[])?;
    match end {
        None => Ok(nodes),
        Some((line, name, _)) => Err(error(line, format!("{name:?} stands alone"))),
    }
}

type End = Option<(usize, String, Tokens)>;

impl Parser {
    /// Nodes up to one of the statements `ends`, which is taken too.
    fn nodes(&mut self, ends: &[&str]) -> Result<(Vec<Node>, End), TemplateError> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.pop() {
            match piece {
                Piece::Text(text) => nodes.push(Node::Text(text)),
                Piece::Output(mut tokens) => {
                    let line = tokens.line;
                    nodes.push(Node::Output(line, whole(&mut tokens)?));
                }
                Piece::Statement(mut tokens) => {
                    let (line, name) = (tokens.line, keyword(&mut tokens)?);
                    if ends.contains(&name.as_str()) {
                        return Ok((nodes, Some((line, name, tokens))));
                    }
                    nodes.push(self.statement(line, &name, tokens)?);
                }
            }
        }
        Ok((nodes, None))
    }

    fn statement(&mut self, line: usize, name: &str, tokens: Tokens) -> Result<Node, TemplateError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(error(line, "statements nest too deep"));
        }
        let node = match name {
            "if" => self.branches(line, tokens),
            "for" => self.for_loop(line, tokens),
            "set" => set(line, tokens),
            _ => Err(error(line, format!("statement {name:?} is not known"))),
        };
        self.depth -= 1;
        node
    }

    fn branches(&mut self, line: usize, mut tokens: Tokens) -> Result<Node, TemplateError> {
        let (mut branches, mut otherwise) = (Vec::new(), Vec::new());
        let mut condition = Some(whole(&mut tokens)?);
        loop {
            let ends: &[&str] = if condition.is_some() { &["elif", "else", "endif"] } else { &["endif"] };
            let (nodes, end) = self.nodes(ends)?;
            match condition.take() {
                Some(condition) => branches.push((condition, nodes)),
                None => otherwise = nodes,
            }
            match end.ok_or_else(|| error(line, "\"if\" has no \"endif\""))? {
                (_, name, mut tokens) if name == "elif" => condition = Some(whole(&mut tokens)?),
                (_, name, _) if name == "else" => {}
                _ => return Ok(Node::If { line, branches, otherwise }),
            }
        }
    }

    fn for_loop(&mut self, line: usize, mut tokens: Tokens) -> Result<Node, TemplateError> {
        let name = keyword(&mut tokens)?;
        if keyword(&mut tokens)? != "in" {
            return Err(error(line, "\"for\" takes one name and \"in\""));
        }
        let items = expression(&mut tokens)?;
        let has_filter = tokens.rest.last() == Some(&Token::Name("if".into()));
        let filter = if has_filter {
            tokens.rest.pop();
            Some(whole(&mut tokens)?)
        } else {
            None
        };
        finish(&tokens)?;
        let (body, mut end) = self.nodes(&["else", "endfor"])?;
        let mut otherwise = vec![];
        if end.as_ref().is_some_and(|(_, name, _)| name == "else") {
            (otherwise, end) = self.nodes(&["endfor"])?;
        }
        end.ok_or_else(|| error(line, "\"for\" has no \"endfor\""))?;
        Ok(Node::For(For { line, name, items, filter, body, otherwise }))
    }
}

fn set(line: usize, mut tokens: Tokens) -> Result<Node, TemplateError> {
    let name = keyword(&mut tokens)?;
    let field = if tokens.rest.last() == Some(&Token::Mark(".")) {
        tokens.rest.pop();
        Some(keyword(&mut tokens)?)
    } else {
        None
    };
    if tokens.rest.pop() != Some(Token::Mark("=")) {
        return Err(error(line, "\"set\" of a block is not known, expected \"=\""));
    }
    Ok(Node::Set { line, name, field, value: whole(&mut tokens)? })
}

fn keyword(tokens: &mut Tokens) -> Result<String, TemplateError> {
    match tokens.rest.pop() {
        Some(Token::Name(name)) => Ok(name),
        _ => Err(error(tokens.line, "a name is missing")),
    }
}

/// An expression that takes all tokens.
fn whole(tokens: &mut Tokens) -> Result<Expression, TemplateError> {
    let expression = expression(tokens)?;
    finish(tokens)?;
    Ok(expression)
}

fn finish(tokens: &Tokens) -> Result<(), TemplateError> {
    match tokens.rest.last() {
        None => Ok(()),
        Some(token) => Err(error(tokens.line, format!("{token:?} is not expected here"))),
    }
}
