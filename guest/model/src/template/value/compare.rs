//! Equality, order and membership as Python has them, bounded by the meter.

use core::cmp::Ordering;

use super::super::meter::Meter;
use super::super::{Fault, text};
use super::{Key, List, Map, Value};

type Done<T> = Result<T, Fault>;

impl Value {
    /// `self == other`.
    pub(in super::super) fn equals(&self, other: &Self, meter: &Meter) -> Done<bool> {
        meter.steps(1)?;
        Ok(match (self, other) {
            (Self::Undefined, Self::Undefined) | (Self::None, Self::None) => true,
            (Self::Text(left) | Self::Markup(left), Self::Text(right) | Self::Markup(right)) => left == right,
            (Self::List(left), Self::List(right)) => return lists_equal(left, right, meter),
            (Self::Map(left), Self::Map(right)) => return maps_equal(left, right, meter),
            (Self::Object(left), Self::Object(right)) => left.is_same(right),
            _ => number_order(self, other) == Some(Ordering::Equal),
        })
    }

    /// The order of `self` and `other`; `None` for numbers that have none.
    pub(in super::super) fn order(&self, other: &Self, meter: &Meter) -> Done<Option<Ordering>> {
        meter.steps(1)?;
        match (self, other) {
            (Self::Undefined, _) | (_, Self::Undefined) => Err(Fault::Undefined { operation: "comparison" }),
            (Self::Text(left) | Self::Markup(left), Self::Text(right) | Self::Markup(right)) => {
                Ok(Some(left.cmp(right)))
            }
            (Self::List(left), Self::List(right)) if left.kind == right.kind => {
                list_order(left, right, meter)
            }
            _ if self.as_float().is_some() && other.as_float().is_some() => Ok(number_order(self, other)),
            _ => Err(Fault::Unsuited { operation: "comparison" }),
        }
    }

    /// `item in self`.
    pub(in super::super) fn contains(&self, item: &Self, meter: &Meter) -> Done<bool> {
        match (self, item) {
            (Self::Undefined, _) => Ok(false),
            (Self::Text(text) | Self::Markup(text), Self::Text(part) | Self::Markup(part)) => {
                meter.steps(text.len() / text::BYTES_A_STEP)?;
                Ok(text.contains(&**part))
            }
            (Self::Map(_), Self::List(_) | Self::Map(_)) => Err(Fault::Unsuited { operation: "\"in\"" }),
            (Self::Map(map), _) => {
                meter.steps(map.fields.len())?;
                Ok(Key::of(item).is_some_and(|key| map.at(&key).is_some()))
            }
            (Self::List(list), _) => any_equals(&list.items, item, meter),
            (Self::Object(object), _) => any_equals(&object.take_items()?, item, meter),
            _ => Err(Fault::Unsuited { operation: "\"in\"" }),
        }
    }

    /// `self is sameas(other)`.
    pub(in super::super) fn is_same(&self, other: &Self, meter: &Meter) -> Done<bool> {
        match (self, other) {
            (Self::List(left), Self::List(right)) => Ok(alloc::rc::Rc::ptr_eq(left, right)),
            (Self::Map(left), Self::Map(right)) => Ok(alloc::rc::Rc::ptr_eq(left, right)),
            (Self::Undefined, Self::Undefined) => Ok(false),
            (Self::Bool(left), Self::Bool(right)) => Ok(left == right),
            (Self::Bool(_), _) | (_, Self::Bool(_)) => Ok(false),
            (Self::Float(_), Self::Int(_)) | (Self::Int(_), Self::Float(_)) => Ok(false),
            _ => self.equals(other, meter),
        }
    }
}

fn any_equals(items: &[Value], item: &Value, meter: &Meter) -> Done<bool> {
    for candidate in items {
        if candidate.equals(item, meter)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn number_order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left.as_int(), right.as_int()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_float()?.partial_cmp(&right.as_float()?),
    }
}

fn lists_equal(left: &List, right: &List, meter: &Meter) -> Done<bool> {
    if left.kind != right.kind || left.items.len() != right.items.len() {
        return Ok(false);
    }
    for (left, right) in left.items.iter().zip(&right.items) {
        if !left.equals(right, meter)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn maps_equal(left: &Map, right: &Map, meter: &Meter) -> Done<bool> {
    if left.fields.len() != right.fields.len() {
        return Ok(false);
    }
    for (name, value) in &left.fields {
        meter.steps(right.fields.len())?;
        match right.at(name) {
            Some(other) if value.equals(other, meter)? => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

fn list_order(left: &List, right: &List, meter: &Meter) -> Done<Option<Ordering>> {
    for (left, right) in left.items.iter().zip(&right.items) {
        if !left.equals(right, meter)? {
            return left.order(right, meter);
        }
    }
    Ok(Some(left.items.len().cmp(&right.items.len())))
}

/// Sorts by keys, stable. Not the standard library's: that may panic where an order is not total.
pub(in super::super) fn sorted(
    mut items: alloc::vec::Vec<(Value, Value)>,
    is_reversed: bool,
    meter: &Meter,
) -> Done<alloc::vec::Vec<(Value, Value)>> {
    let length = items.len();
    if length < 2 {
        return Ok(items);
    }
    let right = sorted(items.split_off(length / 2), is_reversed, meter)?;
    let left = sorted(items, is_reversed, meter)?;
    let mut merged = alloc::vec::Vec::with_capacity(length);
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(first), Some(second)) = (left.peek(), right.peek()) {
        let takes_second = if is_reversed {
            first.0.order(&second.0, meter)? == Some(Ordering::Less)
        } else {
            second.0.order(&first.0, meter)? == Some(Ordering::Less)
        };
        merged.extend(if takes_second { right.next() } else { left.next() });
    }
    merged.extend(left.chain(right));
    Ok(merged)
}
