//! JSON values that keep the order of their fields: a schema's properties are answered in its order.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use hashbrown::HashSet;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::error::GrammarError;

/// A JSON value. Depth is bounded by the deserialiser that makes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without fraction and exponent.
    Int(i128),
    /// Any other number; finite.
    Float(f64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Self>),
    /// An object: each name once, in the order of the text.
    Object(Vec<(String, Self)>),
}

impl Json {
    /// Reads a text. From a client: untrusted.
    ///
    /// # Errors
    /// The place where it is no JSON, nests deeper than 127, or has a name twice in one object.
    pub fn parse(text: &str) -> Result<Self, GrammarError> {
        let refused =
            |error: serde_json::Error| GrammarError::Json { line: error.line(), column: error.column() };
        serde_json::from_str(text).map_err(refused)
    }

    /// A field of an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.fields().iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The fields of an object; none of anything else.
    #[must_use]
    pub fn fields(&self) -> &[(String, Self)] {
        match self {
            Self::Object(fields) => fields,
            _ => &[],
        }
    }

    /// Values in it, with itself.
    #[must_use]
    pub fn size(&self) -> usize {
        1 + match self {
            Self::List(items) => items.iter().map(Self::size).sum(),
            Self::Object(fields) => fields.iter().map(|(_, value)| value.size()).sum(),
            _ => 0,
        }
    }

    /// Whether two values are equal as JSON Schema has it: `1` and `1.0` are, and the order of fields is none.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(one), Self::List(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.is_same(other))
            }
            (Self::Object(one), Self::Object(_)) => {
                let is_in = |(name, value): &(String, Self)| {
                    other.get(name).is_some_and(|found| found.is_same(value))
                };
                one.len() == other.fields().len() && one.iter().all(is_in)
            }
            (Self::Int(int), Self::Float(float)) | (Self::Float(float), Self::Int(int)) => {
                whole(*float) == Some(*int)
            }
            _ => self == other,
        }
    }

    /// As compact JSON.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => out.push_str(&format!("{value}")),
            // The debug form is the shortest that reads back, with an exponent where digits would be many.
            Self::Float(value) => out.push_str(&format!("{value:?}")),
            Self::Text(text) => quote(text, out),
            Self::List(items) => enclosed("[]", items, out, Self::write),
            Self::Object(fields) => enclosed("{}", fields, out, |(name, value), out| {
                quote(name, out);
                out.push(':');
                value.write(out);
            }),
        }
    }
}

fn enclosed<T>(brackets: &str, items: &[T], out: &mut String, write: impl Fn(&T, &mut String)) {
    let (open, close) = brackets.split_at(1);
    out.push_str(open);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push_str(close);
}

/// The value of a float without fraction, where every whole number near it is a float too.
pub(crate) fn whole(float: f64) -> Option<i128> {
    let text = format!("{float:.0}");
    let value: i128 = text.parse().ok()?;
    (float.abs() <= 9_007_199_254_740_992.0 && format!("{float:?}") == format!("{value}.0")).then_some(value)
}

/// A text with quotes and escapes.
pub(crate) fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match escape(character) {
            Some(escaped) => out.push_str(&escaped),
            None => out.push(character),
        }
    }
    out.push('"');
}

/// How a character is written that may not stand for itself in a JSON string.
pub(crate) fn escape(character: char) -> Option<String> {
    let short = match character {
        '"' | '\\' => character,
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{c}' => 'f',
        '\r' => 'r',
        control if u32::from(control) < 0x20 => return Some(format!("\\u{:04x}", u32::from(control))),
        _ => return None,
    };
    let mut out = String::from('\\');
    out.push(short);
    Some(out)
}

impl fmt::Display for Json {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Int(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Int(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        if value.is_finite() { Ok(Json::Float(value)) } else { Err(E::custom("number out of range")) }
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let (mut fields, mut names) = (Vec::new(), HashSet::new());
        while let Some((name, value)) = access.next_entry::<String, Json>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom("a name stands twice in an object"));
            }
            fields.push((name, value));
        }
        Ok(Json::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    fn parse(text: &str) -> Json {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn values_keep_order_and_are_written_as_they_were_read() {
        for text in [
            r#"{"b":1,"a":[null,true,-3.5,"x\"\\\n\u0001é"]}"#,
            "1e+300",
            "0.1",
            "18446744073709551615",
            "[]",
        ] {
            assert_eq!(parse(&parse(text).to_text()), parse(text));
        }
        assert_eq!(parse(r#"{"b":1,"a":{}}"#).to_text(), r#"{"b":1,"a":{}}"#);
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place_and_not_quoted() {
        let at = |text: &str| match Json::parse(text).unwrap_err() {
            GrammarError::Json { line, column } => (line, column),
            other => panic!("{other}"),
        };
        assert_eq!(Json::parse("[1, {\"a\": 2}]").unwrap(), parse("[1,{\"a\":2}]"));
        assert_eq!(at(r#"{"a":1,"a":2}"#).0, 1);
        assert_eq!((at(""), at("{\n7}"), at("1 2")), ((1, 0), (2, 1), (1, 3)));
        let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
        Json::parse(&nested(127)).unwrap();
        assert_eq!(at(&nested(128)).0, 1);
        assert!(!Json::parse("{secret").unwrap_err().to_string().contains("secret"));
    }

    #[test]
    fn equality_is_that_of_json_schema() {
        assert!(parse(r#"{"a":1,"b":[2.0]}"#).is_same(&parse(r#"{"b":[2],"a":1.0}"#)));
        assert!(!parse("1").is_same(&parse("1.5")) && !parse("1").is_same(&parse("true")));
        assert!(!parse(r#"{"a":1}"#).is_same(&parse(r#"{"a":1,"b":2}"#)));
        assert_eq!((whole(3.0), whole(-0.5), whole(1e300)), (Some(3), None, None));
    }
}
