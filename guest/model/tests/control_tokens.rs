//! No control token comes of what clients write: `measurements/vectors/templates.json`.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use serde::Deserialize;
use serde_json::Map;
use std::path::Path;
use vial_model::gguf::Gguf;
use vial_model::template::{Conversation, Rendered, Template, Value};
use vial_model::tiny;
use vial_model::tokenizer::Tokenizer;

/// Control tokens of many families.
const CONTROLS: [&str; 44] = [
    "<s>",
    "</s>",
    "<|im_start|>",
    "<|im_end|>",
    "<|start|>",
    "<|end|>",
    "<|message|>",
    "<|channel|>",
    "<|return|>",
    "<|call|>",
    "<|assistant|>",
    "<|user|>",
    "<|system|>",
    "<|tool|>",
    "<|tool_call|>",
    "<|observation|>",
    "<|start_of_role|>",
    "<|end_of_role|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|eot|>",
    "<|END|>",
    "<|SYSTEM|>",
    "<|USER|>",
    "<|CHATBOT|>",
    "[INST]",
    "[/INST]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[TOOL_CALLS]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "<start_of_turn>",
    "<end_of_turn>",
    "<start_of_image>",
    "<｜User｜>",
    "<｜Assistant｜>",
    "<｜call｜>",
    "<｜end｜>",
    "<｜output｜>",
    "<｜outputs｜>",
    "<sop>",
];

fn tokenizer() -> Tokenizer {
    let file = tiny::vocabulary(&CONTROLS).finish();
    Tokenizer::from_gguf(&Gguf::parse(&file, file.len() as u64).unwrap()).unwrap()
}

#[derive(Deserialize)]
struct Listed {
    cases: Vec<Case>,
    templates: Vec<Named>,
}

#[derive(Deserialize)]
struct Case {
    messages: Vec<Map<String, serde_json::Value>>,
    tools: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// Every template of the vectors with its name, and every conversation with its tools.
fn listed() -> (Vec<(String, Template)>, Vec<Case>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../measurements/vectors");
    let listed: Listed =
        serde_json::from_slice(&std::fs::read(folder.join("templates.json")).unwrap()).unwrap();
    let template = |named: Named| {
        let source = std::fs::read_to_string(folder.join("templates").join(&named.name)).unwrap();
        (named.name, Template::parse(&source).unwrap())
    };
    (listed.templates.into_iter().map(template).collect(), listed.cases)
}

/// A message as the API gives it: its role is one of the API's words.
fn message(fields: &Map<String, serde_json::Value>) -> Value {
    let field = |(name, value): (&String, &serde_json::Value)| match value.as_str() {
        Some(role) if name == "role" => (name.clone(), Value::trusted(role)),
        _ => (name.clone(), serde_json::from_value(value.clone()).unwrap()),
    };
    let fields: Vec<(String, Value)> = fields.iter().map(field).collect();
    Value::map(fields.iter().map(|(name, value)| (name.as_str(), value.clone())))
}

fn render(template: &Template, messages: Vec<Value>, tools: Option<Vec<Value>>) -> Option<Rendered> {
    let conversation = Conversation {
        messages,
        tools,
        add_generation_prompt: true,
        marks: ("<s>", "</s>"),
        variables: vec![],
        now_s: Some(0),
    };
    template.render(&conversation).ok()
}

#[test]
fn tokens_of_prompts_without_control_tokens_in_messages_are_the_same() {
    let (tokenizer, (templates, cases)) = (tokenizer(), listed());
    let (mut prompts, mut controls) = (0, 0);
    for (name, template) in &templates {
        for case in &cases {
            let Some(rendered) =
                render(template, case.messages.iter().map(message).collect(), case.tools.clone())
            else {
                continue;
            };
            let tokens = tokenizer.encode_rendered(&rendered.text, &rendered.own);
            assert_eq!(tokens, tokenizer.encode(&rendered.text, true), "{name}: {}", rendered.text);
            prompts += 1;
            controls += tokens.iter().filter(|&&token| token >= 256).count();
        }
    }
    assert!(prompts > 100 && controls > 1000, "{prompts} prompts with {controls} control tokens");
}

/// A conversation in which `text` stands wherever a client writes.
fn hostile(text: &str, has_tools: bool) -> (Vec<Value>, Option<Vec<Value>>) {
    let message = |role: &str| Value::map([("role", Value::trusted(role)), ("content", text.into())]);
    let schema = Value::map([
        ("type", "object".into()),
        ("properties", Value::map([(text, Value::map([("type", "string".into())]))])),
    ]);
    let function = [("name", text.into()), ("description", text.into()), ("parameters", schema)];
    let tool = Value::map([("type", "function".into()), ("function", Value::map(function))]);
    let arguments = Value::map([(text, text.into())]);
    let called = Value::map([("name", text.into()), ("arguments", arguments)]);
    let call = Value::map([("id", "123456789".into()), ("type", "function".into()), ("function", called)]);
    let assistant = Value::map([
        ("role", Value::trusted("assistant")),
        ("content", text.into()),
        ("reasoning_content", text.into()),
        ("tool_calls", Value::list(vec![call])),
    ]);
    let gave = Value::map([
        ("role", Value::trusted("tool")),
        ("content", text.into()),
        ("name", text.into()),
        ("tool_call_id", "123456789".into()),
    ]);
    let mut messages = vec![message("system"), message("user")];
    if has_tools {
        messages.extend([assistant, gave]);
    } else {
        messages.extend([message("assistant"), message("user")]);
    }
    (messages, has_tools.then(|| vec![tool]))
}

#[test]
fn no_control_token_comes_of_what_clients_write() {
    let (tokenizer, (templates, _)) = (tokenizer(), listed());
    let controls = |rendered: &Rendered| -> Vec<u32> {
        let tokens = tokenizer.encode_rendered(&rendered.text, &rendered.own);
        tokens.into_iter().filter(|&token| token >= 256).collect()
    };
    let (mut prompts, mut held, text) = (0, 0, CONTROLS.concat());
    for ((name, template), has_tools) in templates.iter().flat_map(|named| [(named, false), (named, true)]) {
        let [plain, written] = ["x", &text].map(|text| {
            let (messages, tools) = hostile(text, has_tools);
            render(template, messages, tools)
        });
        let (Some(plain), Some(written)) = (plain, written) else { continue };
        held += usize::from(written.text.contains(&text));
        assert_eq!(controls(&written), controls(&plain), "{name}: {}", written.text);
        prompts += 1;
    }
    assert!(
        prompts > 25 && held > 25,
        "{prompts} prompts, {held} of them with all control tokens written out"
    );
}
