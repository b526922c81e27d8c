//! Requests of `/v1/embeddings`.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::check_model;
use crate::error::ApiError;
use crate::json::{Field, Object};

/// Most inputs of a request; the OpenAI API has the same.
const INPUTS_MAX: usize = 2048;
/// Most elements of all vectors of an answer: 4 MiB.
const ELEMENTS_MAX: usize = 1 << 20;
/// Most tokens of an input; the context holds fewer.
const TOKENS_MAX: usize = 1 << 17;

/// Texts to be embedded. Holds content: never to be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedding {
    /// What to embed; at least one, and none is empty.
    pub inputs: Vec<Input>,
    /// Extension: how the states of an input's tokens become one vector; the model's own way where nothing is said.
    pub pooling: Option<Pooling>,
    pub(crate) form: Form,
}

/// One input. Content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A text, to be encoded.
    Text(String),
    /// Tokens as they are.
    Tokens(Vec<u32>),
}

/// How states of tokens become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The mean of all.
    Mean,
    /// That of the last token.
    Last,
}

/// How vectors are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As numbers.
    #[default]
    Float,
    /// As base64 of little-endian `f32`.
    Base64,
}

/// The form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) encoding: Encoding,
    /// Elements that are kept; 1 to the model's width.
    pub(crate) dimensions: Option<usize>,
}

const FIELDS: &[&str] = &["model", "input", "encoding_format", "dimensions", "pooling", "receipt"];

/// Reads a body of `/v1/embeddings`; `width` is the number of elements that the model's vectors have.
///
/// # Errors
/// The field that is malformed or out of range, with what was found and what is expected; never its content.
pub fn embedding(body: &[u8], model: &str, width: usize) -> Result<Embedding, ApiError> {
    let body = Field::body(body)?.object(FIELDS)?;
    check_model(&body, model)?;
    if body.read("receipt", "a flag")?.unwrap_or(false) {
        return Err(ApiError::invalid("receipt", "found true, expected it for chats and completions alone"));
    }
    let inputs = inputs(&body.require("input", EXPECTED)?)?;
    let most = (ELEMENTS_MAX / width.max(1)).max(1);
    if inputs.len() > most {
        let said = alloc::format!("found {} inputs, expected at most {most} in one request", inputs.len());
        return Err(ApiError::invalid("input", said));
    }
    Ok(Embedding {
        inputs,
        pooling: pooling(&body)?,
        form: Form { encoding: encoding(&body)?, dimensions: dimensions(&body, width)? },
    })
}

const EXPECTED: &str = "a text, an array of texts, tokens, or an array of tokens' arrays";

fn inputs(field: &Field<'_>) -> Result<Vec<Input>, ApiError> {
    if field.start() == b'"' {
        return Ok(vec![text(field)?]);
    }
    // An array that starts with a number is one input of tokens, and may be longer than there may be inputs.
    if field.start() == b'[' && field.starts_with_number() {
        return Ok(vec![tokens(field)?]);
    }
    let items = field.items(INPUTS_MAX)?;
    if items.is_empty() {
        return Err(field.refused("at least one input"));
    }
    items.iter().map(input).collect()
}

fn input(field: &Field<'_>) -> Result<Input, ApiError> {
    match field.start() {
        b'"' => text(field),
        b'[' => tokens(field),
        _ => Err(field.refused(EXPECTED)),
    }
}

fn text(field: &Field<'_>) -> Result<Input, ApiError> {
    let text = field.text()?;
    if text.is_empty() { Err(field.refused("text that is not empty")) } else { Ok(Input::Text(text)) }
}

fn tokens(field: &Field<'_>) -> Result<Input, ApiError> {
    let tokens = field.numbers(TOKENS_MAX)?;
    if tokens.is_empty() { Err(field.refused("at least one token")) } else { Ok(Input::Tokens(tokens)) }
}

fn encoding(body: &Object<'_>) -> Result<Encoding, ApiError> {
    const EXPECTED: &str = "\"float\" or \"base64\"";
    let Some(field) = body.find("encoding_format") else { return Ok(Encoding::Float) };
    match field.read::<String>(EXPECTED)?.as_str() {
        "float" => Ok(Encoding::Float),
        "base64" => Ok(Encoding::Base64),
        _ => Err(field.refused(EXPECTED)),
    }
}

fn pooling(body: &Object<'_>) -> Result<Option<Pooling>, ApiError> {
    const EXPECTED: &str = "\"mean\" or \"last\"";
    let Some(field) = body.find("pooling") else { return Ok(None) };
    match field.read::<String>(EXPECTED)?.as_str() {
        "mean" => Ok(Some(Pooling::Mean)),
        "last" => Ok(Some(Pooling::Last)),
        _ => Err(field.refused(EXPECTED)),
    }
}

fn dimensions(body: &Object<'_>, width: usize) -> Result<Option<usize>, ApiError> {
    let found = body.read::<u64>("dimensions", "a number of elements")?;
    let Some(found) = found else { return Ok(None) };
    match usize::try_from(found) {
        Ok(dimensions) if (1..=width).contains(&dimensions) => Ok(Some(dimensions)),
        _ => Err(ApiError::invalid("dimensions", alloc::format!("found {found}, expected 1 to {width}"))),
    }
}
