//! The form of an answer.

use alloc::string::String;

use super::tools::{NAME, is_name, object};
use crate::error::ApiError;
use crate::json::{Field, JsonText, Object};

/// Most bytes of a grammar.
const GRAMMAR_MAX: usize = 64 << 10;

/// The form that an answer must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Any text.
    #[default]
    Text,
    /// An object of JSON.
    JsonObject,
    /// JSON of a schema.
    JsonSchema(Schema),
    /// Extension: what this grammar of llama.cpp's GBNF gives; 1 byte to 64 KiB. Content.
    Grammar(String),
}

/// A schema by its name. Content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// 1 to 64 ASCII letters, digits, `_` and `-`.
    pub name: String,
    /// Whether all of it must hold; otherwise what is not supported may be left out.
    pub is_strict: bool,
    /// The JSON Schema, an object.
    pub schema: JsonText,
}

pub(super) fn format(body: &Object<'_>) -> Result<Format, ApiError> {
    let format =
        body.find("response_format").map_or_else(|| Ok(Format::Text), |field| response_format(&field))?;
    let Some(field) = body.find("grammar") else { return Ok(format) };
    if format != Format::Text {
        return Err(field.refused("it without \"response_format\""));
    }
    let grammar = field.text()?;
    if (1..=GRAMMAR_MAX).contains(&grammar.len()) {
        return Ok(Format::Grammar(grammar));
    }
    let said = alloc::format!("found {} bytes, expected 1 to {GRAMMAR_MAX}", grammar.len());
    Err(ApiError::invalid("grammar", said))
}

fn response_format(field: &Field<'_>) -> Result<Format, ApiError> {
    const EXPECTED: &str = "\"text\", \"json_object\" or \"json_schema\"";
    let format = field.object(&["type", "json_schema"])?;
    let kind = format.require("type", EXPECTED)?;
    match kind.text()?.as_str() {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::JsonObject),
        "json_schema" => schema(&format.require("json_schema", "an object")?).map(Format::JsonSchema),
        _ => Err(kind.refused(EXPECTED)),
    }
}

fn schema(field: &Field<'_>) -> Result<Schema, ApiError> {
    let schema = field.object(&["name", "strict", "schema"])?;
    let name = schema.require("name", NAME)?;
    let named = name.text()?;
    if !is_name(&named) {
        return Err(name.refused(NAME));
    }
    Ok(Schema {
        name: named,
        is_strict: schema.read("strict", "a flag")?.unwrap_or(false),
        schema: object(&schema.require("schema", "an object")?)?,
    })
}
