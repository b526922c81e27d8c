//! Tests. Source: jinja2 3.1 `tests.py`.

use super::super::Fault;
use super::super::known::Test;
use super::super::syntax::Comparison;
use super::super::text;
use super::super::value::{Kind, Value};
use super::given::Given;
use super::{Done, Renderer, operator};

impl Renderer {
    pub(super) fn test(&self, test: Test, value: &Value, given: Given) -> Done<bool> {
        if let Some(comparison) = comparison(test) {
            let [other] = given.bind(test.name(), ["other"])?;
            let other = other.ok_or_else(|| Fault::Arguments { callee: test.name().into() })?;
            return operator::compare(comparison, value, &other, &self.meter);
        }
        match test {
            Test::Divisibleby | Test::Sameas => {
                let [other] = given.bind(test.name(), ["other"])?;
                let other = other.ok_or_else(|| Fault::Arguments { callee: test.name().into() })?;
                self.pair_test(test, value, &other)
            }
            _ => {
                let [] = given.bind(test.name(), [])?;
                self.own_test(test, value)
            }
        }
    }

    fn pair_test(&self, test: Test, value: &Value, other: &Value) -> Done<bool> {
        if test == Test::Sameas {
            return value.is_same(other, &self.meter);
        }
        match (value.as_int(), other.as_int()) {
            (Some(value), Some(other)) if other != 0 => Ok(value.checked_rem(other) == Some(0)),
            _ => Err(Fault::Unsuited { operation: "test \"divisibleby\"" }),
        }
    }

    fn own_test(&self, test: Test, value: &Value) -> Done<bool> {
        Ok(match test {
            Test::Defined => !matches!(value, Value::Undefined),
            Test::Undefined => matches!(value, Value::Undefined),
            Test::None => matches!(value, Value::None),
            Test::Boolean => matches!(value, Value::Bool(_)),
            Test::True => matches!(value, Value::Bool(true)),
            Test::False => matches!(value, Value::Bool(false)),
            Test::Integer => matches!(value, Value::Int(_)),
            Test::Float => matches!(value, Value::Float(_)),
            Test::Number => value.as_float().is_some(),
            Test::String => value.as_text().is_some(),
            Test::Mapping => matches!(value, Value::Map(_)),
            Test::Sequence => is_sequence(value),
            Test::Iterable => is_iterable(value),
            Test::Callable => is_callable(value),
            Test::Odd => remainder(value)? == 1,
            Test::Even => remainder(value)? == 0,
            Test::Lower => text::is_cased(&self.show(value)?, char::is_lowercase, char::is_uppercase),
            _ => text::is_cased(&self.show(value)?, char::is_uppercase, char::is_lowercase),
        })
    }
}

fn comparison(test: Test) -> Option<Comparison> {
    Some(match test {
        Test::Equal => Comparison::Equal,
        Test::Unequal => Comparison::Unequal,
        Test::Less => Comparison::Less,
        Test::LessEqual => Comparison::LessEqual,
        Test::Greater => Comparison::Greater,
        Test::GreaterEqual => Comparison::GreaterEqual,
        Test::In => Comparison::In,
        _ => return None,
    })
}

fn is_sequence(value: &Value) -> bool {
    match value {
        Value::Undefined | Value::Text(_) | Value::Markup(_) | Value::Map(_) => true,
        Value::List(list) => list.kind.has_index(),
        _ => false,
    }
}

fn is_iterable(value: &Value) -> bool {
    match value {
        Value::Object(object) => matches!(object.0, Kind::Generator(_) | Kind::Loop(_)),
        Value::List(_) => true,
        _ => is_sequence(value),
    }
}

fn is_callable(value: &Value) -> bool {
    match value {
        // Python's `Undefined` has `__call__`, which raises.
        Value::Undefined => true,
        Value::Object(object) => matches!(object.0, Kind::Function(_) | Kind::Method(_) | Kind::Macro(_)),
        _ => false,
    }
}

fn remainder(value: &Value) -> Done<i128> {
    value.as_int().map(|value| value.rem_euclid(2)).ok_or(Fault::Unsuited { operation: "test of a number" })
}
