//! Requests of Ollama's API, told in OpenAI's words: one reader checks both.
//!
//! Spec: Ollama's docs/api.md, `POST /api/chat` and `POST /api/generate`.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use alloc::{format, vec};
use serde_json::{Map, Value, json};

use super::{Dialect, Generation, generation};
use crate::error::ApiError;

/// Fields that both have under the same name.
const SAME: [&str; 4] = ["messages", "tools", "receipt", "cache_prompt"];
/// Options by the names of both.
const OPTIONS: [(&str, &str); 9] = [
    ("temperature", "temperature"),
    ("top_k", "top_k"),
    ("top_p", "top_p"),
    ("min_p", "min_p"),
    ("repeat_penalty", "repetition_penalty"),
    ("presence_penalty", "presence_penalty"),
    ("frequency_penalty", "frequency_penalty"),
    ("seed", "seed"),
    ("stop", "stop"),
];
/// What Ollama adds to a model's name that has no tag.
const LATEST: &str = ":latest";

/// Reads a body of `/api/chat` (`is_chat`) or `/api/generate`.
///
/// # Errors
/// As [`generation`]; fields are named as OpenAI's API names them.
pub fn ollama(body: &[u8], is_chat: bool, model: &str) -> Result<Generation, ApiError> {
    let not_json = || ApiError::invalid("", "the body: found something else, expected an object of JSON");
    let Ok(Value::Object(mut asked)) = serde_json::from_slice(body) else { return Err(not_json()) };
    let is_raw = asked.get("raw").and_then(Value::as_bool).unwrap_or(false);
    let mut told = Map::new();
    for name in SAME {
        told.extend(asked.remove(name).map(|value| (name.to_string(), value)));
    }
    if !is_chat {
        prompt(&mut asked, &mut told, is_raw)?;
    }
    messages(&mut told)?;
    rest(&mut asked, &mut told)?;
    let (is_template, is_limited) = (is_chat || !is_raw, told.contains_key("max_tokens"));
    let body = serde_json::to_vec(&Value::Object(told)).map_err(|_| not_json())?;
    let generation = generation(&body, is_template, model)?;
    let dialect = if is_chat { Dialect::OllamaChat } else { Dialect::OllamaGenerate };
    // OpenAI's completions are of 16 tokens where nothing is said.
    let max_tokens = generation.max_tokens.filter(|_| is_limited);
    Ok(Generation { dialect, max_tokens, ..generation })
}

/// A prompt is what a user says, but for one that goes past the template.
fn prompt(
    asked: &mut Map<String, Value>,
    told: &mut Map<String, Value>,
    is_raw: bool,
) -> Result<(), ApiError> {
    for name in ["images", "suffix"] {
        let none = [Value::Null, json!(""), json!([])];
        if asked.get(name).is_some_and(|value| !none.contains(value)) {
            return Err(ApiError::invalid(name, "found it, expected nothing"));
        }
    }
    let prompt = asked.remove("prompt").unwrap_or_else(|| json!(""));
    if is_raw {
        told.insert("prompt".to_string(), prompt);
        return Ok(());
    }
    let system = asked.remove("system").filter(|system| *system != json!(""));
    let system = system.map(|system| json!({ "role": "system", "content": system }));
    let user = json!({ "role": "user", "content": prompt });
    told.insert("messages".to_string(), Value::Array(system.into_iter().chain([user]).collect()));
    Ok(())
}

/// Calls have arguments as objects and no names of their own; what they gave follows in their order.
fn messages(told: &mut Map<String, Value>) -> Result<(), ApiError> {
    let Some(Value::Array(messages)) = told.get_mut("messages") else { return Ok(()) };
    let (mut called, mut given) = (0_usize, 0_usize);
    // What is no object is refused as OpenAI's messages are.
    let objects = messages.iter_mut().enumerate();
    for (at, message) in objects.filter_map(|(at, message)| Some((at, message.as_object_mut()?))) {
        let field = |name: &str| message.get(name).unwrap_or(&Value::Null);
        if field("images").as_array().is_some_and(|images| !images.is_empty()) {
            return Err(ApiError::invalid(&format!("messages[{at}].images"), "found some, expected none"));
        }
        let is_answer = *field("role") == "tool";
        let has_thought = field("thinking").is_string();
        for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
            let function = json!({ "name": call["function"]["name"], "arguments": call["function"]["arguments"].to_string() });
            *call = json!({ "id": format!("call_{called}"), "type": "function", "function": function });
            called += 1;
        }
        if is_answer {
            message.insert("tool_call_id".to_string(), json!(format!("call_{given}")));
            given += 1;
        }
        if has_thought {
            let thinking = message.remove("thinking");
            message.extend(thinking.map(|thinking| ("reasoning_content".to_string(), thinking)));
        }
    }
    Ok(())
}

fn rest(asked: &mut Map<String, Value>, told: &mut Map<String, Value>) -> Result<(), ApiError> {
    let mut set = |name: &str, value: Value| drop(told.insert(name.to_string(), value));
    if let Some(Value::String(model)) = asked.get("model") {
        set("model", json!(model.strip_suffix(LATEST).unwrap_or(model)));
    }
    // Ollama streams where nothing is said.
    set("stream", asked.remove("stream").unwrap_or(Value::Bool(true)));
    match asked.remove("format") {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) if text.is_empty() => {}
        Some(Value::String(text)) if text == "json" => {
            set("response_format", json!({ "type": "json_object" }))
        }
        Some(schema @ Value::Object(_)) => {
            let named = json!({ "name": "format", "strict": true, "schema": schema });
            set("response_format", json!({ "type": "json_schema", "json_schema": named }));
        }
        Some(_) => return Err(ApiError::invalid("format", "expected \"json\" or a JSON Schema")),
    }
    if let Some(think) = asked.remove("think").filter(Value::is_boolean) {
        set("chat_template_kwargs", json!({ "enable_thinking": think }));
    }
    let Some(Value::Object(mut options)) = asked.remove("options") else { return Ok(()) };
    for (theirs, ours) in OPTIONS {
        if let Some(value) = options.remove(theirs).filter(|value| !value.is_null()) {
            set(ours, value);
        }
    }
    // -1 and -2 let an answer be as long as it may be.
    if let Some(most) =
        options.remove("num_predict").filter(|most| most.as_i64().is_none_or(|most| most >= 0))
    {
        set("max_tokens", most);
    }
    Ok(())
}

/// What `/api/tags` and `/api/ps` list: the one model.
pub(crate) fn tags(model: &str) -> Vec<u8> {
    let details = json!({ "format": "gguf", "family": "", "families": [], "parameter_size": "", "quantization_level": "" });
    let entry = json!({ "name": model, "model": model, "modified_at": "1970-01-01T00:00:00Z", "size": 0, "digest": "", "details": details });
    json!({ "models": vec![entry] }).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Format, Prompt, Role};

    fn read(body: &Value, is_chat: bool) -> Result<Generation, ApiError> {
        ollama(body.to_string().as_bytes(), is_chat, "m")
    }

    #[test]
    fn a_chat_is_read_with_its_options_calls_and_what_they_gave() {
        let call = json!({ "function": { "name": "f", "arguments": { "a": 1 } } });
        let asked = json!({
            "model": "m:latest",
            "messages": [
                { "role": "user", "content": "q", "images": [] },
                { "role": "assistant", "content": "", "thinking": "hm", "tool_calls": [call] },
                { "role": "tool", "content": "3", "tool_name": "f" },
            ],
            "options": { "temperature": 0.5, "num_predict": 7, "seed": 3, "stop": ["x"], "num_ctx": 4096, "top_k": null },
            "format": "json", "keep_alive": "5m", "think": false,
        });
        let found = read(&asked, true).unwrap();
        let Prompt::Chat(messages) = &found.prompt else { panic!("{found:?}") };
        assert_eq!(messages[1].tool_calls[0].arguments, r#"{"a":1}"#);
        assert_eq!(messages[1].reasoning_content.as_deref(), Some("hm"));
        assert_eq!((messages[2].role, messages[2].tool_call_id.as_deref()), (Role::Tool, Some("call_0")));
        assert_eq!(
            (found.max_tokens, found.sampling.temperature, found.sampling.seed),
            (Some(7), Some(0.5), Some(3))
        );
        assert!(
            found.is_stream && found.format == Format::JsonObject && found.dialect == Dialect::OllamaChat
        );
        assert_eq!((found.stop.len(), found.template_variables.len()), (1, 1));
    }

    #[test]
    fn messages_calls_and_functions_that_are_no_objects_are_refused() {
        let strange = [json!("text"), json!(7), json!(null), json!([]), json!(true)];
        for value in &strange {
            assert!(read(&json!({ "messages": [value] }), true).is_err(), "{value}");
            for call in [value.clone(), json!({ "function": value })] {
                let message = json!({ "role": "assistant", "content": "", "tool_calls": [call] });
                let _refused =
                    read(&json!({ "messages": [{ "role": "user", "content": "q" }, message] }), true);
            }
            let message = json!({ "role": "user", "content": "q", "tool_calls": value });
            let _either = read(&json!({ "messages": [message] }), true);
        }
    }

    #[test]
    fn a_prompt_is_a_users_message_and_raw_goes_past_the_template() {
        let found = read(&json!({ "prompt": "p", "system": "s", "stream": false }), false).unwrap();
        let Prompt::Chat(messages) = &found.prompt else { panic!("{found:?}") };
        assert_eq!(messages.iter().map(|it| it.role).collect::<Vec<_>>(), [Role::System, Role::User]);
        assert!(!found.is_stream && found.dialect == Dialect::OllamaGenerate);
        let raw =
            read(&json!({ "prompt": "p", "raw": true, "options": { "num_predict": -1 } }), false).unwrap();
        assert_eq!((raw.prompt, raw.max_tokens), (Prompt::Text("p".to_string()), None));
        let schema = json!({ "prompt": "p", "format": { "type": "object" } });
        assert!(
            matches!(read(&schema, false).unwrap().format, Format::JsonSchema(schema) if schema.is_strict)
        );
    }

    #[test]
    fn what_is_not_served_is_refused_by_name() {
        let refused = |body: Value, is_chat| read(&body, is_chat).unwrap_err().param.unwrap_or_default();
        let image = json!({ "messages": [{ "role": "user", "content": "a", "images": ["x"] }] });
        assert_eq!(refused(image, true), "messages[0].images");
        assert_eq!(refused(json!({ "prompt": "a", "images": ["x"] }), false), "images");
        assert_eq!(refused(json!({ "prompt": "a", "suffix": "b" }), false), "suffix");
        assert_eq!(refused(json!({ "prompt": "a", "format": 7 }), false), "format");
        assert_eq!(refused(json!({ "prompt": "a", "model": "other" }), false), "model");
        assert_eq!(refused(json!([]), true), "");
        assert_eq!(
            refused(json!({ "prompt": "a", "options": { "temperature": "hot" } }), false),
            "temperature"
        );
    }
}
