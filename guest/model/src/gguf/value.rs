//! Typed metadata values that borrow the header's bytes.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use super::error::GgufError;
use super::limit;
use super::reader::Reader;

/// One metadata value.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each variant is named by its type")]
pub enum Value<'a> {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(&'a str),
    Array(Array<'a>),
    U64(u64),
    I64(i64),
    F64(f64),
}

/// An array of metadata.
#[derive(Clone, Debug, PartialEq)]
pub enum Array<'a> {
    /// Numbers, still as their bytes in the file.
    Numbers(Numbers<'a>),
    /// Booleans.
    Bools(Vec<bool>),
    /// Strings.
    Strings(Vec<&'a str>),
    /// Arrays.
    Arrays(Vec<Array<'a>>),
}

/// An array of numbers of one type, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers<'a> {
    kind: NumberKind,
    bytes: &'a [u8],
}

/// Type of the numbers in an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is named by its type")]
pub enum NumberKind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    U64,
    I64,
    F64,
}

impl NumberKind {
    fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    fn from_wire(kind: u32) -> Option<Self> {
        let kinds = [
            (0, Self::U8),
            (1, Self::I8),
            (2, Self::U16),
            (3, Self::I16),
            (4, Self::U32),
            (5, Self::I32),
            (6, Self::F32),
            (10, Self::U64),
            (11, Self::I64),
            (12, Self::F64),
        ];
        kinds.iter().find(|(wire, _)| *wire == kind).map(|(_, kind)| *kind)
    }

    fn read<'a>(self, from: &mut Reader<'a>) -> Result<Value<'a>, GgufError> {
        let what = "metadata value";
        Ok(match self {
            Self::U8 => Value::U8(from.u8(what)?),
            Self::I8 => Value::I8(from.i8(what)?),
            Self::U16 => Value::U16(from.u16(what)?),
            Self::I16 => Value::I16(from.i16(what)?),
            Self::U32 => Value::U32(from.u32(what)?),
            Self::I32 => Value::I32(from.i32(what)?),
            Self::F32 => Value::F32(from.f32(what)?),
            Self::U64 => Value::U64(from.u64(what)?),
            Self::I64 => Value::I64(from.i64(what)?),
            Self::F64 => Value::F64(from.f64(what)?),
        })
    }
}

impl<'a> Numbers<'a> {
    /// Type of every item.
    #[must_use]
    pub fn kind(&self) -> NumberKind {
        self.kind
    }

    /// Number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len().checked_div(self.kind.bytes()).unwrap_or(0)
    }

    /// Whether there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The items as integers; floats and values outside `i64` are skipped by giving `None`.
    pub fn integers(&self) -> impl Iterator<Item = Option<i64>> + 'a {
        self.values().map(|value| value.as_i64())
    }

    /// The items, one typed value each.
    pub fn values(&self) -> impl Iterator<Item = Value<'a>> + 'a {
        let kind = self.kind;
        let chunks = self.bytes.chunks_exact(kind.bytes());
        chunks.filter_map(move |item| kind.read(&mut Reader::new(item, u64::MAX)).ok())
    }
}

impl<'a> Value<'a> {
    /// The string, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The boolean, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// Any integer that fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        Some(match *self {
            Self::U8(value) => value.into(),
            Self::I8(value) => value.into(),
            Self::U16(value) => value.into(),
            Self::I16(value) => value.into(),
            Self::U32(value) => value.into(),
            Self::I32(value) => value.into(),
            Self::I64(value) => value,
            Self::U64(value) => i64::try_from(value).ok()?,
            _ => return None,
        })
    }

    /// Any integer that fits and is not negative.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        if let Self::U64(value) = self { Some(*value) } else { self.as_i64()?.try_into().ok() }
    }

    /// A float of either width.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::F32(value) => Some(value.into()),
            Self::F64(value) => Some(value),
            _ => None,
        }
    }

    /// The strings, if it is an array of them.
    #[must_use]
    pub fn as_strings(&self) -> Option<&[&'a str]> {
        if let Self::Array(Array::Strings(items)) = self { Some(items) } else { None }
    }

    /// The numbers, if it is an array of them.
    #[must_use]
    pub fn as_numbers(&self) -> Option<&Numbers<'a>> {
        if let Self::Array(Array::Numbers(items)) = self { Some(items) } else { None }
    }

    pub(super) fn read(from: &mut Reader<'a>, key: &str) -> Result<Self, GgufError> {
        let kind = from.u32("metadata type")?;
        match kind {
            7 => from.bool("metadata value").map(Self::Bool),
            8 => from.string("metadata string", limit::STRING_BYTES).map(Self::String),
            9 => Array::read(from, key, 1).map(Self::Array),
            _ => number_kind(kind, key)?.read(from),
        }
    }
}

impl<'a> Array<'a> {
    /// Number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(items) => items.len(),
            Self::Bools(items) => items.len(),
            Self::Strings(items) => items.len(),
            Self::Arrays(items) => items.len(),
        }
    }

    /// Whether there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn read(from: &mut Reader<'a>, key: &str, depth: u32) -> Result<Self, GgufError> {
        if depth > limit::ARRAY_DEPTH {
            return Err(GgufError::Nesting { key: key.to_owned(), limit: limit::ARRAY_DEPTH });
        }
        let kind = from.u32("array type")?;
        let items = from.count("array length", limit::ARRAY_ITEMS)?;
        match kind {
            7 => read_items(items, || from.bool("array item")).map(Self::Bools),
            8 => read_items(items, || from.string("array string", limit::STRING_BYTES)).map(Self::Strings),
            9 => read_items(items, || Self::read(from, key, depth.saturating_add(1))).map(Self::Arrays),
            _ => read_numbers(from, number_kind(kind, key)?, items).map(Self::Numbers),
        }
    }
}

fn number_kind(kind: u32, key: &str) -> Result<NumberKind, GgufError> {
    NumberKind::from_wire(kind).ok_or_else(|| GgufError::ValueType { key: key.to_owned(), found: kind })
}

fn read_numbers<'a>(from: &mut Reader<'a>, kind: NumberKind, items: u64) -> Result<Numbers<'a>, GgufError> {
    let bytes = items.saturating_mul(super::reader::as_u64(kind.bytes()));
    Ok(Numbers { kind, bytes: from.take(bytes, "array of numbers")? })
}

/// Reads `items` items. The vector grows as bytes are found, never by the count alone.
fn read_items<T>(items: u64, mut next: impl FnMut() -> Result<T, GgufError>) -> Result<Vec<T>, GgufError> {
    let mut read = Vec::new();
    for _ in 0..items {
        read.push(next()?);
    }
    Ok(read)
}
