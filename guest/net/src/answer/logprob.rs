//! Probabilities of tokens in OpenAI's form.

use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Value, json};

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

/// `logprobs` of a chat.
pub(super) fn of_chat(tokens: &[TokenLogprob]) -> Value {
    json!({ "content": tokens.iter().map(chat_token).collect::<Vec<_>>() })
}

fn chat_token(token: &TokenLogprob) -> Value {
    let entry =
        |bytes: &TokenText, logprob: f32| json!({ "token": text(bytes), "logprob": logprob, "bytes": bytes });
    let mut all = entry(&token.token, token.logprob);
    all["top_logprobs"] = token.top.iter().map(|(bytes, logprob)| entry(bytes, *logprob)).collect();
    all
}

/// `logprobs` of a completion.
pub(super) fn of_completion(tokens: &[TokenLogprob]) -> Value {
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

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
