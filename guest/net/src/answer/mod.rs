//! Answers in OpenAI's form: whole, and as server-sent events.

mod logprob;
mod message;
pub(crate) mod ollama;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Value, json};

use crate::api::Dialect;
use crate::notary::Draft;

pub use logprob::{TokenLogprob, TokenText};
pub use message::Delta;
pub(crate) use message::Said;

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model ended it, or a stop text came.
    Stop,
    /// It is as long as it may be.
    Length,
    /// The model calls functions and waits for what they give.
    ToolCalls,
}

impl Finish {
    const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
        }
    }
}

/// Tokens of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the prompt.
    pub prompt_tokens: usize,
    /// Those of the prompt that were computed before.
    pub cached_tokens: usize,
    /// Of the answer.
    pub completion_tokens: usize,
}

/// An answer in the making.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) id: String,
    pub(crate) is_chat: bool,
    pub(crate) dialect: Dialect,
    pub(crate) is_stream: bool,
    pub(crate) includes_usage: bool,
    pub(crate) created: u64,
    pub(crate) model: String,
    pub(crate) has_logprobs: bool,
    pub(crate) said: Said,
    pub(crate) logprobs: Vec<TokenLogprob>,
    pub(crate) is_started: bool,
    /// The receipt that is to come with it.
    pub(crate) receipt: Option<Box<Draft>>,
}

impl Answer {
    /// Adds a piece and the probabilities of its token; for a stream, the events to send.
    pub(crate) fn add(&mut self, delta: Delta<'_>, logprob: Option<TokenLogprob>) -> Vec<u8> {
        let is_told = self.is_chat || matches!(delta, Delta::Text(_));
        self.receipt.iter_mut().filter(|_| is_told).for_each(|draft| draft.keep(delta));
        if self.dialect != Dialect::OpenAi {
            self.said.keep(delta);
            return if self.is_stream { ollama::piece(self, delta) } else { Vec::new() };
        }
        if !self.is_stream {
            self.said.keep(delta);
            self.logprobs.extend(logprob);
            return Vec::new();
        }
        let mut events = self.opening();
        let told = self.tell(delta);
        if told.is_some() || logprob.is_some() {
            let logprobs: Vec<_> = logprob.into_iter().collect();
            let choice = told.unwrap_or_else(|| self.nothing());
            events.extend(self.event(choice, self.logprobs(&logprobs), None));
        }
        events
    }

    /// The end of a stream, or the whole answer's body; with the receipt, where there is one.
    pub(crate) fn finish(&mut self, finish: Finish, usage: Usage, receipt: Option<&str>) -> Vec<u8> {
        if self.dialect != Dialect::OpenAi {
            return ollama::finish(self, finish, usage, receipt);
        }
        if !self.is_stream {
            return self.whole(finish.name(), usage, receipt);
        }
        let mut events = self.opening();
        let last = if self.is_chat { json!({ "delta": {} }) } else { self.nothing() };
        events.extend(self.event(last, Value::Null, Some(finish.name())));
        if self.includes_usage {
            let mut object = self.object();
            object["choices"] = json!([]);
            object["usage"] = counts(usage);
            events.extend(data(&object));
        }
        if let Some(receipt) = receipt {
            let mut object = self.object();
            object["choices"] = json!([]);
            object["receipt"] = json!(receipt);
            events.extend(data(&object));
        }
        events.extend_from_slice(b"data: [DONE]\n\n");
        events
    }

    /// The first event of a chat names the role.
    fn opening(&mut self) -> Vec<u8> {
        if self.is_started || !self.is_chat {
            return Vec::new();
        }
        self.is_started = true;
        self.event(json!({ "delta": { "role": "assistant", "content": "" } }), Value::Null, None)
    }

    fn tell(&mut self, delta: Delta<'_>) -> Option<Value> {
        match delta {
            _ if self.is_chat => self.said.tell(delta).map(|delta| json!({ "delta": delta })),
            Delta::Text(text) if !text.is_empty() => Some(json!({ "text": text })),
            _ => None,
        }
    }

    /// A choice that says nothing.
    fn nothing(&self) -> Value {
        if self.is_chat { json!({ "delta": { "content": "" } }) } else { json!({ "text": "" }) }
    }

    fn event(&self, mut choice: Value, logprobs: Value, finish: Option<&str>) -> Vec<u8> {
        choice["index"] = json!(0);
        choice["logprobs"] = logprobs;
        choice["finish_reason"] = json!(finish);
        let mut object = self.object();
        object["choices"] = json!([choice]);
        data(&object)
    }

    fn whole(&self, reason: &str, usage: Usage, receipt: Option<&str>) -> Vec<u8> {
        let mut choice = if self.is_chat {
            json!({ "message": self.said.message() })
        } else {
            json!({ "text": self.said.text })
        };
        choice["index"] = json!(0);
        choice["logprobs"] = self.logprobs(&self.logprobs);
        choice["finish_reason"] = json!(reason);
        let mut object = self.object();
        object["choices"] = json!([choice]);
        object["usage"] = counts(usage);
        if let Some(receipt) = receipt {
            object["receipt"] = json!(receipt);
        }
        serde_json::to_vec(&object).unwrap_or_default()
    }

    fn object(&self) -> Value {
        let kind = match (self.is_chat, self.is_stream) {
            (true, true) => "chat.completion.chunk",
            (true, false) => "chat.completion",
            (false, _) => "text_completion",
        };
        json!({ "id": self.id, "object": kind, "created": self.created, "model": self.model })
    }

    fn logprobs(&self, tokens: &[TokenLogprob]) -> Value {
        match (self.has_logprobs, self.is_chat) {
            (false, _) => Value::Null,
            (true, true) => logprob::of_chat(tokens),
            (true, false) => logprob::of_completion(tokens),
        }
    }
}

fn counts(usage: Usage) -> Value {
    let Usage { prompt_tokens, cached_tokens, completion_tokens } = usage;
    json!({
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": { "cached_tokens": cached_tokens },
    })
}

fn data(object: &Value) -> Vec<u8> {
    format!("data: {object}\n\n").into_bytes()
}
