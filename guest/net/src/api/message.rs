//! Messages of a conversation.

use alloc::string::String;
use alloc::vec::Vec;

use super::tools::function_name;
use crate::error::ApiError;
use crate::json::{Field, Object};

/// Most messages of a conversation, and most parts of a message.
const MESSAGES_MAX: usize = 4096;
/// Most calls of a message.
const CALLS_MAX: usize = 128;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `system`; `developer` is its newer name.
    System,
    /// `user`.
    User,
    /// `assistant`.
    Assistant,
    /// `tool`: what a called function gave.
    Tool,
}

impl Role {
    /// Its name, as templates know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// One message of a conversation. Content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// Its text, parts joined; `None` only where there are calls.
    pub content: Option<String>,
    /// Name of the speaker or, with some clients, of the called function.
    pub name: Option<String>,
    /// Calls of an assistant.
    pub tool_calls: Vec<ToolCall>,
    /// Which call a tool answers.
    pub tool_call_id: Option<String>,
    /// Extension: what an assistant thought.
    pub reasoning_content: Option<String>,
}

/// A call that an assistant made. Content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// Its name in the conversation.
    pub id: String,
    /// Name of the function.
    pub name: String,
    /// Arguments as the model wrote them: JSON, as a rule.
    pub arguments: String,
}

const FIELDS: &[&str] =
    &["role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content", "function_call"];

pub(super) fn messages(body: &Object<'_>) -> Result<Vec<Message>, ApiError> {
    let messages = body.require("messages", "at least one message")?.items(MESSAGES_MAX)?;
    if messages.is_empty() {
        return Err(ApiError::invalid("messages", "found none, expected at least one message"));
    }
    messages.iter().map(message).collect()
}

fn message(field: &Field<'_>) -> Result<Message, ApiError> {
    let message = field.object(FIELDS)?;
    if let Some(old) = message.find("function_call") {
        return Err(old.refused("\"tool_calls\" instead"));
    }
    let role = role(&message)?;
    let tool_calls = match message.find("tool_calls") {
        Some(calls) if role == Role::Assistant => {
            calls.items(CALLS_MAX)?.iter().map(call).collect::<Result<_, _>>()?
        }
        Some(calls) => return Err(calls.refused("calls of the assistant only")),
        None => Vec::new(),
    };
    let content = message.find("content").map(|content| text_or_parts(&content)).transpose()?;
    if content.is_none() && tool_calls.is_empty() {
        return Err(message
            .require("content", "text or parts of type \"text\"")
            .err()
            .unwrap_or_else(no_content));
    }
    if role == Role::Tool {
        message.require("tool_call_id", "the id of the call that it answers")?;
    }
    let text = |name| message.read::<String>(name, "text");
    Ok(Message {
        role,
        content,
        name: text("name")?,
        tool_calls,
        tool_call_id: text("tool_call_id")?,
        reasoning_content: text("reasoning_content")?,
    })
}

fn no_content() -> ApiError {
    ApiError::invalid("messages", "expected content")
}

fn role(message: &Object<'_>) -> Result<Role, ApiError> {
    const EXPECTED: &str = "system, developer, user, assistant or tool";
    let field = message.require("role", EXPECTED)?;
    Ok(match field.text()?.as_str() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => return Err(field.refused(EXPECTED)),
    })
}

/// Content as text, or as parts whose texts are joined.
fn text_or_parts(content: &Field<'_>) -> Result<String, ApiError> {
    const EXPECTED: &str = "text or parts of type \"text\"";
    match content.start() {
        b'"' => content.text(),
        b'[' => content.items(MESSAGES_MAX)?.iter().map(part).collect(),
        _ => Err(content.refused(EXPECTED)),
    }
}

fn part(field: &Field<'_>) -> Result<String, ApiError> {
    let part = field.object(&["type", "text"])?;
    let kind = part.require("type", "\"text\"")?;
    if kind.text()? != "text" {
        return Err(kind.refused("\"text\", other parts are not supported"));
    }
    part.require("text", "text")?.text()
}

fn call(field: &Field<'_>) -> Result<ToolCall, ApiError> {
    let call = field.object(&["id", "type", "function"])?;
    let kind = call.require("type", "\"function\"")?;
    if kind.text()? != "function" {
        return Err(kind.refused("\"function\""));
    }
    let function = call.require("function", "an object")?.object(&["name", "arguments"])?;
    Ok(ToolCall {
        id: call.require("id", "text")?.text()?,
        name: function_name(&function)?,
        arguments: function.require("arguments", "JSON as text")?.text()?,
    })
}
