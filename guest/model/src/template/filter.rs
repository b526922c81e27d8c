//! Filters, tests, methods and functions.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::cell::RefCell;

use super::value::Value;

/// Filters that are known.
pub(super) const FILTERS: [&str; 13] = [
    "trim", "length", "count", "upper", "lower", "join", "first", "last", "default", "tojson", "string",
    "list", "int",
];
/// Tests that are known.
pub(super) const TESTS: [&str; 10] =
    ["defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "true", "false"];
/// Methods that are known.
pub(super) const METHODS: [&str; 10] =
    ["strip", "lstrip", "rstrip", "startswith", "endswith", "upper", "lower", "split", "replace", "items"];
/// Functions that are known.
pub(super) const FUNCTIONS: [&str; 3] = ["raise_exception", "namespace", "range"];

/// Applies a filter; `None` if the value does not suit it.
pub(super) fn filter(name: &str, value: &Value, arguments: &[Value]) -> Option<Value> {
    let first = arguments.first();
    Some(match (name, value) {
        ("default", Value::Undefined) => first.cloned().unwrap_or(Value::text("")),
        ("default", value) if arguments.get(1).is_some_and(Value::is_true) && !value.is_true() => {
            first?.clone()
        }
        ("default", value) => value.clone(),
        ("tojson", value) => Value::Text(json(value).into()),
        ("string", value) => Value::Text(value.show().into()),
        ("length" | "count", value) => Value::Int(i64::try_from(value.len()?).ok()?),
        ("list", value) => Value::list(value.items()?),
        ("first", value) => value.get(&Value::Int(0)),
        ("last", value) => value.get(&Value::Int(-1)),
        ("join", value) => {
            let parts: Vec<String> = value.items()?.iter().map(Value::show).collect();
            Value::Text(parts.join(&first.map(Value::show).unwrap_or_default()).into())
        }
        ("int", Value::Int(value)) => Value::Int(*value),
        ("int", Value::Text(text)) => Value::Int(text.trim().parse().unwrap_or(0)),
        ("trim", value) => method("strip", value, &[])?,
        ("upper" | "lower", value) => method(name, value, &[])?,
        _ => return None,
    })
}

/// Applies a test.
pub(super) fn test(name: &str, value: &Value) -> bool {
    match name {
        "defined" => *value != Value::Undefined,
        "undefined" => *value == Value::Undefined,
        "none" => *value == Value::None,
        "string" => matches!(value, Value::Text(_)),
        "mapping" => matches!(value, Value::Map(_)),
        "number" => matches!(value, Value::Int(_)),
        "true" => *value == Value::Bool(true),
        "false" => *value == Value::Bool(false),
        _ => matches!(value, Value::List(_) | Value::Map(_) | Value::Text(_)),
    }
}

/// Calls a method; `None` if the value does not have it.
pub(super) fn method(name: &str, value: &Value, arguments: &[Value]) -> Option<Value> {
    if let (Value::Map(fields), "items") = (value, name) {
        let pair = |(name, value): (&String, &Value)| Value::list(vec![Value::text(name), value.clone()]);
        return Some(Value::list(fields.iter().map(pair).collect()));
    }
    let Value::Text(text) = value else { return None };
    let argument = |at: usize| match arguments.get(at) {
        Some(Value::Text(text)) => Some(text.to_string()),
        _ => None,
    };
    let set = argument(0);
    let is_stripped =
        |character: char| set.as_ref().map_or(character.is_whitespace(), |set| set.contains(character));
    Some(match name {
        "strip" => Value::text(text.trim_matches(is_stripped)),
        "lstrip" => Value::text(text.trim_start_matches(is_stripped)),
        "rstrip" => Value::text(text.trim_end_matches(is_stripped)),
        "upper" => Value::Text(text.to_uppercase().into()),
        "lower" => Value::Text(text.to_lowercase().into()),
        "startswith" => Value::Bool(text.starts_with(&argument(0)?)),
        "endswith" => Value::Bool(text.ends_with(&argument(0)?)),
        "replace" => Value::Text(text.replace(&argument(0)?, &argument(1)?).into()),
        "split" => match argument(0) {
            Some(at) if !at.is_empty() => Value::list(text.split(&at).map(Value::text).collect()),
            _ => Value::list(text.split_whitespace().map(Value::text).collect()),
        },
        _ => return None,
    })
}

/// `namespace(name=value, …)`.
pub(super) fn namespace(fields: Vec<(String, Value)>) -> Value {
    Value::Namespace(Rc::new(RefCell::new(fields.into_iter().collect::<BTreeMap<_, _>>())))
}

/// As Python's `json.dumps` with `ensure_ascii=False` writes it.
pub(super) fn json(value: &Value) -> String {
    match value {
        Value::Undefined | Value::None => "null".to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Text(text) => quoted(text),
        Value::List(values) => format!("[{}]", values.iter().map(json).collect::<Vec<_>>().join(", ")),
        Value::Map(fields) => object(fields),
        Value::Namespace(fields) => object(&fields.borrow()),
    }
}

fn object(fields: &BTreeMap<String, Value>) -> String {
    let field = |(name, value): (&String, &Value)| format!("{}: {}", quoted(name), json(value));
    format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            plain => out.push(plain),
        }
    }
    out.push('"');
    out
}
