//! Values as Python's `str` and `repr` write them.

use unicode_general_category::{GeneralCategory, get_general_category};

use super::super::Fault;
use super::super::meter::Writer;
use super::{List, Map, Sequence, Value, float_text};

type Done = Result<(), Fault>;

impl Value {
    /// Writes it as it is printed.
    pub(in super::super) fn show(&self, out: &mut Writer<'_>) -> Done {
        match self {
            Self::Undefined => Ok(()),
            Self::Text(text) | Self::Markup(text) => out.push_text(text),
            _ => self.represent(out),
        }
    }

    fn represent(&self, out: &mut Writer<'_>) -> Done {
        match self {
            Self::Undefined => out.push("Undefined"),
            Self::None => out.push("None"),
            Self::Bool(true) => out.push("True"),
            Self::Bool(false) => out.push("False"),
            Self::Int(value) => out.push(&alloc::format!("{value}")),
            Self::Float(value) => out.push(&float_text(*value)),
            Self::Text(text) => quoted(text, out),
            Self::Markup(text) => {
                out.push("Markup(")?;
                quoted(text, out)?;
                out.push(")")
            }
            Self::List(list) => sequence(list, out),
            Self::Map(map) => fields(map, out),
            // Python prints addresses of these.
            Self::Object(_) => Err(Fault::Unsuited { operation: "printing" }),
        }
    }
}

fn sequence(list: &List, out: &mut Writer<'_>) -> Done {
    let (open, close) = match list.kind {
        Sequence::List => ("[", "]"),
        Sequence::Tuple if list.items.len() == 1 => ("(", ",)"),
        Sequence::Tuple => ("(", ")"),
        Sequence::Keys => ("dict_keys([", "])"),
        Sequence::Values => ("dict_values([", "])"),
        Sequence::Items => ("dict_items([", "])"),
        Sequence::Range => return Err(Fault::Unsuited { operation: "printing" }),
    };
    out.push(open)?;
    for (at, item) in list.items.iter().enumerate() {
        out.push(if at == 0 { "" } else { ", " })?;
        item.represent(out)?;
    }
    out.push(close)
}

fn fields(map: &Map, out: &mut Writer<'_>) -> Done {
    out.push("{")?;
    for (at, (name, value)) in map.fields.iter().enumerate() {
        out.push(if at == 0 { "" } else { ", " })?;
        name.value().represent(out)?;
        out.push(": ")?;
        value.represent(out)?;
    }
    out.push("}")
}

/// Source: Python's `unicode_repr`.
fn quoted(text: &str, out: &mut Writer<'_>) -> Done {
    let quote = if text.contains('\'') && !text.contains('"') { "\"" } else { "'" };
    out.push(quote)?;
    for character in text.chars() {
        match character {
            '\\' => out.push("\\\\")?,
            '\n' => out.push("\\n")?,
            '\r' => out.push("\\r")?,
            '\t' => out.push("\\t")?,
            '\'' if quote == "'" => out.push("\\'")?,
            _ if is_printable(character) => out.push(character.encode_utf8(&mut [0; 4]))?,
            _ => out.push(&escaped(u32::from(character)))?,
        }
    }
    out.push(quote)
}

fn escaped(code: u32) -> alloc::string::String {
    match code {
        0..0x100 => alloc::format!("\\x{code:02x}"),
        0x100..0x1_0000 => alloc::format!("\\u{code:04x}"),
        _ => alloc::format!("\\U{code:08x}"),
    }
}

fn is_printable(character: char) -> bool {
    use GeneralCategory::{
        Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, SpaceSeparator, Surrogate, Unassigned,
    };
    let is_hidden = matches!(
        get_general_category(character),
        Control
            | Format
            | LineSeparator
            | ParagraphSeparator
            | PrivateUse
            | SpaceSeparator
            | Surrogate
            | Unassigned
    );
    character == ' ' || !is_hidden
}
