//! Fields, items and slices, by the rules of jinja2's `getattr` and `getitem`.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::known::Method;
use super::super::meter::Meter;
use super::super::{Fault, Limit};
use super::{Key, Kind, Sequence, Text, Value};

impl Value {
    /// The method of this name that Python's type has.
    pub(in super::super) fn method(&self, name: &str) -> Option<Method> {
        let method = Method::named(name)?;
        let is_known = match self {
            Self::Text(_) | Self::Markup(_) => method.is_of_text(),
            Self::Map(_) => method.is_of_map(),
            Self::List(list) if list.kind == Sequence::List => method.is_of_list(),
            Self::List(list) if matches!(list.kind, Sequence::Tuple | Sequence::Range) => {
                matches!(method, Method::Count | Method::Index)
            }
            _ => false,
        };
        is_known.then_some(method)
    }

    /// `self.name`: a method before a field. Fields of namespaces are the renderer's.
    pub(in super::super) fn attribute(&self, name: &str, meter: &Meter) -> Result<Self, Fault> {
        match self.method(name) {
            Some(method) => Ok(self.bound(method)),
            None => self.plain_item(&Self::text(name), meter),
        }
    }

    /// `self[key]`: a field before a method.
    pub(in super::super) fn item(&self, key: &Self, meter: &Meter) -> Result<Self, Fault> {
        match (self.plain_item(key, meter)?, key) {
            (Self::Undefined, Self::Text(name)) => match self.method(name) {
                Some(method) => Ok(self.bound(method)),
                None => Ok(Self::Undefined),
            },
            (found, _) => Ok(found),
        }
    }

    /// A method with its value. Those that change it are not defined in the sandbox.
    pub(in super::super) fn bound(&self, method: Method) -> Self {
        if method.is_change() {
            return Self::Undefined;
        }
        Self::object(Kind::Method(Rc::new((self.clone(), method))))
    }

    fn plain_item(&self, key: &Self, meter: &Meter) -> Result<Self, Fault> {
        let found = match (self, key) {
            (Self::Undefined, _) => return Err(Fault::Undefined { operation: "a field" }),
            (Self::Map(map), _) => {
                meter.steps(map.fields.len() / 8)?;
                Key::of(key).and_then(|key| map.at(&key)).cloned()
            }
            (Self::List(list), _) if list.kind.has_index() => {
                key.as_int().and_then(|at| list.items.get(place(at, list.items.len())?)).cloned()
            }
            (Self::Text(text) | Self::Markup(text), _) => match key.as_int() {
                Some(at) => character(text, at, meter)?,
                None => None,
            },
            (Self::Object(object), Self::Text(name)) => match &object.0 {
                Kind::Loop(turn) => Some(turn.field(name)),
                _ => None,
            },
            _ => None,
        };
        Ok(found.unwrap_or(Self::Undefined))
    }

    /// `self[from:to:step]`.
    pub(in super::super) fn slice(&self, bounds: [Option<i128>; 3], meter: &Meter) -> Result<Self, Fault> {
        let [from, to, step] = bounds;
        let step = step.unwrap_or(1);
        if step == 0 {
            return Err(Fault::Unsuited { operation: "a slice without steps" });
        }
        match self {
            Self::Undefined => Err(Fault::Undefined { operation: "a slice" }),
            Self::List(list) if list.kind.has_index() => {
                let places = places(from, to, step, list.items.len())?;
                let items = places.into_iter().filter_map(|at| list.items.get(at).cloned()).collect();
                Self::made(list.kind, items, meter)
            }
            Self::Text(text) | Self::Markup(text) => text_slice(text, from, to, step, meter),
            _ => Ok(Self::Undefined),
        }
    }
}

impl Sequence {
    pub(in super::super) fn has_index(self) -> bool {
        matches!(self, Self::List | Self::Tuple | Self::Range)
    }
}

/// An index that may count from the end.
fn place(at: i128, length: usize) -> Option<usize> {
    let at = if at < 0 { at.checked_add(i128::try_from(length).ok()?)? } else { at };
    usize::try_from(at).ok()
}

fn character(text: &Text, at: i128, meter: &Meter) -> Result<Option<Value>, Fault> {
    meter.steps(text.len() / super::super::text::BYTES_A_STEP)?;
    let from_end =
        |at: i128| usize::try_from(-(at + 1)).ok().and_then(|at| text.char_indices().rev().nth(at));
    let from_start = |at: i128| usize::try_from(at).ok().and_then(|at| text.char_indices().nth(at));
    let place = if at < 0 { from_end(at) } else { from_start(at) };
    Ok(place.map(|place| text.character(place)))
}

/// Source: Python's `PySlice_AdjustIndices`.
fn places(from: Option<i128>, to: Option<i128>, step: i128, length: usize) -> Result<Vec<usize>, Fault> {
    let length = i128::try_from(length).map_err(|_| Fault::Limit { limit: Limit::Range })?;
    let (lowest, highest) = if step < 0 { (-1, length - 1) } else { (0, length) };
    let clamp = |at: i128| if at < 0 { at.saturating_add(length).max(lowest) } else { at.min(highest) };
    let (first, last) = if step < 0 { (highest, lowest) } else { (lowest, highest) };
    let (mut at, end) = (from.map_or(first, clamp), to.map_or(last, clamp));
    let mut places = Vec::new();
    while (step > 0 && at < end) || (step < 0 && at > end) {
        places.extend(usize::try_from(at).ok());
        at = at.saturating_add(step);
    }
    Ok(places)
}

fn text_slice(
    text: &Text,
    from: Option<i128>,
    to: Option<i128>,
    step: i128,
    meter: &Meter,
) -> Result<Value, Fault> {
    meter.steps(text.len() / super::super::text::BYTES_A_STEP)?;
    if step != 1 {
        meter.bytes(text.len().saturating_mul(16))?;
        let characters: Vec<char> = text.chars().collect();
        let places = places(from, to, step, characters.len())?;
        let slice: String = places.into_iter().filter_map(|at| characters.get(at)).collect();
        return meter.changed(text, slice);
    }
    let length = text.chars().count();
    let start = bound(from, 0, length);
    let count = bound(to, length, length).saturating_sub(start);
    let start = byte_of(text, start);
    let rest = &text[start..];
    meter.part(text, &rest[..byte_of(rest, count)])
}

fn bound(at: Option<i128>, otherwise: usize, length: usize) -> usize {
    let Some(at) = at else { return otherwise };
    let is_before = at < 0;
    place(at, length).unwrap_or(if is_before { 0 } else { length }).min(length)
}

/// Where character `at` begins.
fn byte_of(text: &str, at: usize) -> usize {
    text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte)
}
