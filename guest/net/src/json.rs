//! JSON objects read field by field: what is wrong is named by its path, with what was found and what is expected, and
//! never quoted.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::ApiError;

/// Deepest nesting of a value that is passed on as JSON.
const DEPTH_MAX: usize = 48;
/// Most bytes of one.
const BYTES_MAX: usize = 256 << 10;

/// A JSON value as the client wrote it. Content.
///
/// Invariant: one value of JSON, at most 256 KiB long and nested at most 48 deep. Escapes in its strings may still be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonText(String);

impl JsonText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A value with the path that names it.
#[derive(Clone, Debug)]
pub(crate) struct Field<'a> {
    path: String,
    raw: &'a RawValue,
}

/// The fields of an object that are known; of equal names the last one counts, as in Python.
#[derive(Clone, Debug)]
pub(crate) struct Object<'a> {
    path: String,
    fields: Vec<(&'static str, &'a RawValue)>,
}

impl<'a> Field<'a> {
    /// The body of a request.
    pub(crate) fn body(bytes: &'a [u8]) -> Result<Self, ApiError> {
        let text = core::str::from_utf8(bytes).map_err(|_| ApiError::invalid("", "body: not UTF-8"))?;
        let raw = serde_json::from_str(text).map_err(|error| {
            // The error's own text could quote content.
            let place = format!("body: not JSON, at line {} column {}", error.line(), error.column());
            ApiError::invalid("", place)
        })?;
        Ok(Self { path: String::new(), raw })
    }

    /// The path that names it.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// An error that says what kind of value stands here, and what is expected.
    pub(crate) fn refused(&self, expected: &str) -> ApiError {
        ApiError::invalid(&self.path, format!("found {}, expected {expected}", kind(self.raw)))
    }

    /// The value as a `T`.
    pub(crate) fn read<T: Deserialize<'a>>(&self, expected: &str) -> Result<T, ApiError> {
        serde_json::from_str(self.raw.get()).map_err(|_| self.refused(expected))
    }

    /// A text.
    pub(crate) fn text(&self) -> Result<String, ApiError> {
        self.read("text of whole characters")
    }

    /// Whether it is a text, an array or a value of another kind, by its first character.
    pub(crate) fn start(&self) -> u8 {
        self.raw.get().bytes().next().unwrap_or(b' ')
    }

    /// Whether it is an array whose first item is a number.
    pub(crate) fn starts_with_number(&self) -> bool {
        let mut bytes = self.raw.get().bytes().skip(1).skip_while(u8::is_ascii_whitespace);
        self.start() == b'[' && bytes.next().is_some_and(|byte| byte == b'-' || byte.is_ascii_digit())
    }

    /// The items of an array of whole numbers, at most `most`.
    pub(crate) fn numbers(&self, most: usize) -> Result<Vec<u32>, ApiError> {
        let numbers: Vec<u32> = self.read("an array of whole numbers from 0")?;
        match numbers.len() {
            found if found > most => {
                Err(ApiError::invalid(&self.path, format!("found {found} numbers, expected at most {most}")))
            }
            _ => Ok(numbers),
        }
    }

    /// The known fields of an object.
    pub(crate) fn object(&self, known: &'static [&'static str]) -> Result<Object<'a>, ApiError> {
        let fields = seeded(self.raw, Known(known)).ok_or_else(|| self.refused("an object"))?;
        Ok(Object { path: self.path.clone(), fields })
    }

    /// All fields of an object, at most `most`.
    pub(crate) fn entries(&self, most: usize) -> Result<Vec<(String, Self)>, ApiError> {
        let fields = seeded(self.raw, Entries(most));
        let fields = fields.ok_or_else(|| self.refused(&format!("an object of at most {most} fields")))?;
        // The names are the client's own, so they name nothing in an error.
        Ok(fields.into_iter().map(|(name, raw)| (name, Self { path: self.path.clone(), raw })).collect())
    }

    /// The items of an array, at most `most`.
    pub(crate) fn items(&self, most: usize) -> Result<Vec<Self>, ApiError> {
        let items = seeded(self.raw, Items(most));
        let items = items.ok_or_else(|| self.refused(&format!("an array of at most {most} items")))?;
        let item = |(at, raw)| Self { path: format!("{}[{at}]", self.path), raw };
        Ok(items.into_iter().enumerate().map(item).collect())
    }

    /// The value itself.
    pub(crate) fn json(&self) -> Result<JsonText, ApiError> {
        let text = self.raw.get();
        if text.len() > BYTES_MAX || depth(text) > DEPTH_MAX {
            let limits = format!("at most {BYTES_MAX} bytes of JSON, nested at most {DEPTH_MAX} deep");
            let found = format!("found {} bytes, nested {} deep", text.len(), depth(text));
            return Err(ApiError::invalid(&self.path, format!("{found}, expected {limits}")));
        }
        Ok(JsonText(text.into()))
    }
}

impl<'a> Object<'a> {
    /// The path of a field.
    pub(crate) fn path(&self, name: &str) -> String {
        joined(&self.path, name)
    }

    /// A field, where it is there and not null.
    pub(crate) fn find(&self, name: &str) -> Option<Field<'a>> {
        let (_, raw) = self.fields.iter().rev().find(|(known, _)| *known == name)?;
        Some(Field { path: self.path(name), raw }).filter(|field| field.start() != b'n')
    }

    /// A field that must be there.
    pub(crate) fn require(&self, name: &str, expected: &str) -> Result<Field<'a>, ApiError> {
        let missing = || ApiError::invalid(&self.path(name), format!("found nothing, expected {expected}"));
        self.find(name).ok_or_else(missing)
    }

    /// A field as a `T`, where it is there.
    pub(crate) fn read<T: Deserialize<'a>>(&self, name: &str, expected: &str) -> Result<Option<T>, ApiError> {
        self.find(name).map(|field| field.read(expected)).transpose()
    }
}

/// A name below a path.
fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.into() } else { format!("{path}.{name}") }
}

fn kind(raw: &RawValue) -> &'static str {
    match raw.get().bytes().next() {
        Some(b'"') => "text",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a flag",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// How deep valid JSON nests.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut is_text, mut is_escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' | b'[' if !is_text => depth += 1,
            b'}' | b']' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn seeded<'a, S: DeserializeSeed<'a>>(raw: &'a RawValue, seed: S) -> Option<S::Value> {
    seed.deserialize(&mut serde_json::Deserializer::from_str(raw.get())).ok()
}

/// Reads the known fields of an object; what is not known takes no memory.
struct Known(&'static [&'static str]);
/// Reads every field of an object, up to a number.
struct Entries(usize);
/// Reads the items of an array, up to a number.
struct Items(usize);

impl<'de> DeserializeSeed<'de> for Known {
    type Value = Vec<(&'static str, &'de RawValue)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Known {
    type Value = Vec<(&'static str, &'de RawValue)>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields: Self::Value = Vec::new();
        while let Some((name, raw)) = map.next_entry::<String, &RawValue>()? {
            let Some(known) = self.0.iter().find(|known| **known == name) else { continue };
            fields.retain(|(earlier, _)| earlier != known);
            fields.push((known, raw));
        }
        Ok(fields)
    }
}

impl<'de> DeserializeSeed<'de> for Entries {
    type Value = Vec<(String, &'de RawValue)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            if fields.len() == self.0 {
                return Err(A::Error::custom("too many fields"));
            }
            fields.push(field);
        }
        Ok(fields)
    }
}

impl<'de> DeserializeSeed<'de> for Items {
    type Value = Vec<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            if items.len() == self.0 {
                return Err(A::Error::custom("too many items"));
            }
            items.push(item);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    fn body(text: &str) -> Field<'_> {
        Field::body(text.as_bytes()).unwrap()
    }

    fn said(error: ApiError) -> (String, String) {
        (error.param.unwrap_or_default(), error.message)
    }

    #[test]
    fn fields_are_named_by_their_path_with_what_was_found() {
        let whole = body(r#"{"a": {"b": [1, "x", null]}, "c": 2, "c": 3, "d": null}"#)
            .object(&["a", "c", "d"])
            .unwrap();
        assert_eq!(whole.read::<u32>("c", "a number").unwrap(), Some(3));
        assert!(whole.find("d").is_none());
        let items = whole
            .require("a", "")
            .unwrap()
            .object(&["b"])
            .unwrap()
            .require("b", "")
            .unwrap()
            .items(3)
            .unwrap();
        let refused = said(items[1].read::<u32>("a number").unwrap_err());
        assert_eq!(refused, ("a.b[1]".to_string(), "found text, expected a number".to_string()));
        assert_eq!(said(whole.require("d", "text").unwrap_err()).1, "found nothing, expected text");
        assert_eq!(said(body("[]").object(&[]).unwrap_err()).1, "found an array, expected an object");
        assert_eq!(
            said(body("[1,2]").items(1).unwrap_err()).1,
            "found an array, expected an array of at most 1 items"
        );
        body(r#"{"a":1,"b":2}"#).entries(1).unwrap_err();
        assert_eq!(body(r#"{"a":1}"#).entries(1).unwrap()[0].0, "a");
    }

    #[test]
    fn what_is_not_json_is_named_by_its_place_and_not_quoted() {
        for text in ["", "{", "{\"secret\" 1}", "[1] 2", "nul"] {
            let (param, message) = said(Field::body(text.as_bytes()).unwrap_err());
            assert!(param.is_empty() && message.starts_with("body: not JSON, at line 1 column"), "{message}");
            assert!(!message.contains("secret"));
        }
        assert_eq!(said(Field::body(b"\"\xff\"").unwrap_err()).1, "body: not UTF-8");
    }

    #[test]
    fn json_that_is_passed_on_is_bounded() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert_eq!(body(&nested(48)).json().unwrap().as_str().len(), 96);
        body(&nested(49)).json().unwrap_err();
        body(&nested(1_000_000)).json().unwrap_err();
        assert_eq!(depth(r#"{"a[[": "\"[[[", "b": [{}]}"#), 3);
        body(&format!("\"{}\"", "x".repeat(BYTES_MAX))).json().unwrap_err();
    }
}
