//! Answers in OpenAI's form: whole, and as server-sent events.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Value, json};

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model ended it, or a stop text came.
    Stop,
    /// It is as long as it may be.
    Length,
}

/// Tokens of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the prompt.
    pub prompt_tokens: usize,
    /// Of the answer.
    pub completion_tokens: usize,
}

/// A token's bytes. Content.
pub type TokenText = Vec<u8>;

/// Probabilities of one token.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenLogprob {
    /// The token.
    pub token: TokenText,
    /// Its log-probability.
    pub logprob: f32,
    /// The likeliest tokens and theirs.
    pub top: Vec<(TokenText, f32)>,
}

/// An answer in the making.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) id: String,
    pub(crate) is_chat: bool,
    pub(crate) is_stream: bool,
    pub(crate) includes_usage: bool,
    pub(crate) created: u64,
    pub(crate) model: String,
    pub(crate) has_logprobs: bool,
    pub(crate) text: String,
    pub(crate) logprobs: Vec<TokenLogprob>,
    pub(crate) is_started: bool,
}

impl Answer {
    /// Adds text and probabilities; for a stream, the events to send.
    pub(crate) fn add(&mut self, text: &str, logprob: Option<TokenLogprob>) -> Vec<u8> {
        if !self.is_stream {
            self.text.push_str(text);
            self.logprobs.extend(logprob);
            return Vec::new();
        }
        let mut events = self.opening();
        if !text.is_empty() || logprob.is_some() {
            let logprobs: Vec<_> = logprob.into_iter().collect();
            events.extend(self.event(self.delta(text), self.logprobs(&logprobs), None));
        }
        events
    }

    /// The end of a stream, or the whole answer's body.
    pub(crate) fn finish(&mut self, finish: Finish, usage: Usage) -> Vec<u8> {
        let reason = match finish {
            Finish::Stop => "stop",
            Finish::Length => "length",
        };
        if !self.is_stream {
            return self.whole(reason, usage);
        }
        let mut events = self.opening();
        let last = if self.is_chat { json!({ "delta": {} }) } else { json!({ "text": "" }) };
        events.extend(self.event(last, Value::Null, Some(reason)));
        if self.includes_usage {
            let mut object = self.object();
            object["choices"] = json!([]);
            object["usage"] = counts(usage);
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

    fn delta(&self, text: &str) -> Value {
        if self.is_chat { json!({ "delta": { "content": text } }) } else { json!({ "text": text }) }
    }

    fn event(&self, mut choice: Value, logprobs: Value, finish: Option<&str>) -> Vec<u8> {
        choice["index"] = json!(0);
        choice["logprobs"] = logprobs;
        choice["finish_reason"] = json!(finish);
        let mut object = self.object();
        object["choices"] = json!([choice]);
        data(&object)
    }

    fn whole(&self, reason: &str, usage: Usage) -> Vec<u8> {
        let mut choice = if self.is_chat {
            json!({ "message": { "role": "assistant", "content": self.text } })
        } else {
            json!({ "text": self.text })
        };
        choice["index"] = json!(0);
        choice["logprobs"] = self.logprobs(&self.logprobs);
        choice["finish_reason"] = json!(reason);
        let mut object = self.object();
        object["choices"] = json!([choice]);
        object["usage"] = counts(usage);
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
        if !self.has_logprobs {
            return Value::Null;
        }
        if self.is_chat {
            return json!({ "content": tokens.iter().map(chat_logprob).collect::<Vec<_>>() });
        }
        let top = |token: &TokenLogprob| {
            let entries = token.top.iter().map(|(token, logprob)| (text(token), json!(logprob)));
            Value::Object(entries.collect())
        };
        json!({
            "tokens": tokens.iter().map(|token| text(&token.token)).collect::<Vec<_>>(),
            "token_logprobs": tokens.iter().map(|token| token.logprob).collect::<Vec<_>>(),
            "top_logprobs": tokens.iter().map(top).collect::<Vec<_>>(),
            "text_offset": [],
        })
    }
}

fn chat_logprob(token: &TokenLogprob) -> Value {
    let entry =
        |bytes: &TokenText, logprob: f32| json!({ "token": text(bytes), "logprob": logprob, "bytes": bytes });
    let mut all = entry(&token.token, token.logprob);
    all["top_logprobs"] = token.top.iter().map(|(bytes, logprob)| entry(bytes, *logprob)).collect();
    all
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn counts(usage: Usage) -> Value {
    let Usage { prompt_tokens, completion_tokens } = usage;
    json!({
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    })
}

fn data(object: &Value) -> Vec<u8> {
    format!("data: {object}\n\n").into_bytes()
}
