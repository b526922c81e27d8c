//! Statements.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;

use super::super::{Construct, Fault};
use super::lex::Token;
use super::parser::{Parsed, Parser};
use super::tree::{Action, Expression, For, MacroDefinition, Node, Parameter, Step, Target};

/// Names that jinja2 gives a meaning inside macros, and that are not known here.
const MACRO_NAMES: [&str; 2] = ["varargs", "kwargs"];

impl Parser {
    /// Nodes up to one of the statements `ends`, whose name is taken too and given back.
    pub(super) fn nodes(&mut self, ends: &[&str]) -> Parsed<(Vec<Node>, Option<String>)> {
        let mut nodes = Vec::new();
        while let Some(token) = self.next() {
            match token {
                Token::Data(text) => nodes.push(Node::Text(text)),
                Token::OutputBegin => nodes.push(self.output()?),
                _ => {
                    let name = self.name()?;
                    if ends.contains(&name.as_str()) {
                        return Ok((nodes, Some(name)));
                    }
                    nodes.push(self.deeper(|parser| parser.statement(&name))?);
                }
            }
        }
        Ok((nodes, None))
    }

    fn output(&mut self) -> Parsed<Node> {
        let line = self.line;
        let value = self.tuple()?;
        if self.takes(&Token::OutputEnd) {
            Ok(Node::Output(line, value))
        } else {
            Err(self.expected("\"}}\""))
        }
    }

    fn statement(&mut self, name: &str) -> Parsed<Node> {
        match name {
            "if" => self.branches(),
            "for" => self.for_loop(),
            "set" => self.set(),
            "macro" => self.macro_definition(),
            "call" => self.call_block(),
            "filter" => self.filter_block(),
            "with" => self.with(),
            "generation" => self.generation(),
            "break" | "continue" => self.jump(name),
            _ => Err(Fault::Unknown { kind: Construct::Statement, name: name.to_string() }),
        }
    }

    fn end(&mut self) -> Parsed<()> {
        self.takes_mark(":");
        if self.takes(&Token::StatementEnd) { Ok(()) } else { Err(self.expected("\"%}\"")) }
    }

    /// The body of a statement, with the name of what ends it.
    fn body(&mut self, ends: &[&'static str]) -> Parsed<(Vec<Node>, String)> {
        self.end()?;
        match self.nodes(ends)? {
            (nodes, Some(name)) => Ok((nodes, name)),
            (_, None) => {
                Err(Fault::Expected { expected: ends.last().copied().unwrap_or(""), found: "the end".into() })
            }
        }
    }

    /// A body with one end, which is taken with its brace.
    fn only_body(&mut self, end: &'static str) -> Parsed<Vec<Node>> {
        let (nodes, _) = self.body(&[end])?;
        self.end()?;
        Ok(nodes)
    }

    fn branches(&mut self) -> Parsed<Node> {
        let mut branches = Vec::new();
        loop {
            let (line, condition) = (self.line, self.tuple()?);
            let (nodes, end) = self.body(&["elif", "else", "endif"])?;
            branches.push((line, condition, nodes));
            if end == "elif" {
                continue;
            }
            let otherwise = if end == "else" { self.body(&["endif"])?.0 } else { vec![] };
            self.end()?;
            return Ok(Node::If { branches, otherwise });
        }
    }

    fn for_loop(&mut self) -> Parsed<Node> {
        let line = self.line;
        let target = self.target()?;
        self.expect_name("in")?;
        let items = self.tuple_without_choice()?;
        let filter = if self.takes_name("if") { Some(self.expression()?) } else { None };
        if self.is_name("recursive") {
            return Err(Fault::Unknown { kind: Construct::Syntax, name: "for … recursive".into() });
        }
        self.loops += 1;
        let (body, end) = self.body(&["else", "endfor"])?;
        self.loops -= 1;
        let otherwise = if end == "else" { self.body(&["endfor"])?.0 } else { vec![] };
        self.end()?;
        Ok(Node::For(Box::new(For { line, target, items, filter, body, otherwise })))
    }

    fn jump(&mut self, name: &str) -> Parsed<Node> {
        if self.loops == 0 {
            return Err(Fault::Expected { expected: "a loop around it", found: name.to_string() });
        }
        self.end()?;
        Ok(if name == "break" { Node::Break } else { Node::Continue })
    }

    fn set(&mut self) -> Parsed<Node> {
        let line = self.line;
        let target = self.target()?;
        if self.takes_mark("=") {
            let value = self.tuple()?;
            self.end()?;
            return Ok(Node::Set { line, target, value });
        }
        let filters = self.filters()?;
        let body = self.only_body("endset")?;
        Ok(Node::Capture { line, target, filters, body })
    }

    /// Any number of `| filter`.
    fn filters(&mut self) -> Parsed<Vec<Step>> {
        let mut filters = Vec::new();
        while self.takes_mark("|") {
            filters.push(self.filter()?);
        }
        Ok(filters)
    }

    fn filter_block(&mut self) -> Parsed<Node> {
        let line = self.line;
        let mut filters = vec![self.filter()?];
        filters.extend(self.filters()?);
        let body = self.only_body("endfilter")?;
        Ok(Node::Filtered { line, filters, body })
    }

    fn generation(&mut self) -> Parsed<Node> {
        let line = self.line;
        let body = self.only_body("endgeneration")?;
        Ok(Node::With { line, values: vec![], body })
    }

    fn with(&mut self) -> Parsed<Node> {
        let line = self.line;
        let mut values = Vec::new();
        while self.peek() != Some(&Token::StatementEnd) {
            if !values.is_empty() {
                self.expect_mark(",")?;
            }
            let target = self.target()?;
            self.expect_mark("=")?;
            values.push((target, self.expression()?));
        }
        let body = self.only_body("endwith")?;
        Ok(Node::With { line, values, body })
    }

    fn macro_definition(&mut self) -> Parsed<Node> {
        let line = self.line;
        let name = self.name()?;
        let name = self.bind(&name);
        let parameters = self.parameters()?;
        let definition = self.definition(name, parameters, "endmacro")?;
        Ok(Node::Macro(line, definition))
    }

    fn definition(
        &mut self,
        name: Rc<str>,
        parameters: Vec<Parameter>,
        end: &'static str,
    ) -> Parsed<Rc<MacroDefinition>> {
        let loops = core::mem::take(&mut self.loops);
        self.bind("caller");
        let body = self.only_body(end)?;
        self.loops = loops;
        Ok(Rc::new(MacroDefinition { name, parameters, body }))
    }

    fn parameters(&mut self) -> Parsed<Vec<Parameter>> {
        self.expect_mark("(")?;
        let mut parameters: Vec<Parameter> = Vec::new();
        while !self.takes_mark(")") {
            if !parameters.is_empty() {
                self.expect_mark(",")?;
            }
            let name = self.name()?;
            let name = self.bind(&name);
            let default = if self.takes_mark("=") { Some(self.expression()?) } else { None };
            if default.is_none() && parameters.last().is_some_and(|last| last.default.is_some()) {
                return Err(Fault::Expected { expected: "a default", found: name.to_string() });
            }
            parameters.push(Parameter { name, default });
        }
        Ok(parameters)
    }

    fn call_block(&mut self) -> Parsed<Node> {
        let line = self.line;
        let parameters = if self.is_mark("(") { self.parameters()? } else { vec![] };
        let Expression::Postfix(callee, mut steps) = self.expression()? else {
            return Err(self.expected("a call"));
        };
        let Some(Step { action: Action::Call(arguments), .. }) = steps.pop() else {
            return Err(self.expected("a call"));
        };
        let callee = if steps.is_empty() { *callee } else { Expression::Postfix(callee, steps) };
        let caller = self.definition("caller".into(), parameters, "endcall")?;
        Ok(Node::CallBlock { line, caller, callee, arguments })
    }

    /// A name, a field of a namespace, or several in a tuple.
    fn target(&mut self) -> Parsed<Target> {
        let first = self.one_target()?;
        if !self.is_mark(",") {
            return Ok(first);
        }
        let mut targets = vec![first];
        while self.takes_mark(",") {
            if self.is_name("in") || self.is_mark("=") || self.is_mark(")") {
                break;
            }
            targets.push(self.one_target()?);
        }
        Ok(Target::Tuple(targets))
    }

    fn one_target(&mut self) -> Parsed<Target> {
        if self.takes_mark("(") {
            let target = self.deeper(Self::target)?;
            self.expect_mark(")")?;
            return Ok(target);
        }
        let name = self.name()?;
        if MACRO_NAMES.contains(&name.as_str()) {
            return Err(Fault::Unknown { kind: Construct::Name, name });
        }
        if self.takes_mark(".") {
            let field = self.name()?;
            return Ok(Target::Field(name.as_str().into(), field.as_str().into()));
        }
        Ok(Target::Name(self.bind(&name)))
    }
}
