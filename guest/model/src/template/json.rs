//! JSON as Python's `json.dumps` writes it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Fault;
use super::meter::Writer;
use super::value::{Key, Sequence, Value, float_text};

type Done = Result<(), Fault>;

/// How it is written.
#[derive(Clone, Debug)]
pub(super) struct Style {
    pub(super) is_ascii: bool,
    /// A level's indentation; everything on one line where there is none.
    pub(super) indent: Option<String>,
    pub(super) item_separator: String,
    pub(super) key_separator: String,
    pub(super) is_sorted: bool,
}

/// Writes a value.
///
/// # Errors
/// A value that JSON does not have.
pub(super) fn write(value: &Value, style: &Style, level: usize, out: &mut Writer<'_>) -> Done {
    match value {
        Value::None => out.push("null"),
        Value::Bool(value) => out.push(if *value { "true" } else { "false" }),
        Value::Int(value) => out.push(&format!("{value}")),
        Value::Float(value) => out.push(&float(*value)),
        Value::Text(text) | Value::Markup(text) => quoted(text, style, out),
        Value::List(list) if matches!(list.kind, Sequence::List | Sequence::Tuple) => {
            let write_item = |item: &Value, out: &mut Writer<'_>| write(item, style, level + 1, out);
            enclosed(["[", "]"], &list.items, style, level, out, write_item)
        }
        Value::Map(map) => {
            let mut fields: Vec<&(Key, Value)> = map.fields.iter().collect();
            if style.is_sorted {
                fields.sort_by(|left, right| left.0.cmp(&right.0));
            }
            let write_field = |field: &&(Key, Value), out: &mut Writer<'_>| {
                match &field.0 {
                    Key::Text(name) => quoted(name, style, out)?,
                    Key::Int(number) => out.push(&format!("\"{number}\""))?,
                }
                out.push(&style.key_separator)?;
                write(&field.1, style, level + 1, out)
            };
            enclosed(["{", "}"], &fields, style, level, out, write_field)
        }
        _ => Err(Fault::Unsuited { operation: "filter \"tojson\"" }),
    }
}

fn enclosed<T>(
    [open, close]: [&str; 2],
    items: &[T],
    style: &Style,
    level: usize,
    out: &mut Writer<'_>,
    write_item: impl Fn(&T, &mut Writer<'_>) -> Done,
) -> Done {
    out.push(open)?;
    for (at, item) in items.iter().enumerate() {
        out.push(if at == 0 { "" } else { &style.item_separator })?;
        new_line(style, level + 1, out)?;
        write_item(item, out)?;
    }
    if !items.is_empty() {
        new_line(style, level, out)?;
    }
    out.push(close)
}

fn new_line(style: &Style, level: usize, out: &mut Writer<'_>) -> Done {
    let Some(indent) = &style.indent else { return Ok(()) };
    out.push("\n")?;
    out.fill(indent, level)
}

fn float(value: f64) -> String {
    match value {
        _ if value.is_nan() => "NaN".into(),
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        _ => float_text(value),
    }
}

fn quoted(text: &str, style: &Style, out: &mut Writer<'_>) -> Done {
    out.push("\"")?;
    for character in text.chars() {
        match character {
            '"' => out.push("\\\"")?,
            '\\' => out.push("\\\\")?,
            '\n' => out.push("\\n")?,
            '\r' => out.push("\\r")?,
            '\t' => out.push("\\t")?,
            '\x08' => out.push("\\b")?,
            '\x0c' => out.push("\\f")?,
            _ if character < ' ' || (style.is_ascii && !character.is_ascii()) => escaped(character, out)?,
            _ => out.push(character.encode_utf8(&mut [0; 4]))?,
        }
    }
    out.push("\"")
}

fn escaped(character: char, out: &mut Writer<'_>) -> Done {
    character.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| out.push(&format!("\\u{unit:04x}")))
}
