//! `"%s" % value` and `"{}".format(value)`: the conversions that templates use.

use core::iter::Peekable;
use core::slice;
use core::str::Chars;

use alloc::string::String;

use super::super::meter::{Meter, Writer};
use super::super::value::{Sequence, Text, Value};
use super::super::{Construct, Fault};
use super::Done;
use super::given::Given;

/// `text % value`: a tuple has one value for each conversion.
pub(super) fn percent(text: &Text, value: &Value, meter: &Meter) -> Done<Value> {
    let refused = || Fault::Arguments { callee: "%".into() };
    let mut values = match value {
        Value::List(list) if list.kind == Sequence::Tuple => list.items.iter(),
        _ => slice::from_ref(value).iter(),
    };
    let mut out = meter.writer();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push_as(character.encode_utf8(&mut [0; 4]), text.is_own())?;
        } else if characters.next_if_eq(&'%').is_some() {
            out.push_as("%", text.is_own())?;
        } else {
            conversion(&mut characters, value, &mut values, &mut out)?;
        }
    }
    let is_map = matches!(value, Value::Map(_));
    if values.next().is_some() && !is_map { Err(refused()) } else { Ok(out.done()) }
}

/// `%s`, `%d` with a width and zeros, or `%(name)s`.
fn conversion(
    characters: &mut Peekable<Chars<'_>>,
    map: &Value,
    values: &mut slice::Iter<'_, Value>,
    out: &mut Writer<'_>,
) -> Done<()> {
    let refused = || Fault::Arguments { callee: "%".into() };
    let mut name = None;
    if characters.next_if_eq(&'(').is_some() {
        name = Some(characters.by_ref().take_while(|&character| character != ')').collect::<String>());
    }
    let is_zero = characters.next_if_eq(&'0').is_some();
    let mut width = 0_usize;
    while let Some(digit) = characters.peek().and_then(|next| next.to_digit(10)) {
        width = width.saturating_mul(10).saturating_add(usize::try_from(digit).unwrap_or(0));
        characters.next();
    }
    let kind = characters.next().ok_or_else(refused)?;
    let value = match (name, map) {
        (Some(name), Value::Map(map)) => map.field(&name).ok_or_else(refused)?,
        (None, _) => values.next().ok_or_else(refused)?,
        _ => return Err(refused()),
    };
    let text = converted(kind, value, out)?;
    let fill = width.saturating_sub(text.chars().count());
    out.fill(if is_zero && kind != 's' { "0" } else { " " }, fill)?;
    out.push_text(&text)
}

fn converted(kind: char, value: &Value, out: &Writer<'_>) -> Done<Text> {
    match kind {
        's' => {
            let mut text = out.beside();
            value.show(&mut text)?;
            Ok(text.text())
        }
        'd' | 'i' => {
            let number = value.as_int().ok_or(Fault::Unsuited { operation: "\"%d\"" })?;
            Ok(Text::given(alloc::format!("{number}")))
        }
        _ => Err(Fault::Unknown { kind: Construct::Conversion, name: alloc::format!("%{kind}") }),
    }
}

/// `text.format(…)` with `{}`, `{0}` and `{name}`.
pub(super) fn braces(text: &Text, given: &Given, meter: &Meter) -> Done<Value> {
    let refused = || Fault::Arguments { callee: "format".into() };
    let mut out = meter.writer();
    let mut characters = text.chars().peekable();
    let mut automatic = 0;
    while let Some(character) = characters.next() {
        match character {
            '{' | '}' if characters.next_if_eq(&character).is_some() => {
                out.push_as(character.encode_utf8(&mut [0; 4]), text.is_own())?;
            }
            '{' => {
                let name: String = characters.by_ref().take_while(|&character| character != '}').collect();
                if name.contains(['!', ':', '.', '[', '{']) {
                    return Err(with_format());
                }
                field(&name, &mut automatic, given).ok_or_else(refused)?.show(&mut out)?;
            }
            '}' => return Err(refused()),
            _ => out.push_as(character.encode_utf8(&mut [0; 4]), text.is_own())?,
        }
    }
    Ok(out.done())
}

/// Checks the fields of a format.
pub(in super::super) fn check(text: &str) -> Done<()> {
    let has_format =
        |field: &str| field.split('}').next().is_some_and(|field| field.contains(['!', ':', '.', '[']));
    let plain = text.replace("{{", "").replace("}}", "");
    if plain.split('{').skip(1).any(has_format) { Err(with_format()) } else { Ok(()) }
}

fn with_format() -> Fault {
    Fault::Unknown { kind: Construct::Conversion, name: "{…} with a format".into() }
}

fn field<'a>(name: &str, automatic: &mut usize, given: &'a Given) -> Option<&'a Value> {
    if name.is_empty() {
        *automatic += 1;
        return given.positional.get(*automatic - 1);
    }
    if let Ok(at) = name.parse::<usize>() {
        return given.positional.get(at);
    }
    given.named.iter().find(|(known, _)| **known == *name).map(|(_, value)| value)
}
