//! Rendering: nodes into text, bounded in steps and output.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::expression::Expression;
use super::parse::{For, Node};
use super::value::Value;
use super::{TemplateError, error, filter};

/// Most nodes and expressions of one rendering.
const STEPS_MAX: usize = 1 << 20;
/// Longest output in bytes.
const OUTPUT_MAX: usize = 8 << 20;

type Done<T> = Result<T, TemplateError>;

/// Renders a template.
pub(super) fn render<const N: usize>(body: &[Node], variables: [(&str, Value); N]) -> Done<String> {
    let names = variables.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    let mut renderer = Renderer { names, out: String::new(), steps: 0, line: 0 };
    renderer.nodes(body)?;
    Ok(renderer.out)
}

/// Names in order of their setting; the last of a name counts. A loop's own names end with its turn.
struct Renderer {
    names: Vec<(String, Value)>,
    out: String,
    steps: usize,
    line: usize,
}

impl Renderer {
    fn nodes(&mut self, nodes: &[Node]) -> Done<()> {
        nodes.iter().try_for_each(|node| self.node(node))
    }

    fn node(&mut self, node: &Node) -> Done<()> {
        self.step()?;
        match node {
            Node::Text(text) => self.print(text),
            Node::Output(line, value) => {
                self.line = *line;
                let text = self.value(value)?.show();
                self.print(&text)
            }
            Node::If { line, branches, otherwise } => {
                for (condition, nodes) in branches {
                    self.line = *line;
                    if self.value(condition)?.is_true() {
                        return self.nodes(nodes);
                    }
                }
                self.nodes(otherwise)
            }
            Node::For(node) => self.for_loop(node),
            Node::Set { line, name, field, value } => {
                self.line = *line;
                let value = self.value(value)?;
                self.set(name, field.as_deref(), value)
            }
        }
    }

    fn print(&mut self, text: &str) -> Done<()> {
        self.out.push_str(text);
        if self.out.len() > OUTPUT_MAX { Err(self.error("its output is too long")) } else { Ok(()) }
    }

    fn set(&mut self, name: &str, field: Option<&str>, value: Value) -> Done<()> {
        match (field, self.lookup(name)) {
            (None, _) => self.names.push((name.to_string(), value)),
            (Some(field), Value::Namespace(fields)) => {
                fields.borrow_mut().insert(field.to_string(), value);
            }
            (Some(_), _) => return Err(self.error(format!("{name:?} is no namespace"))),
        }
        Ok(())
    }

    fn for_loop(&mut self, node: &For) -> Done<()> {
        self.line = node.line;
        let items =
            self.value(&node.items)?.items().ok_or_else(|| self.error("\"for\" goes through no list"))?;
        let depth = self.names.len();
        let mut kept = Vec::new();
        for item in items {
            self.names.push((node.name.clone(), item.clone()));
            let is_kept =
                node.filter.as_ref().map_or(Ok(Value::Bool(true)), |filter| self.value(filter))?.is_true();
            self.names.truncate(depth);
            kept.extend(is_kept.then_some(item));
        }
        let count = kept.len();
        for (at, item) in kept.iter().enumerate() {
            self.names.push((node.name.clone(), item.clone()));
            self.names.push(("loop".to_string(), position(at, count, &kept)));
            self.nodes(&node.body)?;
            self.names.truncate(depth);
        }
        if count == 0 { self.nodes(&node.otherwise) } else { Ok(()) }
    }

    fn lookup(&self, name: &str) -> Value {
        let found = self.names.iter().rev().find(|(known, _)| known == name);
        found.map_or(Value::Undefined, |(_, value)| value.clone())
    }

    fn value(&mut self, expression: &Expression) -> Done<Value> {
        self.step()?;
        match expression {
            Expression::Constant(value) => Ok(value.clone()),
            Expression::Name(name) => Ok(self.lookup(name)),
            Expression::List(items) => Ok(Value::list(self.values(items)?)),
            Expression::Choice(parts) => {
                let [then, condition, otherwise] = &**parts;
                let chosen = if self.value(condition)?.is_true() { then } else { otherwise };
                self.value(chosen)
            }
            Expression::Not(value) => Ok(Value::Bool(!self.value(value)?.is_true())),
            Expression::Negative(value) => match self.value(value)? {
                Value::Int(value) => Ok(Value::Int(value.saturating_neg())),
                _ => Err(self.error("\"-\" of something that is no number")),
            },
            Expression::Two(mark, sides) => self.two(mark, &sides[0], &sides[1]),
            Expression::Index(parts) => Ok(self.value(&parts[0])?.get(&self.value(&parts[1])?)),
            Expression::Slice(value, [from, to]) => {
                let value = self.value(value)?;
                Ok(value.slice(self.bound(from.as_deref())?, self.bound(to.as_deref())?))
            }
            Expression::Test(value, name, is_negated) => {
                Ok(Value::Bool(filter::test(name, &self.value(value)?) != *is_negated))
            }
            Expression::Filter(value, name, arguments) => {
                let (value, arguments) = (self.value(value)?, self.values(arguments)?);
                filter::filter(name, &value, &arguments)
                    .ok_or_else(|| self.error(format!("{name:?} does not suit its value")))
            }
            Expression::Method(value, name, arguments) => {
                let (value, arguments) = (self.value(value)?, self.values(arguments)?);
                filter::method(name, &value, &arguments)
                    .ok_or_else(|| self.error(format!("{name:?} does not suit its value")))
            }
            Expression::Call(name, positional, by_name) => self.call(name, positional, by_name),
        }
    }

    fn values(&mut self, expressions: &[Expression]) -> Done<Vec<Value>> {
        expressions.iter().map(|expression| self.value(expression)).collect()
    }

    fn bound(&mut self, bound: Option<&Expression>) -> Done<Option<i64>> {
        match bound.map(|bound| self.value(bound)).transpose()? {
            None => Ok(None),
            Some(Value::Int(value)) => Ok(Some(value)),
            Some(_) => Err(self.error("a slice's bound is no number")),
        }
    }

    fn two(&mut self, mark: &str, left: &Expression, right: &Expression) -> Done<Value> {
        let left = self.value(left)?;
        match mark {
            "and" => return if left.is_true() { self.value(right) } else { Ok(left) },
            "or" => return if left.is_true() { Ok(left) } else { self.value(right) },
            _ => {}
        }
        let right = self.value(right)?;
        match (mark, &left, &right) {
            ("==", ..) => Ok(Value::Bool(left == right)),
            ("!=", ..) => Ok(Value::Bool(left != right)),
            ("in", ..) => Ok(Value::Bool(right.contains(&left))),
            ("~", ..) => Ok(Value::Text((left.show() + &right.show()).into())),
            ("+", Value::Text(left), Value::Text(right)) => Ok(Value::Text(format!("{left}{right}").into())),
            ("+", Value::List(left), Value::List(right)) => {
                Ok(Value::list([left.as_slice(), right].concat()))
            }
            (_, Value::Int(left), Value::Int(right)) => self.numbers(mark, *left, *right),
            _ => Err(self.error(format!("{mark:?} does not suit its values"))),
        }
    }

    fn numbers(&self, mark: &str, left: i64, right: i64) -> Done<Value> {
        let number = match mark {
            "<" => return Ok(Value::Bool(left < right)),
            ">" => return Ok(Value::Bool(left > right)),
            "<=" => return Ok(Value::Bool(left <= right)),
            ">=" => return Ok(Value::Bool(left >= right)),
            "+" => left.checked_add(right),
            "-" => left.checked_sub(right),
            "*" => left.checked_mul(right),
            "//" => left.checked_div_euclid(right),
            "%" => left.checked_rem_euclid(right),
            _ => None,
        };
        number.map(Value::Int).ok_or_else(|| self.error(format!("{mark:?} does not suit its numbers")))
    }

    fn call(
        &mut self,
        name: &str,
        positional: &[Expression],
        by_name: &[(String, Expression)],
    ) -> Done<Value> {
        let positional = self.values(positional)?;
        match (name, positional.as_slice()) {
            // What is raised may quote a message: it is content, and stays inside.
            ("raise_exception", _) => {
                Err(self.error("it refused these messages (roles must suit the model)"))
            }
            ("range", [Value::Int(end)]) => Ok(numbers(0, *end)),
            ("range", [Value::Int(start), Value::Int(end)]) => Ok(numbers(*start, *end)),
            ("namespace", []) => {
                let field = |(name, value): &(String, Expression)| Ok((name.clone(), self.value(value)?));
                Ok(filter::namespace(by_name.iter().map(field).collect::<Done<_>>()?))
            }
            _ => Err(self.error(format!("{name:?} does not take these arguments"))),
        }
    }

    fn step(&mut self) -> Done<()> {
        self.steps += 1;
        if self.steps > STEPS_MAX { Err(self.error("it does not come to an end")) } else { Ok(()) }
    }

    fn error(&self, what: impl Into<String>) -> TemplateError {
        error(self.line, what)
    }
}

fn numbers(start: i64, end: i64) -> Value {
    Value::list((start..end.min(start.saturating_add(10_000))).map(Value::Int).collect())
}

/// The `loop` of a turn.
fn position(at: usize, count: usize, items: &[Value]) -> Value {
    let int = |value: usize| Value::Int(i64::try_from(value).unwrap_or(i64::MAX));
    let item = |at: Option<usize>| at.and_then(|at| items.get(at)).cloned().unwrap_or(Value::Undefined);
    Value::map([
        ("index", int(at + 1)),
        ("index0", int(at)),
        ("first", Value::Bool(at == 0)),
        ("last", Value::Bool(at + 1 == count)),
        ("length", int(count)),
        ("previtem", item(at.checked_sub(1))),
        ("nextitem", item(at.checked_add(1))),
    ])
}
