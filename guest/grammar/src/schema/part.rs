//! One of the schemas that a value must follow all at once, and reading its keywords.

use alloc::format;

use super::path::Path;
use crate::error::GrammarError;
use crate::json::{Json, whole};

/// A schema at its place. A value follows a list of these: `allOf`, references and choices are parts of one list.
#[derive(Clone, Debug)]
pub(super) struct Part<'a> {
    pub(super) schema: &'a Json,
    pub(super) path: Path<'a>,
    /// Its `allOf` and `$ref` are parts of the list.
    pub(super) is_flat: bool,
    /// Its `anyOf` and `oneOf` are dealt with.
    pub(super) is_chosen: [bool; 2],
}

impl<'a> Part<'a> {
    pub(super) const fn new(schema: &'a Json, path: Path<'a>) -> Self {
        Self { schema, path, is_flat: false, is_chosen: [false; 2] }
    }

    /// A keyword's value and its place.
    pub(super) fn keyword(&self, name: &'a str) -> Option<Part<'a>> {
        self.schema.get(name).map(|value| Part::new(value, self.path.field(name)))
    }

    /// The parts of a list.
    pub(super) fn items(&self) -> Result<impl Iterator<Item = Part<'a>> + use<'a>, GrammarError> {
        let Json::List(items) = self.schema else { return Err(self.expected("an array")) };
        let path = self.path.clone();
        Ok(items.iter().enumerate().map(move |(at, item)| Part::new(item, path.item(at))))
    }

    /// The fields of an object.
    pub(super) fn fields(&self) -> Result<impl Iterator<Item = (&'a str, Part<'a>)> + use<'a>, GrammarError> {
        let Json::Object(fields) = self.schema else { return Err(self.expected("an object")) };
        let path = self.path.clone();
        Ok(fields.iter().map(move |(name, value)| (name.as_str(), Part::new(value, path.field(name)))))
    }

    pub(super) fn text(&self) -> Result<&'a str, GrammarError> {
        match self.schema {
            Json::Text(text) => Ok(text),
            _ => Err(self.expected("a string")),
        }
    }

    pub(super) fn flag(&self) -> Result<bool, GrammarError> {
        match self.schema {
            Json::Bool(flag) => Ok(*flag),
            _ => Err(self.expected("true or false")),
        }
    }

    /// A count of things, as large as it may be for `usize`.
    pub(super) fn count(&self) -> Result<usize, GrammarError> {
        let value = match self.schema {
            Json::Int(value) => Some(*value),
            Json::Float(value) => whole(*value),
            _ => None,
        };
        let count =
            value.filter(|&value| value >= 0).map(|value| usize::try_from(value).unwrap_or(usize::MAX));
        count.ok_or_else(|| self.expected("a whole number from 0"))
    }

    /// An error: what was expected here.
    pub(super) fn expected(&self, what: &str) -> GrammarError {
        self.path.error(format!("expected {what}"))
    }
}
