//! Values of a template.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::cell::RefCell;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A name that nobody set.
    Undefined,
    /// `none`.
    None,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    Text(Rc<str>),
    /// A list.
    List(Rc<Vec<Value>>),
    /// Named values.
    Map(Rc<BTreeMap<String, Value>>),
    /// Named values that `set` may change.
    Namespace(Rc<RefCell<BTreeMap<String, Value>>>),
}

impl Value {
    /// Text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// A list.
    #[must_use]
    pub fn list(values: Vec<Self>) -> Self {
        Self::List(Rc::new(values))
    }

    /// Named values.
    #[must_use]
    pub fn map<const N: usize>(fields: [(&str, Self); N]) -> Self {
        Self::Map(Rc::new(fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect()))
    }

    /// Whether Python takes it as true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Undefined | Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Text(text) => !text.is_empty(),
            Self::List(values) => !values.is_empty(),
            Self::Map(fields) => !fields.is_empty(),
            Self::Namespace(_) => true,
        }
    }

    /// As it is printed.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Undefined => String::new(),
            Self::None => "None".to_string(),
            Self::Bool(true) => "True".to_string(),
            Self::Bool(false) => "False".to_string(),
            Self::Int(value) => value.to_string(),
            Self::Text(text) => text.to_string(),
            Self::List(_) | Self::Map(_) | Self::Namespace(_) => super::filter::json(self),
        }
    }

    /// Its length, where it has one.
    pub(super) fn len(&self) -> Option<usize> {
        match self {
            Self::Text(text) => Some(text.chars().count()),
            Self::List(values) => Some(values.len()),
            Self::Map(fields) => Some(fields.len()),
            _ => None,
        }
    }

    /// A field or element; [`Value::Undefined`] where there is none.
    pub(super) fn get(&self, key: &Self) -> Self {
        let found = match (self, key) {
            (Self::Map(fields), Self::Text(name)) => fields.get(&**name).cloned(),
            (Self::Namespace(fields), Self::Text(name)) => fields.borrow().get(&**name).cloned(),
            (Self::List(values), Self::Int(at)) => {
                index(*at, values.len()).and_then(|at| values.get(at).cloned())
            }
            (Self::Text(text), Self::Int(at)) => {
                let character = index(*at, text.chars().count()).and_then(|at| text.chars().nth(at));
                character.map(|character| Self::text(character.encode_utf8(&mut [0; 4])))
            }
            _ => None,
        };
        found.unwrap_or(Self::Undefined)
    }

    /// `[from:to]`.
    pub(super) fn slice(&self, from: Option<i64>, to: Option<i64>) -> Self {
        let length = self.len().unwrap_or(0);
        let (start, end) = (bound(from.unwrap_or(0), length), to.map_or(length, |to| bound(to, length)));
        let count = end.saturating_sub(start);
        match self {
            Self::List(values) => Self::list(values.iter().skip(start).take(count).cloned().collect()),
            Self::Text(text) => Self::Text(text.chars().skip(start).take(count).collect::<String>().into()),
            _ => Self::Undefined,
        }
    }

    /// `item in self`.
    pub(super) fn contains(&self, item: &Self) -> bool {
        match (self, item) {
            (Self::Text(text), Self::Text(part)) => text.contains(&**part),
            (Self::List(values), item) => values.contains(item),
            (Self::Map(fields), Self::Text(name)) => fields.contains_key(&**name),
            _ => false,
        }
    }

    /// What `for` goes through.
    pub(super) fn items(&self) -> Option<Vec<Self>> {
        match self {
            Self::List(values) => Some(values.to_vec()),
            Self::Map(fields) => Some(fields.keys().map(|name| Self::text(name)).collect()),
            Self::Text(text) => Some(text.chars().map(|c| Self::text(c.encode_utf8(&mut [0; 4]))).collect()),
            Self::Undefined => Some(Vec::new()),
            _ => None,
        }
    }
}

/// An index that may count from the end.
fn index(at: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    usize::try_from(if at < 0 { at.checked_add(length)? } else { at }).ok()
}

fn bound(at: i64, length: usize) -> usize {
    index(at, length).unwrap_or(0).min(length)
}
