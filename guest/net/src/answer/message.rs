//! What an answer says, piece by piece.

use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Value, json};

/// A piece of an answer. Content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delta<'a> {
    /// Text for people.
    Text(&'a str),
    /// What the model thought; never told by `/v1/completions`.
    Reasoning(&'a str),
    /// A call of a function begins, and its arguments follow. Never told by `/v1/completions`.
    Call {
        /// Its name in the conversation.
        id: &'a str,
        /// The function.
        name: &'a str,
    },
    /// More of the arguments of the call that began last; nothing where none has begun.
    Arguments(&'a str),
}

/// All that has been said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(super) text: String,
    reasoning: String,
    calls: Vec<Call>,
    /// Calls begun, told or kept.
    begun: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

impl Said {
    /// Keeps a piece for the whole answer.
    pub(super) fn keep(&mut self, delta: Delta<'_>) {
        match delta {
            Delta::Text(text) => self.text.push_str(text),
            Delta::Reasoning(text) => self.reasoning.push_str(text),
            Delta::Call { id, name } => {
                self.calls.push(Call { id: id.into(), name: name.into(), arguments: String::new() });
            }
            Delta::Arguments(text) => {
                self.calls.last_mut().into_iter().for_each(|call| call.arguments.push_str(text));
            }
        }
    }

    /// A piece as the `delta` of a streamed chat; `None` where there is nothing to tell.
    pub(super) fn tell(&mut self, delta: Delta<'_>) -> Option<Value> {
        let told = match delta {
            Delta::Text("") | Delta::Reasoning("") | Delta::Arguments("") => return None,
            Delta::Text(text) => json!({ "content": text }),
            Delta::Reasoning(text) => json!({ "reasoning_content": text }),
            Delta::Call { id, name } => {
                let index = self.begun;
                self.begun += 1;
                let function = json!({ "name": name, "arguments": "" });
                json!({ "tool_calls": [{ "index": index, "id": id, "type": "function", "function": function }] })
            }
            Delta::Arguments(text) => {
                let index = self.begun.checked_sub(1)?;
                json!({ "tool_calls": [{ "index": index, "function": { "arguments": text } }] })
            }
        };
        Some(told)
    }

    /// Text, and what the model thought.
    pub(super) fn texts(&self) -> (&str, &str) {
        (&self.text, &self.reasoning)
    }

    /// Names and arguments of calls.
    pub(super) fn calls(&self) -> Vec<(&str, &str)> {
        self.calls.iter().map(|call| (call.name.as_str(), call.arguments.as_str())).collect()
    }

    /// The message of a whole chat. Content is null where there are only calls.
    pub(super) fn message(&self) -> Value {
        let has_text = self.calls.is_empty() || !self.text.is_empty();
        let mut message =
            json!({ "role": "assistant", "content": has_text.then_some(&self.text), "refusal": null });
        if !self.reasoning.is_empty() {
            message["reasoning_content"] = json!(self.reasoning);
        }
        if !self.calls.is_empty() {
            message["tool_calls"] = self.calls.iter().map(Call::json).collect();
        }
        message
    }
}

impl Call {
    fn json(&self) -> Value {
        let function = json!({ "name": self.name, "arguments": self.arguments });
        json!({ "id": self.id, "type": "function", "function": function })
    }
}
