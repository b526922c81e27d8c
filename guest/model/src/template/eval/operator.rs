//! Operators on Python's types.

use core::cmp::Ordering;
use core::iter;

use super::super::meter::Meter;
use super::super::syntax::{Comparison, Operator};
use super::super::value::{List, Sequence, Text, Value};
use super::super::{Fault, Limit, text};
use super::{Done, format};

/// Whether `left` compares so with `right`.
pub(super) fn compare(comparison: Comparison, left: &Value, right: &Value, meter: &Meter) -> Done<bool> {
    match comparison {
        Comparison::Equal => left.equals(right, meter),
        Comparison::Unequal => left.equals(right, meter).map(|is_equal| !is_equal),
        Comparison::In => right.contains(left, meter),
        Comparison::NotIn => right.contains(left, meter).map(|is_in| !is_in),
        Comparison::Less => Ok(left.order(right, meter)? == Some(Ordering::Less)),
        Comparison::Greater => Ok(left.order(right, meter)? == Some(Ordering::Greater)),
        Comparison::LessEqual => Ok(left.order(right, meter)?.is_some_and(Ordering::is_le)),
        Comparison::GreaterEqual => Ok(left.order(right, meter)?.is_some_and(Ordering::is_ge)),
    }
}

/// `-value`.
pub(super) fn negative(value: &Value) -> Done<Value> {
    match positive(value)? {
        Value::Float(value) => Ok(Value::Float(-value)),
        value => value
            .as_int()
            .and_then(i128::checked_neg)
            .map(Value::Int)
            .ok_or(Fault::Limit { limit: Limit::Range }),
    }
}

/// `+value`.
pub(super) fn positive(value: &Value) -> Done<Value> {
    match value {
        Value::Undefined => Err(Fault::Undefined { operation: "a sign" }),
        Value::Float(value) => Ok(Value::Float(*value)),
        _ => value.as_int().map(Value::Int).ok_or(Fault::Unsuited { operation: "a sign" }),
    }
}

/// `left operator right`.
pub(super) fn apply(operator: Operator, left: &Value, right: &Value, meter: &Meter) -> Done<Value> {
    if matches!((left, right), (Value::Undefined, _) | (_, Value::Undefined)) {
        return Err(Fault::Undefined { operation: sign(operator) });
    }
    match (operator, left, right) {
        (Operator::Add, Value::Text(first), Value::Text(second)) => joined(first, second, meter),
        (Operator::Add, Value::Markup(_), _) | (Operator::Add, _, Value::Markup(_)) => {
            markup(left, right, meter)
        }
        (Operator::Add, Value::List(first), Value::List(second)) if first.kind == second.kind => {
            let mut items = first.items.clone();
            items.extend_from_slice(&second.items);
            Value::made(first.kind, items, meter)
        }
        (Operator::Multiply, Value::Text(text), _) => repeated(text, right, meter),
        (Operator::Multiply, _, Value::Text(text)) => repeated(text, left, meter),
        (Operator::Multiply, Value::List(list), _) => list_repeated(list, right, meter),
        (Operator::Multiply, _, Value::List(list)) => list_repeated(list, left, meter),
        (Operator::Modulo, Value::Text(text), _) => format::percent(text, right, meter),
        _ => numbers(operator, left, right),
    }
}

fn sign(operator: Operator) -> &'static str {
    match operator {
        Operator::Add => "\"+\"",
        Operator::Subtract => "\"-\"",
        Operator::Multiply => "\"*\"",
        Operator::Divide => "\"/\"",
        Operator::FloorDivide => "\"//\"",
        Operator::Modulo => "\"%\"",
        Operator::Power => "\"**\"",
    }
}

fn joined(left: &Text, right: &Text, meter: &Meter) -> Done<Value> {
    let mut out = meter.writer();
    out.push_text(left)?;
    out.push_text(right)?;
    Ok(out.done())
}

/// Texts of which one is marked safe: the other is escaped, as markupsafe does.
fn markup(left: &Value, right: &Value, meter: &Meter) -> Done<Value> {
    let mut out = meter.writer();
    for side in [left, right] {
        match side {
            Value::Markup(text) => out.push_text(text)?,
            Value::Text(text) => text::escape(text, &mut out)?,
            _ => return Err(Fault::Unsuited { operation: "\"+\"" }),
        }
    }
    Ok(Value::Markup(out.text()))
}

fn times(count: &Value) -> Done<usize> {
    let count = count.as_int().ok_or(Fault::Unsuited { operation: "\"*\"" })?.max(0);
    usize::try_from(count).map_err(|_| Fault::Limit { limit: Limit::Memory })
}

fn list_repeated(list: &List, count: &Value, meter: &Meter) -> Done<Value> {
    let count = times(count)?;
    if !list.kind.has_index() || list.kind == Sequence::Range {
        return Err(Fault::Unsuited { operation: "\"*\"" });
    }
    meter.bytes(list.items.len().saturating_mul(count).saturating_mul(size_of::<Value>()))?;
    let count = if list.items.is_empty() { 0 } else { count };
    let items = iter::repeat_n(&list.items, count).flatten().cloned().collect();
    Value::made(list.kind, items, meter)
}

fn repeated(text: &Text, count: &Value, meter: &Meter) -> Done<Value> {
    let count = times(count)?;
    let mut out = meter.writer();
    out.repeat(text, if text.is_empty() { 0 } else { count })?;
    Ok(out.done())
}

fn numbers(operator: Operator, left: &Value, right: &Value) -> Done<Value> {
    let unsuited = Fault::Unsuited { operation: sign(operator) };
    match (left.as_int(), right.as_int()) {
        (Some(left), Some(right)) => whole(operator, left, right),
        _ => match (left.as_float(), right.as_float()) {
            (Some(left), Some(right)) => decimal(operator, left, right),
            _ => Err(unsuited),
        },
    }
}

fn whole(operator: Operator, left: i128, right: i128) -> Done<Value> {
    let is_division = matches!(operator, Operator::Divide | Operator::FloorDivide | Operator::Modulo);
    if is_division && right == 0 {
        return Err(Fault::Unsuited { operation: "division by zero" });
    }
    let value = match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::FloorDivide => floor_divide(left, right),
        Operator::Modulo => {
            floor_divide(left, right).and_then(|whole| left.checked_sub(whole.checked_mul(right)?))
        }
        Operator::Power if right >= 0 => u32::try_from(right).ok().and_then(|right| left.checked_pow(right)),
        Operator::Divide | Operator::Power => {
            return decimal(
                operator,
                Value::Int(left).as_float().unwrap_or(0.0),
                Value::Int(right).as_float().unwrap_or(0.0),
            );
        }
    };
    value.map(Value::Int).ok_or(Fault::Limit { limit: Limit::Range })
}

fn floor_divide(left: i128, right: i128) -> Option<i128> {
    let whole = left.checked_div(right)?;
    let is_below = left.checked_rem(right)? != 0 && (left < 0) != (right < 0);
    if is_below { whole.checked_sub(1) } else { Some(whole) }
}

fn decimal(operator: Operator, left: f64, right: f64) -> Done<Value> {
    let is_division = matches!(operator, Operator::Divide | Operator::FloorDivide | Operator::Modulo);
    if is_division && right == 0.0 {
        return Err(Fault::Unsuited { operation: "division by zero" });
    }
    Ok(Value::Float(match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        Operator::FloorDivide => libm::floor(left / right),
        Operator::Modulo => {
            let rest = libm::fmod(left, right);
            if rest != 0.0 && (rest < 0.0) != (right < 0.0) { rest + right } else { rest }
        }
        Operator::Power => libm::pow(left, right),
    }))
}
