//! Requests of the OpenAI API, out of JSON into checked values.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use serde::Deserialize;

use crate::error::ApiError;

/// One message of a conversation. Content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user`, `assistant`.
    pub role: String,
    /// Its text.
    pub content: String,
}

/// What to continue. Content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// A conversation, to be rendered by the model's template.
    Chat(Vec<Message>),
    /// Text as it is.
    Text(String),
}

/// Sampling as asked for; what is missing is the agent's to choose.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sampling {
    /// 0 to 2.
    pub temperature: Option<f32>,
    /// Extension: the k likeliest.
    pub top_k: Option<u32>,
    /// 0 to 1.
    pub top_p: Option<f32>,
    /// Extension: relative to the likeliest.
    pub min_p: Option<f32>,
    /// Extension.
    pub repetition_penalty: Option<f32>,
    /// -2 to 2.
    pub presence_penalty: Option<f32>,
    /// -2 to 2.
    pub frequency_penalty: Option<f32>,
    /// Start of the random sequence.
    pub seed: Option<u64>,
}

/// A request to generate. Holds content: never to be logged.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// What to continue.
    pub prompt: Prompt,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Most tokens of the answer.
    pub max_tokens: Option<u32>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// Alternatives to report with each token; `None` for no probabilities.
    pub logprobs: Option<u32>,
    pub(crate) is_stream: bool,
    pub(crate) includes_usage: bool,
}

/// One text or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Content as text or as parts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct RawMessage {
    role: String,
    content: Option<Content>,
}

/// `logprobs` is a flag for chats and a number for completions.
#[derive(Deserialize)]
#[serde(untagged)]
enum Logprobs {
    Flag(bool),
    Count(u32),
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

/// Both kinds of request as they come. Fields this appliance does not know are ignored, as clients send many; those that
/// would change the answer and are not supported are refused.
#[derive(Deserialize)]
struct Raw {
    model: Option<String>,
    messages: Option<Vec<RawMessage>>,
    prompt: Option<OneOrMany>,
    #[serde(default)]
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    stop: Option<OneOrMany>,
    n: Option<u32>,
    logprobs: Option<Logprobs>,
    top_logprobs: Option<u32>,
    temperature: Option<f32>,
    top_k: Option<u32>,
    top_p: Option<f32>,
    min_p: Option<f32>,
    repetition_penalty: Option<f32>,
    presence_penalty: Option<f32>,
    frequency_penalty: Option<f32>,
    seed: Option<i64>,
    tools: Option<Vec<serde_json::Value>>,
    response_format: Option<serde_json::Value>,
}

/// Reads a body of `/v1/chat/completions` (`is_chat`) or `/v1/completions`.
///
/// # Errors
/// The field that is malformed, out of range or not served; never its content.
pub fn generation(body: &[u8], is_chat: bool, model: &str) -> Result<Generation, ApiError> {
    let raw: Raw = serde_json::from_slice(body).map_err(|error| bad_json(&error))?;
    check(&raw, model)?;
    let prompt = if is_chat { chat(raw.messages)? } else { text(raw.prompt)? };
    let logprobs = logprobs(raw.logprobs, raw.top_logprobs, is_chat)?;
    let sampling = Sampling {
        temperature: raw.temperature,
        top_k: raw.top_k,
        top_p: raw.top_p,
        min_p: raw.min_p,
        repetition_penalty: raw.repetition_penalty,
        presence_penalty: raw.presence_penalty,
        frequency_penalty: raw.frequency_penalty,
        seed: raw.seed.map(i64::cast_unsigned),
    };
    let default_tokens = if is_chat { None } else { Some(16) };
    Ok(Generation {
        prompt,
        sampling,
        max_tokens: raw.max_completion_tokens.or(raw.max_tokens).or(default_tokens),
        stop: raw.stop.map(many).unwrap_or_default(),
        logprobs,
        is_stream: raw.stream.unwrap_or(false),
        includes_usage: raw.stream_options.is_some_and(|options| options.include_usage),
    })
}

/// Names the place; the error's own text could quote content.
fn bad_json(error: &serde_json::Error) -> ApiError {
    let what = if error.is_data() { "a field has another type than the API says" } else { "not JSON" };
    ApiError::invalid("", format!("body: {what}, at line {} column {}", error.line(), error.column()))
}

fn check(raw: &Raw, model: &str) -> Result<(), ApiError> {
    if raw.model.as_ref().is_some_and(|found| found != model) {
        let message = format!("this appliance serves the model {model:?} alone");
        return Err(ApiError { status: 404, ..ApiError::invalid("model", message) });
    }
    if raw.n.is_some_and(|n| n != 1) {
        return Err(ApiError::invalid("n", "expected 1"));
    }
    if raw.tools.as_ref().is_some_and(|tools| !tools.is_empty()) {
        return Err(ApiError::invalid("tools", "not supported yet"));
    }
    let format = raw.response_format.as_ref().and_then(|format| format.get("type")?.as_str());
    if format.is_some_and(|format| format != "text") {
        return Err(ApiError::invalid(
            "response_format",
            "expected type \"text\", others are not supported yet",
        ));
    }
    Ok(())
}

fn chat(messages: Option<Vec<RawMessage>>) -> Result<Prompt, ApiError> {
    let messages = messages.filter(|messages| !messages.is_empty());
    let messages = messages.ok_or_else(|| ApiError::invalid("messages", "expected at least one message"))?;
    messages.into_iter().enumerate().map(message).collect::<Result<_, _>>().map(Prompt::Chat)
}

fn message((at, raw): (usize, RawMessage)) -> Result<Message, ApiError> {
    let role = match raw.role.as_str() {
        "developer" => "system",
        "system" | "user" | "assistant" => raw.role.as_str(),
        _ => {
            return Err(ApiError::invalid(
                &format!("messages[{at}].role"),
                "expected system, user or assistant",
            ));
        }
    };
    let refused =
        || ApiError::invalid(&format!("messages[{at}].content"), "expected text or parts of type \"text\"");
    let content = match raw.content.ok_or_else(refused)? {
        Content::Text(text) => text,
        Content::Parts(parts) if parts.iter().all(|part| part.kind == "text") => {
            parts.into_iter().map(|part| part.text).collect()
        }
        Content::Parts(_) => return Err(refused()),
    };
    Ok(Message { role: role.into(), content })
}

fn text(prompt: Option<OneOrMany>) -> Result<Prompt, ApiError> {
    let prompts = prompt.map(many).unwrap_or_default();
    let [prompt] = prompts.as_slice() else { return Err(ApiError::invalid("prompt", "expected one text")) };
    Ok(Prompt::Text(prompt.clone()))
}

fn many(value: OneOrMany) -> Vec<String> {
    match value {
        OneOrMany::One(text) => vec![text],
        OneOrMany::Many(texts) => texts,
    }
}

fn logprobs(logprobs: Option<Logprobs>, top: Option<u32>, is_chat: bool) -> Result<Option<u32>, ApiError> {
    match (logprobs, top, is_chat) {
        (Some(Logprobs::Flag(true)), top, true) => Ok(Some(top.unwrap_or(0))),
        (None | Some(Logprobs::Flag(false)), None | Some(0), _) => Ok(None),
        (Some(Logprobs::Count(count)), None, false) => Ok(Some(count)),
        (_, Some(_), true) => Err(ApiError::invalid("top_logprobs", "expected \"logprobs\": true beside it")),
        _ => Err(ApiError::invalid("logprobs", "expected a flag for chats, a number for completions")),
    }
}
