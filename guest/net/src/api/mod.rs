//! Requests of the OpenAI API, out of JSON into checked values.

mod caching;
mod embedding;
mod format;
mod message;
mod ollama;
mod pace;
mod sampling;
#[cfg(test)]
mod tests;
mod tools;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

pub use caching::Caching;
pub(crate) use embedding::Form;
pub use embedding::{Embedding, Encoding, Input, Pooling, embedding};
pub use format::{Format, Schema};
pub use message::{Message, Role, ToolCall};
pub use ollama::ollama;
pub(crate) use ollama::tags;
pub use sampling::Sampling;
pub use tools::{Tool, ToolChoice, Tools};

use crate::error::ApiError;
use crate::json::{Field, JsonText, Object};
use crate::paced::Pace;

/// Most variables for the template.
const VARIABLES_MAX: usize = 32;
/// Most texts that end an answer; the batcher takes fewer.
const STOPS_MAX: usize = 64;

/// What to continue. Content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// A conversation, to be rendered by the model's template.
    Chat(Vec<Message>),
    /// Text as it is.
    Text(String),
}

/// What happens when prompt and answer fill the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The answer ends.
    #[default]
    Stop,
    /// Older tokens are dropped, but for the first so many.
    Shift {
        /// Tokens of the prompt's start that stay.
        keep: u32,
    },
}

/// A request to generate. Holds content: never to be logged.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// What to continue.
    pub prompt: Prompt,
    /// Functions that may be called.
    pub tools: Tools,
    /// The answer's form.
    pub format: Format,
    /// Extension: further variables of the template, as `enable_thinking`. None is of those that it has in any case.
    pub template_variables: Vec<(String, JsonText)>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Most tokens of the answer.
    pub max_tokens: Option<u32>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// Alternatives to report with each token; `None` for no probabilities.
    pub logprobs: Option<u32>,
    /// With which other requests it shares what its prompt costs.
    pub caching: Caching,
    /// Extension `context_overflow`, with `n_keep`.
    pub overflow: Overflow,
    /// Extension `deterministic`: the answer's bytes do not depend on what else is computed.
    pub is_deterministic: bool,
    pub(crate) is_stream: bool,
    pub(crate) includes_usage: bool,
    /// Extension `receipt`.
    pub(crate) wants_receipt: bool,
    /// Extension `stream_frames`.
    pub(crate) pace: Option<Pace>,
    pub(crate) dialect: Dialect,
}

/// In whose words a request came, and is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// OpenAI's.
    #[default]
    OpenAi,
    /// Ollama's `/api/chat`.
    OllamaChat,
    /// Ollama's `/api/generate`.
    OllamaGenerate,
}

/// Fields of both kinds of request. Others are ignored, as clients send many.
const FIELDS: &[&str] = &[
    "model",
    "messages",
    "prompt",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "n",
    "logprobs",
    "top_logprobs",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "response_format",
    "grammar",
    "chat_template_kwargs",
    "logit_bias",
    "best_of",
    "echo",
    "suffix",
    "modalities",
    "deterministic",
    "context_overflow",
    "n_keep",
    "cache_prompt",
    "prompt_cache_key",
    "user",
    "safety_identifier",
    "receipt",
    "stream_frames",
];

/// Reads a body of `/v1/chat/completions` (`is_chat`) or `/v1/completions`.
///
/// # Errors
/// The field that is malformed, out of range or not served, with what was found and what is expected; never its content.
pub fn generation(body: &[u8], is_chat: bool, model: &str) -> Result<Generation, ApiError> {
    let body = Field::body(body)?.object(FIELDS)?;
    check_model(&body, model)?;
    check_unserved(&body, is_chat)?;
    let max_tokens = body.read("max_completion_tokens", "a number of tokens")?;
    let max_tokens = max_tokens.or(body.read("max_tokens", "a number of tokens")?);
    let default_tokens = if is_chat { None } else { Some(16) };
    Ok(Generation {
        prompt: if is_chat { Prompt::Chat(message::messages(&body)?) } else { text(&body)? },
        tools: tools::tools(&body)?,
        format: format::format(&body)?,
        template_variables: template_variables(&body)?,
        sampling: sampling::sampling(&body)?,
        max_tokens: max_tokens.or(default_tokens),
        stop: stop(&body)?,
        logprobs: sampling::logprobs(&body, is_chat)?,
        caching: caching::caching(&body)?,
        overflow: overflow(&body)?,
        is_deterministic: body.read("deterministic", "a flag")?.unwrap_or(false),
        is_stream: body.read("stream", "a flag")?.unwrap_or(false),
        includes_usage: includes_usage(&body)?,
        wants_receipt: body.read("receipt", "a flag")?.unwrap_or(false),
        pace: pace::pace(&body)?,
        dialect: Dialect::OpenAi,
    })
}

/// An appliance has one model.
fn check_model(body: &Object<'_>, model: &str) -> Result<(), ApiError> {
    if body.read::<String>("model", "text")?.is_some_and(|found| found != model) {
        let message = format!("this appliance serves the model {model:?} alone");
        return Err(ApiError { status: 404, ..ApiError::invalid("model", message) });
    }
    Ok(())
}

/// What would change the answer and is not served.
fn check_unserved(body: &Object<'_>, is_chat: bool) -> Result<(), ApiError> {
    for name in ["n", "best_of"] {
        if let Some(found) = body.read::<u64>(name, "1")?.filter(|found| *found != 1) {
            return Err(ApiError::invalid(name, format!("found {found}, expected 1")));
        }
    }
    if body.read("echo", "a flag")?.unwrap_or(false) {
        return Err(ApiError::invalid("echo", "found true, expected false"));
    }
    let of_chats: &[&str] = if is_chat { &[] } else { &["tools", "tool_choice", "chat_template_kwargs"] };
    for name in of_chats.iter().chain(&["suffix"]) {
        if let Some(field) = body.find(name) {
            return Err(field.refused("nothing"));
        }
    }
    if let Some(bias) = body.find("logit_bias") {
        bias.entries(0)?;
    }
    let modalities = body.read::<Vec<String>>("modalities", "an array of texts")?.unwrap_or_default();
    if modalities.iter().any(|kind| kind != "text") {
        return Err(ApiError::invalid("modalities", "expected \"text\" alone"));
    }
    Ok(())
}

fn text(body: &Object<'_>) -> Result<Prompt, ApiError> {
    let field = body.require("prompt", "one text")?;
    match field.start() {
        b'[' => match field.items(1)?.as_slice() {
            [one] => one.text().map(Prompt::Text),
            _ => Err(field.refused("one text")),
        },
        _ => field.read("one text").map(Prompt::Text),
    }
}

fn stop(body: &Object<'_>) -> Result<Vec<String>, ApiError> {
    let Some(field) = body.find("stop") else { return Ok(Vec::new()) };
    match field.start() {
        b'[' => field.items(STOPS_MAX)?.iter().map(Field::text).collect(),
        _ => Ok(vec![field.read("a text or an array of texts")?]),
    }
}

fn includes_usage(body: &Object<'_>) -> Result<bool, ApiError> {
    let Some(field) = body.find("stream_options") else { return Ok(false) };
    Ok(field.object(&["include_usage"])?.read("include_usage", "a flag")?.unwrap_or(false))
}

fn overflow(body: &Object<'_>) -> Result<Overflow, ApiError> {
    const EXPECTED: &str = "\"stop\" or \"shift\"";
    let keep = body.read::<u32>("n_keep", "a number of tokens")?;
    let asked = body.find("context_overflow");
    match (asked.as_ref().map(|field| field.read::<String>(EXPECTED)).transpose()?.as_deref(), keep) {
        (Some("shift"), keep) => Ok(Overflow::Shift { keep: keep.unwrap_or(0) }),
        (None | Some("stop"), None) => Ok(Overflow::Stop),
        (None | Some("stop"), Some(_)) => {
            Err(ApiError::invalid("n_keep", "expected \"context_overflow\": \"shift\" beside it"))
        }
        (Some(_), _) => {
            Err(ApiError::invalid("context_overflow", alloc::format!("found text, expected {EXPECTED}")))
        }
    }
}

fn template_variables(body: &Object<'_>) -> Result<Vec<(String, JsonText)>, ApiError> {
    let Some(field) = body.find("chat_template_kwargs") else { return Ok(Vec::new()) };
    let variable = |(name, value): (String, Field<'_>)| {
        if !is_variable(&name) {
            let path = "chat_template_kwargs";
            return Err(ApiError::invalid(path, "expected names that the request does not set elsewhere"));
        }
        Ok((name, value.json()?))
    };
    field.entries(VARIABLES_MAX)?.into_iter().map(variable).collect()
}

/// Whether a name is free for variables: an identifier that no conversation sets.
fn is_variable(name: &str) -> bool {
    let own = ["messages", "tools", "add_generation_prompt", "bos_token", "eos_token"];
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(is_part) && !own.contains(&name)
}
