//! Expressions.

use alloc::vec::Vec;

use super::super::Fault;
use super::super::known::Method;
use super::super::syntax::{Action, Comparison, Expression, Step};
use super::super::value::{Key, Kind, Sequence, Value};
use super::{Done, Renderer, operator};

impl Renderer {
    pub(super) fn value(&mut self, expression: &Expression) -> Done<Value> {
        match expression {
            Expression::Constant(value) => Ok(value.clone()),
            Expression::Name(name) => {
                self.meter.steps(1)?;
                Ok(self.lookup(name))
            }
            _ => self.deeper(|renderer| renderer.compound(expression)),
        }
    }

    fn compound(&mut self, expression: &Expression) -> Done<Value> {
        match expression {
            Expression::Constant(_) | Expression::Name(_) => self.value(expression),
            Expression::List(items) => self.sequence(Sequence::List, items),
            Expression::Tuple(items) => self.sequence(Sequence::Tuple, items),
            Expression::Map(fields) => self.map(fields),
            Expression::Choice(parts, otherwise) => self.choice(parts, otherwise.as_deref()),
            Expression::Any(parts) => self.first_that_is(true, parts),
            Expression::All(parts) => self.first_that_is(false, parts),
            Expression::Not(value) => Ok(Value::Bool(!self.value(value)?.is_true())),
            Expression::Compare(first, rest) => self.compare(first, rest),
            Expression::Concatenation(parts) => self.concatenation(parts),
            Expression::Chain(first, rest) => self.chain(first, rest),
            Expression::Negative(value) => operator::negative(&self.value(value)?),
            Expression::Positive(value) => operator::positive(&self.value(value)?),
            Expression::Postfix(value, steps) => {
                let value = self.value(value)?;
                self.steps(value, steps)
            }
        }
    }

    pub(super) fn values(&mut self, expressions: &[Expression]) -> Done<Vec<Value>> {
        expressions.iter().map(|expression| self.value(expression)).collect()
    }

    fn sequence(&mut self, kind: Sequence, items: &[Expression]) -> Done<Value> {
        let items = self.values(items)?;
        Value::made(kind, items, &self.meter)
    }

    fn map(&mut self, fields: &[(Expression, Expression)]) -> Done<Value> {
        self.meter.bytes(fields.len().saturating_mul(size_of::<(Key, Value)>()))?;
        let mut map = Vec::with_capacity(fields.len());
        for (key, value) in fields {
            let key = self.value(key)?;
            let key =
                Key::of(&key).ok_or(Fault::Unsuited { operation: "a key that is no text or number" })?;
            map.push((key, self.value(value)?));
        }
        Value::fields(map).shallow()
    }

    fn choice(&mut self, parts: &[Expression; 2], otherwise: Option<&Expression>) -> Done<Value> {
        let [then, condition] = parts;
        if self.value(condition)?.is_true() {
            return self.value(then);
        }
        otherwise.map_or(Ok(Value::Undefined), |otherwise| self.value(otherwise))
    }

    /// The first value that is true or is not; else the last.
    fn first_that_is(&mut self, wanted: bool, parts: &[Expression]) -> Done<Value> {
        let mut value = Value::Undefined;
        for part in parts {
            value = self.value(part)?;
            if value.is_true() == wanted {
                break;
            }
        }
        Ok(value)
    }

    fn compare(&mut self, first: &Expression, rest: &[(Comparison, Expression)]) -> Done<Value> {
        let mut left = self.value(first)?;
        for (comparison, right) in rest {
            let right = self.value(right)?;
            if !operator::compare(*comparison, &left, &right, &self.meter)? {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    fn concatenation(&mut self, parts: &[Expression]) -> Done<Value> {
        let values = self.values(parts)?;
        let mut out = self.meter.writer();
        values.iter().try_for_each(|value| value.show(&mut out))?;
        Ok(out.done())
    }

    fn chain(
        &mut self,
        first: &Expression,
        rest: &[(super::super::syntax::Operator, Expression)],
    ) -> Done<Value> {
        let mut left = self.value(first)?;
        for (operator, right) in rest {
            let right = self.value(right)?;
            left = operator::apply(*operator, &left, &right, &self.meter)?;
        }
        Ok(left)
    }

    /// A value after fields, items, calls, filters and tests.
    pub(super) fn steps(&mut self, mut value: Value, steps: &[Step]) -> Done<Value> {
        let mut before = None;
        for step in steps {
            self.meter.steps(1)?;
            self.line = step.line;
            if let (Action::Call(_), Value::Undefined) = (&step.action, &value) {
                return Err(no_callee(before));
            }
            value = self.step(value, &step.action)?;
            before = Some(&step.action);
        }
        Ok(value)
    }

    fn step(&mut self, value: Value, action: &Action) -> Done<Value> {
        match action {
            Action::Attribute(name) => self.attribute(&value, name),
            Action::Item(key) => {
                let key = self.value(key)?;
                self.item(&value, &key)
            }
            Action::Slice(bounds) => self.slice(&value, bounds),
            Action::Call(arguments) => {
                let given = self.given(arguments)?;
                self.call_from(&value, given, arguments)
            }
            Action::Filter(filter, arguments) => {
                let given = self.given(arguments)?;
                self.filter(*filter, value, given)
            }
            Action::Test { test, is_negated, arguments } => {
                let given = self.given(arguments)?;
                Ok(Value::Bool(self.test(*test, &value, given)? != *is_negated))
            }
        }
    }

    fn attribute(&self, value: &Value, name: &str) -> Done<Value> {
        match self.namespace_field(value, name) {
            Some(found) => Ok(found),
            None => value.attribute(name, &self.meter),
        }
    }

    pub(super) fn item(&self, value: &Value, key: &Value) -> Done<Value> {
        let found = key.as_text().and_then(|name| self.namespace_field(value, name));
        found.map_or_else(|| value.item(key, &self.meter), Ok)
    }

    fn namespace_field(&self, value: &Value, name: &str) -> Option<Value> {
        let Value::Object(object) = value else { return None };
        let Kind::Namespace(at) = object.0 else { return None };
        self.namespaces.get(at)?.field(name).cloned()
    }

    fn slice(&mut self, value: &Value, bounds: &[Option<Expression>; 3]) -> Done<Value> {
        let mut numbers = [None; 3];
        for (number, bound) in numbers.iter_mut().zip(bounds) {
            let Some(bound) = bound else { continue };
            *number = match self.value(bound)? {
                Value::None => None,
                Value::Undefined => return Err(Fault::Undefined { operation: "a slice" }),
                // Python's TypeError, of which jinja2 makes an undefined value.
                bound => match bound.as_int() {
                    Some(number) => Some(number),
                    None => return Ok(Value::Undefined),
                },
            };
        }
        value.slice(numbers, &self.meter)
    }
}

/// Why nothing can be called, by what stands before the call.
fn no_callee(before: Option<&Action>) -> Fault {
    let method = match before {
        Some(Action::Attribute(name)) => Method::named(name).filter(|method| method.is_change()),
        _ => None,
    };
    method.map_or(Fault::Undefined { operation: "a call" }, |method| Fault::Changes { method: method.name() })
}
