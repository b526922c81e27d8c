//! Answers piece by piece.

use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Value, json};

use crate::api::Dialect;

use super::{Answer, Delta, Finish, Said, Usage};

fn answer(is_chat: bool, is_stream: bool) -> Answer {
    Answer {
        id: "id".into(),
        is_chat,
        dialect: Dialect::OpenAi,
        is_stream,
        includes_usage: false,
        created: 5,
        model: "m".into(),
        has_logprobs: false,
        said: Said::default(),
        logprobs: Vec::new(),
        is_started: false,
        receipt: None,
    }
}

const USAGE: Usage = Usage { prompt_tokens: 3, cached_tokens: 2, completion_tokens: 4 };

/// A thought, a word, and two calls.
const DELTAS: [Delta<'_>; 8] = [
    Delta::Reasoning("Hm"),
    Delta::Text("I"),
    Delta::Call { id: "c0", name: "f" },
    Delta::Arguments("{\"a\""),
    Delta::Arguments(":1}"),
    Delta::Call { id: "c1", name: "g" },
    Delta::Arguments(""),
    Delta::Arguments("{}"),
];

fn whole(is_chat: bool, deltas: &[Delta<'_>]) -> Value {
    let mut answer = answer(is_chat, false);
    for delta in deltas {
        assert!(answer.add(*delta, None).is_empty());
    }
    serde_json::from_slice(&answer.finish(Finish::ToolCalls, USAGE, None)).unwrap()
}

/// The first choice of every event.
fn events(bytes: &[u8]) -> Vec<Value> {
    let text = core::str::from_utf8(bytes).unwrap();
    let objects = text.split_terminator("\n\n").filter_map(|event| event.strip_prefix("data: {"));
    objects
        .map(|rest| serde_json::from_str(&["{", rest].concat()).unwrap())
        .map(|event: Value| event["choices"][0].clone())
        .collect()
}

#[test]
fn calls_of_a_whole_answer_have_openais_form() {
    let answer = whole(true, &DELTAS);
    let choice = &answer["choices"][0];
    let call = |id, name, arguments| json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } });
    assert_eq!(choice["finish_reason"], "tool_calls");
    let message = &choice["message"];
    assert_eq!(message["tool_calls"], json!([call("c0", "f", "{\"a\":1}"), call("c1", "g", "{}")]));
    assert_eq!((&message["content"], &message["reasoning_content"]), (&json!("I"), &json!("Hm")));
    assert_eq!(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 2);
    assert_eq!(answer["usage"]["total_tokens"], 7);
}

#[test]
fn content_is_null_beside_calls_alone_and_empty_without_any() {
    assert_eq!(whole(true, &DELTAS[2..5])["choices"][0]["message"]["content"], Value::Null);
    let empty = whole(true, &[]);
    let message = &empty["choices"][0]["message"];
    assert_eq!(
        (&message["content"], message.get("tool_calls"), message.get("reasoning_content")),
        (&json!(""), None, None)
    );
}

#[test]
fn streamed_calls_carry_their_index_and_the_name_once() {
    let mut answer = answer(true, true);
    let mut bytes: Vec<u8> = DELTAS.iter().flat_map(|delta| answer.add(*delta, None)).collect();
    bytes.extend(answer.finish(Finish::ToolCalls, USAGE, None));
    let events = events(&bytes);
    let deltas: Vec<&Value> = events.iter().map(|choice| &choice["delta"]).collect();
    let begun = |index: u32, id, name| json!({ "tool_calls": [{ "index": index, "id": id, "type": "function", "function": { "name": name, "arguments": "" } }] });
    let more =
        |index: u32, text| json!({ "tool_calls": [{ "index": index, "function": { "arguments": text } }] });
    let expected = [
        json!({ "role": "assistant", "content": "" }),
        json!({ "reasoning_content": "Hm" }),
        json!({ "content": "I" }),
        begun(0, "c0", "f"),
        more(0, "{\"a\""),
        more(0, ":1}"),
        begun(1, "c1", "g"),
        more(1, "{}"),
        json!({}),
    ];
    assert_eq!(deltas, expected.iter().collect::<Vec<_>>());
    let reasons: Vec<&Value> = events.iter().map(|choice| &choice["finish_reason"]).collect();
    assert!(reasons[..8].iter().all(|reason| reason.is_null()) && reasons[8] == "tool_calls");
    assert!(String::from_utf8(bytes).unwrap().ends_with("data: [DONE]\n\n"));
}

#[test]
fn arguments_without_a_call_and_calls_of_completions_are_not_told() {
    let mut chat = answer(true, true);
    assert_eq!(events(&chat.add(Delta::Arguments("{}"), None)).len(), 1);
    let mut completion = answer(false, true);
    let told: Vec<Value> = DELTAS.iter().flat_map(|delta| events(&completion.add(*delta, None))).collect();
    assert_eq!(told.iter().map(|choice| &choice["text"]).collect::<Vec<_>>(), ["I"]);
    assert_eq!(whole(false, &DELTAS)["choices"][0]["text"], "I");
}

/// Lines of an answer in Ollama's form.
fn ollama(dialect: Dialect, is_stream: bool) -> Vec<Value> {
    let mut answer = Answer { dialect, ..answer(true, is_stream) };
    let mut told: Vec<u8> = DELTAS.into_iter().flat_map(|delta| answer.add(delta, None)).collect();
    told.extend(answer.finish(Finish::ToolCalls, USAGE, Some("r")));
    let text = String::from_utf8(told).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn ollamas_chats_tell_thoughts_text_and_calls_in_lines_or_at_once() {
    let lines = ollama(Dialect::OllamaChat, true);
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["message"], json!({ "role": "assistant", "content": "", "thinking": "Hm" }));
    assert_eq!((&lines[1]["message"]["content"], &lines[1]["done"]), (&json!("I"), &json!(false)));
    let calls = json!([
        { "function": { "name": "f", "arguments": { "a": 1 } } },
        { "function": { "name": "g", "arguments": {} } },
    ]);
    assert_eq!((&lines[2]["message"]["tool_calls"], &lines[2]["done"]), (&calls, &json!(true)));
    assert_eq!((&lines[2]["done_reason"], &lines[2]["eval_count"]), (&json!("stop"), &json!(4)));
    assert_eq!(
        (&lines[2]["created_at"], &lines[2]["receipt"]),
        (&json!("1970-01-01T00:00:05Z"), &json!("r"))
    );
    let whole = ollama(Dialect::OllamaChat, false);
    assert_eq!((whole.len(), &whole[0]["message"]["content"]), (1, &json!("I")));
    assert_eq!(
        (&whole[0]["message"]["tool_calls"], &whole[0]["message"]["thinking"]),
        (&calls, &json!("Hm"))
    );
}

#[test]
fn ollamas_completions_tell_text_as_their_response() {
    let lines = ollama(Dialect::OllamaGenerate, true);
    assert!(lines.iter().any(|line| line["response"] == "I" && line["done"] == false));
    assert_eq!(
        (&lines.last().unwrap()["response"], &lines.last().unwrap()["done"]),
        (&json!(""), &json!(true))
    );
    assert_eq!(ollama(Dialect::OllamaGenerate, false)[0]["response"], "I");
}
