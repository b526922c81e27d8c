//! Answers in Ollama's form: one object, or one a line. Spec: Ollama's docs/api.md.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::time::Duration;
use der::DateTime;
use serde_json::{Value, json};

use super::{Answer, Delta, Finish, Usage};
use crate::api::Dialect;

/// The line that tells a piece; calls are told whole, when the next begins or the answer ends.
pub(super) fn piece(answer: &Answer, delta: Delta<'_>) -> Vec<u8> {
    let said = match delta {
        Delta::Text(text) if !text.is_empty() => said(answer, text, "", &[]),
        Delta::Reasoning(text) if !text.is_empty() => said(answer, "", text, &[]),
        _ => return Vec::new(),
    };
    line(&object(answer, said, false))
}

/// The end of a stream, or all of an answer.
pub(super) fn finish(answer: &Answer, finish: Finish, usage: Usage, receipt: Option<&str>) -> Vec<u8> {
    let calls = answer.said.calls();
    let (text, reasoning) = if answer.is_stream { ("", "") } else { answer.said.texts() };
    let mut told = object(answer, said(answer, text, reasoning, &calls), true);
    let reason = if finish == Finish::Length { "length" } else { "stop" };
    told["done_reason"] = json!(reason);
    told["prompt_eval_count"] = json!(usage.prompt_tokens);
    told["eval_count"] = json!(usage.completion_tokens);
    if let Some(receipt) = receipt {
        told["receipt"] = json!(receipt);
    }
    line(&told)
}

/// An error in the middle of a stream.
pub(crate) fn error(message: &str) -> Vec<u8> {
    line(&json!({ "error": message }))
}

fn said(answer: &Answer, text: &str, reasoning: &str, calls: &[(&str, &str)]) -> Value {
    if answer.dialect == Dialect::OllamaGenerate {
        return json!(text);
    }
    let mut message = json!({ "role": "assistant", "content": text });
    if !reasoning.is_empty() {
        message["thinking"] = json!(reasoning);
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.iter().map(call).collect();
    }
    message
}

/// Arguments that the model did not write as JSON stay the text they are.
fn call((name, arguments): &(&str, &str)) -> Value {
    let arguments: Value = serde_json::from_str(arguments).unwrap_or_else(|_| json!(arguments));
    json!({ "function": { "name": name, "arguments": arguments } })
}

fn object(answer: &Answer, said: Value, is_done: bool) -> Value {
    let name = if answer.dialect == Dialect::OllamaGenerate { "response" } else { "message" };
    let mut object = json!({ "model": answer.model, "created_at": time(answer.created), "done": is_done });
    object[name] = said;
    object
}

fn line(object: &Value) -> Vec<u8> {
    format!("{object}\n").into_bytes()
}

/// Seconds since 1970 as RFC 3339 writes them; nothing past the year 9999.
fn time(seconds: u64) -> String {
    let time = DateTime::from_unix_duration(Duration::from_secs(seconds));
    time.map(|time| time.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        // Source: GNU date -u -d @N +%FT%TZ.
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert_eq!(time(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(time(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(time(1_796_059_302), "2026-11-30T17:21:42Z");
        assert_eq!(time(4_107_542_400), "2100-03-01T00:00:00Z");
    }
}
