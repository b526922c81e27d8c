//! Calls of tools: every family's grammar and parser agree, whatever the pieces.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use alloc::{format, vec};

use super::{CallFormat, CallParser, Choice, Delta, Tool};
use crate::grammar::Grammar;
use crate::json::Json;
use crate::tests::accepts;

fn parse(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

/// Two calls, or one where the family writes no more, as a format writes them.
fn calls(format: &CallFormat) -> (String, usize) {
    let call = |name: &str, arguments: &str| {
        [format.before_name, name, format.before_arguments, arguments, format.after].concat()
    };
    let one = call("look", r#"{"at":"a } \" é"}"#);
    match format.between {
        None => ([format.open, &one, format.close].concat(), 1),
        Some(between) => ([format.open, &one, between, &call("go", "{}"), format.close].concat(), 2),
    }
}

fn grammar(format: &CallFormat, choice: Choice<'_>, is_parallel: bool) -> Grammar {
    let look = parse(r#"{"type":"object","properties":{"at":{"type":"string"}},"required":["at"]}"#);
    let tools = [Tool { name: "look", parameters: Some(&look) }, Tool { name: "go", parameters: None }];
    Grammar::for_tools(format, &tools, choice, is_parallel).unwrap()
}

/// Deltas of a text that comes in pieces of so many characters; equal kinds joined.
fn deltas(format: &'static CallFormat, text: &str, piece: usize) -> Vec<Delta> {
    let mut parser = CallParser::new(format);
    let characters: Vec<char> = text.chars().collect();
    let pieces = characters.chunks(piece).map(|piece| piece.iter().collect::<String>());
    let mut all: Vec<Delta> = pieces.flat_map(|piece| parser.push(&piece)).collect();
    all.extend(parser.finish());
    all.into_iter().fold(Vec::new(), |mut joined, delta| {
        match (joined.last_mut(), &delta) {
            (Some(Delta::Text(text)), Delta::Text(more)) => text.push_str(more),
            (Some(Delta::Arguments { fragment, .. }), Delta::Arguments { fragment: more, .. }) => {
                fragment.push_str(more);
            }
            _ => joined.push(delta),
        }
        joined
    })
}

fn call(index: usize, name: &str, arguments: &str) -> [Delta; 2] {
    [
        Delta::Call { index, name: name.to_string() },
        Delta::Arguments { index, fragment: arguments.to_string() },
    ]
}

#[test]
fn every_format_starts_with_its_trigger() {
    for format in CallFormat::all() {
        let head = [format.open, format.before_name].concat();
        assert!(head.starts_with(format.trigger) && !format.trigger.is_empty(), "{}", format.name);
    }
}

#[test]
fn grammar_and_parser_agree_on_every_format_in_any_pieces() {
    for format in CallFormat::all() {
        let (text, count) = calls(format);
        let mut expected = call(0, "look", r#"{"at":"a } \" é"}"#).to_vec();
        expected.extend(call(1, "go", "{}"));
        expected.truncate(2 * count);
        assert!(accepts(&grammar(format, Choice::Required, true), &text), "{}", format.name);
        assert!(accepts(&grammar(format, Choice::Auto, true), &text), "{}", format.name);
        assert_eq!(accepts(&grammar(format, Choice::Required, false), &text), count == 1, "{}", format.name);
        for piece in [1, 2, 3, 7, 1000] {
            assert_eq!(deltas(format, &text, piece), expected, "{} {piece}", format.name);
        }
    }
}

#[test]
fn free_text_holds_no_trigger_but_may_look_like_one() {
    for format in CallFormat::all().filter(|format| !format.is_only_at_start) {
        let (auto, (calls, count)) = (grammar(format, Choice::Auto, true), calls(format));
        let part: String = format.trigger.chars().take(format.trigger.chars().count() - 1).collect();
        let plain = format!("so {part}{part} é, and {part}");
        assert!(accepts(&auto, &plain) && accepts(&auto, ""), "{}", format.name);
        assert!(accepts(&auto, &format!("{plain}{calls}")), "{}", format.name);
        assert!(!accepts(&auto, &format!("{plain}{}never", format.trigger)), "{}", format.name);
        for piece in [1, 5] {
            assert_eq!(deltas(format, &plain, piece), [Delta::Text(plain.clone())], "{}", format.name);
            let all = deltas(format, &format!("{plain}{calls}"), piece);
            assert_eq!((all.len(), &all[0]), (1 + 2 * count, &Delta::Text(plain.clone())), "{}", format.name);
        }
    }
}

#[test]
fn a_format_that_calls_only_at_the_start_leaves_later_objects_alone() {
    let llama = CallFormat::all().find(|format| format.name == "llama-3").unwrap();
    let auto = grammar(llama, Choice::Auto, true);
    for text in ["plain", "so {\"name\": \"x\"}", "{\"other\": 1}", "{\"name"] {
        assert!(accepts(&auto, text), "{text}");
        assert_eq!(deltas(llama, text, 1), [Delta::Text(text.to_string())]);
    }
    assert!(!accepts(&auto, "{\"name\": \"other\", \"parameters\": {}}"));
}

#[test]
fn a_call_follows_its_tools_schema_and_the_choice() {
    let hermes = CallFormat::detect("<tool_call>").unwrap();
    let text = |name: &str, arguments: &str| {
        format!("<tool_call>\n{{\"name\": \"{name}\", \"arguments\": {arguments}}}\n</tool_call>")
    };
    let required = grammar(hermes, Choice::Required, true);
    assert!(accepts(&required, &text("go", "{\"x\": [1]}")));
    for bad in
        [text("look", "{}"), text("look", "{\"at\":1}"), text("run", "{}"), text("go", "[]"), String::new()]
    {
        assert!(!accepts(&required, &bad), "{bad}");
    }
    let named = grammar(hermes, Choice::Named("go"), true);
    assert!(accepts(&named, &text("go", "{}")) && !accepts(&named, &text("look", "{\"at\":\"\"}")));
    assert!(!accepts(&named, &(text("go", "{}") + "\n" + &text("go", "{}"))));
}

#[test]
fn arguments_are_objects_whatever_the_schema_says() {
    let hermes = CallFormat::detect("<tool_call>").unwrap();
    let any = parse("{}");
    let tools = [Tool { name: "f", parameters: Some(&any) }];
    let grammar = Grammar::for_tools(hermes, &tools, Choice::Required, false).unwrap();
    let text = |arguments: &str| {
        format!("<tool_call>\n{{\"name\": \"f\", \"arguments\": {arguments}}}\n</tool_call>")
    };
    assert!(accepts(&grammar, &text("{\"a\":1}")) && !accepts(&grammar, &text("1")));
}

#[test]
fn what_is_no_call_or_cut_short_leaks_no_mark() {
    let hermes = CallFormat::detect("<tool_call>").unwrap();
    let head = "<tool_call>\n{\"name\": \"";
    let started = Delta::Call { index: 0, name: "f".to_string() };
    let begun = Delta::Arguments { index: 0, fragment: "{\"a\":".to_string() };
    let cases = [
        (format!("x{head}f"), vec![Delta::Text("x".to_string())]),
        (format!("{head}f\", \"arguments\": {{\"a\":"), vec![started, begun]),
        ("a <tool".to_string(), vec![Delta::Text("a <tool".to_string())]),
        ("<tool_call>x".to_string(), vec![Delta::Text("<tool_call>x".to_string())]),
        (format!("{head}{}", "n".repeat(500)), vec![Delta::Text("n".repeat(500))]),
    ];
    for (text, expected) in cases {
        assert_eq!(deltas(hermes, &text, 1), expected, "{text}");
    }
    let after = calls(hermes).0 + "\nand more";
    assert_eq!(deltas(hermes, &after, 1).last(), Some(&Delta::Text("\nand more".to_string())));
}

#[test]
fn templates_tell_their_format() {
    let cases = [
        (include_str!("../../../../measurements/vectors/templates/hermes.jinja"), Some("hermes")),
        (include_str!("../../../../measurements/vectors/templates/qwen2.5.jinja"), Some("hermes")),
        (include_str!("../../../../measurements/vectors/templates/qwen3.jinja"), Some("hermes")),
        (include_str!("../../../../measurements/vectors/templates/granite.jinja"), Some("granite")),
        (include_str!("../../../../measurements/vectors/templates/mistral.jinja"), Some("mistral")),
        (include_str!("../../../../measurements/vectors/templates/llama-3.jinja"), Some("llama-3")),
        (include_str!("../../../../measurements/vectors/templates/glm.jinja"), None),
        (include_str!("../../../../measurements/vectors/templates/zephyr.jinja"), None),
        ("'<tool_call>[{\"name\": \"f\"'", Some("smollm")),
        ("'<tool_call>\\n<function=' '<parameter='", None),
        ("'[TOOL_CALLS] ['", Some("mistral-spaced")),
        ("'[TOOL_CALLS]' + name + '[ARGS]'", Some("mistral-args")),
        ("'<｜tool▁call▁begin｜>' + type + '<｜tool▁sep｜>' + name + '\\n```json\\n'", Some("deepseek")),
        ("'<｜tool▁call▁begin｜>' + name + '<｜tool▁sep｜>'", Some("deepseek-plain")),
        ("'<function=' + name + '>'", Some("functionary")),
    ];
    for (template, expected) in cases {
        assert_eq!(CallFormat::detect(template).map(|format| format.name), expected, "{template:.40}");
    }
}

#[test]
fn names_and_choices_that_are_none_are_refused() {
    let hermes = CallFormat::detect("<tool_call>").unwrap();
    let refused = |tools: &[Tool<'_>], choice: Choice<'_>| {
        Grammar::for_tools(hermes, tools, choice, false).unwrap_err().to_string()
    };
    let tool = |name: &'static str| Tool { name, parameters: None };
    assert!(refused(&[], Choice::Auto).contains("1 to 128"));
    assert!(refused(&[tool("a\"b")], Choice::Auto).contains("tool 0: expected a name"));
    assert!(refused(&[tool("")], Choice::Auto).contains("tool 0"));
    assert!(refused(&[tool("a"), tool("a")], Choice::Auto).contains("tool 1: its name stands twice"));
    assert!(refused(&[tool("a")], Choice::Named("b")).contains("names no tool"));
    let schema = parse(r#"{"not":{}}"#);
    let text = refused(&[Tool { name: "a", parameters: Some(&schema) }], Choice::Auto);
    assert!(text.contains("#/not"), "{text}");
}
