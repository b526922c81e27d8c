//! Rendering: nodes into text, within the meter.

mod call;
pub(super) mod date;
mod expression;
mod filter;
pub(super) mod format;
mod given;
mod join;
mod method;
mod operator;
mod select;
mod statement;
mod test;

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use super::known::Function;
use super::meter::Meter;
use super::syntax::Node;
use super::value::{Kind, Map, Text, Value, Written};
use super::{Fault, Limit, TemplateError};

/// Deepest nesting of nodes, expressions and calls while rendering.
const DEPTH_MAX: usize = 300;
/// Longest output in bytes.
const OUTPUT_MAX: usize = 8 << 20;

type Done<T> = Result<T, Fault>;

/// Names and their values, in order of their setting.
#[derive(Debug)]
pub(super) struct Scope {
    names: RefCell<Vec<(Rc<str>, Value)>>,
    parent: Option<Rc<Scope>>,
}

impl Scope {
    fn inside(parent: Option<Rc<Self>>) -> Rc<Self> {
        Rc::new(Self { names: RefCell::new(Vec::new()), parent })
    }

    fn set(&self, name: &Rc<str>, value: Value) {
        let mut names = self.names.borrow_mut();
        match names.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => names.push((name.clone(), value)),
        }
    }

    fn find(&self, name: &str) -> Option<Value> {
        let names = self.names.borrow();
        if let Some((_, value)) = names.iter().find(|(known, _)| &**known == name) {
            return Some(value.clone());
        }
        self.parent.as_ref()?.find(name)
    }
}

/// What a body ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

struct Renderer {
    meter: Meter,
    scope: Rc<Scope>,
    namespaces: Vec<Map>,
    out: Written,
    depth: usize,
    line: usize,
    now_s: Option<i64>,
}

/// Renders a template with these variables.
///
/// # Errors
/// What it raised or could not use, with its line.
pub(super) fn render(
    body: &[Node],
    variables: Vec<(Rc<str>, Value)>,
    now_s: Option<i64>,
) -> Result<Written, TemplateError> {
    let scope = Scope { names: RefCell::new(variables), parent: None };
    let mut renderer = Renderer {
        meter: Meter::new(),
        scope: Rc::new(scope),
        namespaces: Vec::new(),
        out: Written::default(),
        depth: 0,
        line: 1,
        now_s,
    };
    match renderer.nodes(body) {
        Ok(_) => Ok(renderer.out),
        Err(fault) => Err(TemplateError { line: renderer.line, fault }),
    }
}

impl Renderer {
    /// Prints text that stands in the template.
    fn print_own(&mut self, text: &str) -> Done<()> {
        self.meter.bytes(text.len())?;
        self.out.push(text, true);
        self.check_output()
    }

    fn print(&mut self, text: &Text) -> Done<()> {
        self.meter.text(text)?;
        self.out.push_text(text);
        self.check_output()
    }

    fn check_output(&self) -> Done<()> {
        if self.out.len() > OUTPUT_MAX { Err(Fault::Limit { limit: Limit::Output }) } else { Ok(()) }
    }

    fn show(&self, value: &Value) -> Done<Text> {
        if let Some(text) = value.as_text() {
            return Ok(text.clone());
        }
        let mut out = self.meter.writer();
        value.show(&mut out)?;
        Ok(out.text())
    }

    fn lookup(&self, name: &str) -> Value {
        self.scope.find(name).unwrap_or_else(|| match Function::named(name) {
            Some(Function::StrftimeNow) if self.now_s.is_none() => Value::Undefined,
            Some(function) => Value::object(Kind::Function(function)),
            None => Value::Undefined,
        })
    }

    /// Runs `run` one level deeper.
    fn deeper<T>(&mut self, run: impl FnOnce(&mut Self) -> Done<T>) -> Done<T> {
        self.meter.steps(1)?;
        if self.depth >= DEPTH_MAX {
            return Err(Fault::Limit { limit: Limit::Depth });
        }
        self.depth += 1;
        let done = run(self);
        self.depth -= 1;
        done
    }

    /// Runs `run` in a scope inside `parent`.
    fn scoped<T>(&mut self, parent: Rc<Scope>, run: impl FnOnce(&mut Self) -> Done<T>) -> Done<T> {
        let outer = core::mem::replace(&mut self.scope, Scope::inside(Some(parent)));
        let done = run(self);
        self.scope = outer;
        done
    }

    /// What `run` prints.
    fn captured(&mut self, run: impl FnOnce(&mut Self) -> Done<Flow>) -> Done<Value> {
        let outer = core::mem::take(&mut self.out);
        let done = run(self);
        let inner = core::mem::replace(&mut self.out, outer);
        done.map(|_| Value::Text(inner.done()))
    }
}
