//! Values of a template: Python's, as far as templates see them.

mod compare;
mod de;
mod item;
mod key;
mod object;
mod show;
mod text;

use alloc::rc::Rc;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use hashbrown::HashMap;

pub(super) use compare::sorted;
pub(super) use key::Key;
pub use object::Object;
pub(super) use object::{Closure, Kind, Turn};
pub use text::Text;
pub(super) use text::Written;

use super::meter::Meter;
use super::{Fault, Limit};

/// Deepest nesting of lists and maps.
pub(super) const DEPTH_MAX: u32 = 64;

/// A value. Cloning is cheap; maps keep the order of their fields.
#[derive(Clone, Debug)]
pub enum Value {
    /// A name that nobody set.
    Undefined,
    /// `none`, JSON's null.
    None,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// A decimal number.
    Float(f64),
    /// Text.
    Text(Text),
    /// Text that was marked safe; what is added to it is escaped as HTML.
    Markup(Text),
    /// A list.
    List(Rc<List>),
    /// Named values.
    Map(Rc<Map>),
    /// What a template makes itself: functions, loops, namespaces.
    Object(Object),
}

/// Items in order.
#[derive(Clone, Debug)]
pub struct List {
    pub(super) kind: Sequence,
    pub(super) items: Vec<Value>,
    depth: u32,
}

/// Which of Python's types a list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sequence {
    List,
    Tuple,
    Range,
    Keys,
    Values,
    Items,
}

/// Named values in order.
#[derive(Clone, Debug, Default)]
pub struct Map {
    pub(super) fields: Vec<(Key, Value)>,
    depth: u32,
}

impl Map {
    /// The value of a name.
    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(known, _)| *known == *name).map(|(_, value)| value)
    }

    /// The value of a key.
    pub(super) fn at(&self, key: &Key) -> Option<&Value> {
        self.fields.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }
}

impl Value {
    /// Text that the template is given: no control token comes of it.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(Text::given(text))
    }

    /// Text as if the template had written it: control tokens in it, or completed by it, are control tokens.
    #[must_use]
    pub fn trusted(text: &str) -> Self {
        Self::Text(Text::own(text))
    }

    /// A list.
    #[must_use]
    pub fn list(items: Vec<Self>) -> Self {
        Self::sequence(Sequence::List, items)
    }

    /// Named values, in this order; the last of a name counts.
    #[must_use]
    pub fn map<'a>(fields: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        Self::fields(fields.into_iter().map(|(name, value)| (Rc::<str>::from(name), value)))
    }

    pub(super) fn fields<K: Into<Key>>(fields: impl IntoIterator<Item = (K, Self)>) -> Self {
        let mut map = Map { fields: Vec::new(), depth: 1 };
        let mut places: HashMap<Key, usize> = HashMap::new();
        for (name, value) in fields {
            let name = name.into();
            map.depth = map.depth.max(1 + value.depth());
            match places.get(&name).and_then(|&at| map.fields.get_mut(at)) {
                Some((_, old)) => *old = value,
                None => {
                    places.insert(name.clone(), map.fields.len());
                    map.fields.push((name, value));
                }
            }
        }
        Self::Map(Rc::new(map))
    }

    pub(super) fn sequence(kind: Sequence, items: Vec<Self>) -> Self {
        let depth = 1 + items.iter().map(Self::depth).max().unwrap_or(0);
        Self::List(Rc::new(List { kind, items, depth }))
    }

    /// A pair, as `items` gives.
    pub(super) fn pair(name: &Key, value: &Self) -> Self {
        Self::sequence(Sequence::Tuple, alloc::vec![name.value(), value.clone()])
    }

    /// A list that a template made, within its limits.
    pub(super) fn made(kind: Sequence, items: Vec<Self>, meter: &Meter) -> Result<Self, Fault> {
        meter.bytes(items.len().saturating_mul(size_of::<Self>()))?;
        Self::sequence(kind, items).shallow()
    }

    /// The value, if it is not nested too deep.
    pub(super) fn shallow(self) -> Result<Self, Fault> {
        if self.depth() > DEPTH_MAX { Err(Fault::Limit { limit: Limit::Depth }) } else { Ok(self) }
    }

    pub(super) fn depth(&self) -> u32 {
        match self {
            Self::List(list) => list.depth,
            Self::Map(map) => map.depth,
            Self::Object(object) => object.depth(),
            _ => 0,
        }
    }

    pub(super) fn count(count: usize) -> Self {
        Self::Int(i128::try_from(count).unwrap_or(i128::MAX))
    }

    /// Its text, if it is one.
    pub(super) fn as_text(&self) -> Option<&Text> {
        match self {
            Self::Text(text) | Self::Markup(text) => Some(text),
            _ => None,
        }
    }

    /// Its number, if it is a whole one; true and false are 1 and 0.
    pub(super) fn as_int(&self) -> Option<i128> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Bool(value) => Some(i128::from(*value)),
            _ => None,
        }
    }

    /// Its number, if it is one.
    pub(super) fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            _ => self.as_int().map(int_as_float),
        }
    }

    /// Whether Python takes it as true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Undefined | Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) | Self::Markup(text) => !text.is_empty(),
            Self::List(list) => !list.items.is_empty(),
            Self::Map(map) => !map.fields.is_empty(),
            Self::Object(_) => true,
        }
    }

    /// Its length, where it has one.
    pub(super) fn len(&self) -> Option<usize> {
        match self {
            Self::Undefined => Some(0),
            Self::Text(text) | Self::Markup(text) => Some(text.chars().count()),
            Self::List(list) => Some(list.items.len()),
            Self::Map(map) => Some(map.fields.len()),
            _ => None,
        }
    }

    /// What `for` goes through.
    pub(super) fn iterate(&self, meter: &Meter) -> Result<Vec<Self>, Fault> {
        let items: Vec<Self> = match self {
            Self::Undefined => Vec::new(),
            Self::List(list) => list.items.clone(),
            Self::Map(map) => map.fields.iter().map(|(name, _)| name.value()).collect(),
            Self::Text(text) | Self::Markup(text) => {
                meter.bytes(text.len().saturating_mul(size_of::<Self>()))?;
                text.characters().collect()
            }
            Self::Object(object) => object.take_items()?,
            _ => return Err(Fault::Unsuited { operation: "going through" }),
        };
        meter.steps(items.len())?;
        meter.bytes(items.len().saturating_mul(size_of::<Self>()))?;
        Ok(items)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

/// The nearest decimal number.
#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "as Python's float(int) does")]
pub(super) fn int_as_float(value: i128) -> f64 {
    value as f64
}

/// A decimal number as Python's `repr` writes it.
pub(super) fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_string();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_string();
    }
    let scientific = alloc::format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = alloc::format!("{value}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    alloc::format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}
