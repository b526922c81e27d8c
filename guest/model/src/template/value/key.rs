//! Keys of maps: texts, and numbers that a template writes itself.

use alloc::rc::Rc;

use super::{Text, Value};

/// A key of a map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in super::super) enum Key {
    Int(i128),
    Text(Text),
}

impl Key {
    /// The key that a value is, if it can be one here.
    pub(in super::super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Int(value) => Some(Self::Int(*value)),
            _ => value.as_text().map(|text| Self::Text(text.clone())),
        }
    }

    pub(in super::super) fn value(&self) -> Value {
        match self {
            Self::Int(value) => Value::Int(*value),
            Self::Text(text) => Value::Text(text.clone()),
        }
    }
}

impl From<Rc<str>> for Key {
    fn from(text: Rc<str>) -> Self {
        Self::Text(Text::given(&*text))
    }
}

impl PartialEq<str> for Key {
    fn eq(&self, text: &str) -> bool {
        matches!(self, Self::Text(own) if **own == *text)
    }
}
