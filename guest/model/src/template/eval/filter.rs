//! Filters of one value. Source: jinja2 3.1 `filters.py`.

use super::super::known::{Filter, Method};
use super::super::text;
use super::super::value::{Sequence, Value};
use super::super::{Fault, json};
use super::given::Given;
use super::{Done, Renderer, format};

impl Renderer {
    pub(super) fn filter(&mut self, filter: Filter, value: Value, given: Given) -> Done<Value> {
        let name = filter.name();
        match filter {
            Filter::Default => default(value, given.bind(name, ["default_value", "boolean"])?),
            Filter::Trim => {
                let value = self.as_text(value)?;
                self.method(&value, Method::Strip, given)
            }
            Filter::Upper | Filter::Lower | Filter::Capitalize | Filter::Title => {
                let [] = given.bind(name, [])?;
                self.cased(filter, &value)
            }
            Filter::Safe => self.marked(&value),
            Filter::Escape => self.escaped(&value),
            Filter::String => self.as_text(value),
            Filter::Length => self.length(&value),
            Filter::Tojson => self.tojson(&value, given),
            Filter::Replace => self.replaced(&value, given),
            Filter::Indent => self.indented(&value, given),
            Filter::Format => self.formatted(&value, given),
            Filter::Int => int(&value, given.bind(name, ["default", "base"])?),
            Filter::Float => float(&value, given.bind(name, ["default"])?),
            Filter::Abs => absolute(&value),
            Filter::Round => round(&value, given.bind(name, ["precision", "method"])?),
            Filter::Attr => self.attr(&value, given),
            _ => self.list_filter(filter, value, given),
        }
    }

    /// A value as text; text stays as it is.
    fn as_text(&self, value: Value) -> Done<Value> {
        match value {
            Value::Text(_) | Value::Markup(_) => Ok(value),
            _ => self.show(&value).map(Value::Text),
        }
    }

    fn marked(&self, value: &Value) -> Done<Value> {
        self.show(value).map(Value::Markup)
    }

    fn escaped(&self, value: &Value) -> Done<Value> {
        if let Value::Markup(_) = value {
            return Ok(value.clone());
        }
        let plain = self.show(value)?;
        let mut out = self.meter.writer();
        text::escape(&plain, &mut out)?;
        Ok(Value::Markup(out.text()))
    }

    fn cased(&self, filter: Filter, value: &Value) -> Done<Value> {
        let plain = self.show(value)?;
        let changed = match filter {
            Filter::Upper => plain.to_uppercase(),
            Filter::Lower => plain.to_lowercase(),
            Filter::Capitalize => text::capitalized(&plain),
            _ => text::titled(&plain, |character| "-({[<".contains(character) || text::is_space(character)),
        };
        self.meter.changed(&plain, changed)
    }

    fn length(&self, value: &Value) -> Done<Value> {
        if let Some(plain) = value.as_text() {
            self.meter.steps(plain.len() / text::BYTES_A_STEP)?;
        }
        value.len().map(Value::count).ok_or(Fault::Unsuited { operation: "filter \"length\"" })
    }

    fn tojson(&self, value: &Value, given: Given) -> Done<Value> {
        let names = ["ensure_ascii", "indent", "separators", "sort_keys"];
        let [is_ascii, indent, separators, is_sorted] = given.bind("tojson", names)?;
        let is_true = |value: Option<Value>| value.is_some_and(|value| value.is_true());
        let indent = match indent {
            None | Some(Value::None) => None,
            Some(indent) => Some(self.indentation(&indent)?),
        };
        let comma = if indent.is_some() { "," } else { ", " };
        let (item_separator, key_separator) = match separators {
            Some(Value::List(list)) => match list.items.as_slice() {
                [Value::Text(item), Value::Text(key)] => ((**item).into(), (**key).into()),
                _ => return Err(Fault::Arguments { callee: "tojson".into() }),
            },
            None | Some(Value::None) => (comma.into(), ": ".into()),
            _ => return Err(Fault::Arguments { callee: "tojson".into() }),
        };
        let (is_ascii, is_sorted) = (is_true(is_ascii), is_true(is_sorted));
        let style = json::Style { is_ascii, indent, item_separator, key_separator, is_sorted };
        let mut out = self.meter.writer();
        json::write(value, &style, 0, &mut out)?;
        Ok(out.done())
    }

    /// A text, or a number of spaces.
    fn indentation(&self, width: &Value) -> Done<alloc::string::String> {
        if let Some(plain) = width.as_text() {
            return Ok((**plain).into());
        }
        let count = width.as_int().ok_or(Fault::Unsuited { operation: "an indentation" })?;
        let mut out = self.meter.writer();
        out.fill(" ", usize::try_from(count.max(0)).unwrap_or(usize::MAX))?;
        Ok((*out.text()).into())
    }

    fn replaced(&self, value: &Value, given: Given) -> Done<Value> {
        let [from, to, most] = given.bind("replace", ["old", "new", "count"])?;
        let (Some(from), Some(to)) = (from, to) else {
            return Err(Fault::Arguments { callee: "replace".into() });
        };
        let (plain, from, to) = (self.show(value)?, self.show(&from)?, self.show(&to)?);
        let most = most.as_ref().and_then(Value::as_int).and_then(|most| usize::try_from(most).ok());
        let mut out = self.meter.writer();
        text::replace(&plain, &from, &to, most, &mut out)?;
        Ok(out.done())
    }

    fn indented(&self, value: &Value, given: Given) -> Done<Value> {
        let [width, first, blank] = given.bind("indent", ["width", "first", "blank"])?;
        let indent = self.indentation(&width.unwrap_or(Value::Int(4)))?;
        let (first, blank) =
            (first.is_some_and(|first| first.is_true()), blank.is_some_and(|blank| blank.is_true()));
        let plain = value.as_text().ok_or(Fault::Unsuited { operation: "filter \"indent\"" })?;
        // The line break that jinja2 adds makes an empty text one line.
        let mut lines = text::lines(plain, false);
        if plain.is_empty() || plain.ends_with('\n') {
            lines.push("");
        }
        let mut out = self.meter.writer();
        for (at, line) in lines.iter().enumerate() {
            out.push(if at == 0 { "" } else { "\n" })?;
            let is_indented = if at == 0 { first } else { blank || !line.is_empty() };
            out.push(if is_indented { &indent } else { "" })?;
            out.push_part(plain, line)?;
        }
        Ok(out.done())
    }

    fn formatted(&self, value: &Value, given: Given) -> Done<Value> {
        let plain = self.show(value)?;
        let right = match (given.positional, given.named) {
            (positional, named) if named.is_empty() => Value::sequence(Sequence::Tuple, positional),
            (positional, named) if positional.is_empty() => Value::fields(named),
            _ => return Err(Fault::Arguments { callee: "format".into() }),
        };
        format::percent(&plain, &right, &self.meter)
    }

    fn attr(&self, value: &Value, given: Given) -> Done<Value> {
        let [name] = given.bind("attr", ["name"])?;
        let name =
            name.as_ref().and_then(Value::as_text).ok_or(Fault::Arguments { callee: "attr".into() })?;
        Ok(match value.method(name) {
            Some(method) => value.bound(method),
            None => Value::Undefined,
        })
    }
}

fn default(value: Value, [default, boolean]: [Option<Value>; 2]) -> Done<Value> {
    let takes_false = boolean.is_some_and(|boolean| boolean.is_true());
    let is_missing = matches!(value, Value::Undefined) || (takes_false && !value.is_true());
    Ok(if is_missing { default.unwrap_or_else(|| Value::text("")) } else { value })
}

fn int(value: &Value, [default, base]: [Option<Value>; 2]) -> Done<Value> {
    let base = base.as_ref().map_or(Some(10), Value::as_int);
    let base = base.and_then(|base| u32::try_from(base).ok()).filter(|base| (2..=36).contains(base));
    let base = base.ok_or(Fault::Arguments { callee: "int".into() })?;
    let number = match value {
        Value::Undefined => return Err(Fault::Undefined { operation: "filter \"int\"" }),
        Value::Text(text) | Value::Markup(text) => whole(text, base).or_else(|| truncated(decimal(text)?)),
        Value::Float(value) => truncated(*value),
        _ => value.as_int(),
    };
    Ok(number.map(Value::Int).or(default).unwrap_or(Value::Int(0)))
}

fn whole(plain: &str, base: u32) -> Option<i128> {
    let trimmed = plain.trim_matches(text::is_space);
    let (sign, digits) = match trimmed.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let prefix = match base {
        2 => "0b",
        8 => "0o",
        16 => "0x",
        _ => "",
    };
    let digits = digits.strip_prefix(prefix).unwrap_or(digits);
    if digits.starts_with(['+', '-', '_']) || digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    i128::from_str_radix(&digits.replace('_', ""), base).ok().map(|value| sign * value)
}

fn decimal(plain: &str) -> Option<f64> {
    plain.trim_matches(text::is_space).parse().ok()
}

fn truncated(value: f64) -> Option<i128> {
    // Written out, since a cast would saturate.
    let whole = libm::trunc(value);
    if whole.is_finite() { alloc::format!("{whole:.0}").parse().ok() } else { None }
}

fn float(value: &Value, [default]: [Option<Value>; 1]) -> Done<Value> {
    let number = match value {
        Value::Undefined => return Err(Fault::Undefined { operation: "filter \"float\"" }),
        Value::Text(text) | Value::Markup(text) => decimal(text),
        _ => value.as_float(),
    };
    Ok(number.map(Value::Float).or(default).unwrap_or(Value::Float(0.0)))
}

fn absolute(value: &Value) -> Done<Value> {
    match value {
        Value::Float(value) => Ok(Value::Float(value.abs())),
        _ => value
            .as_int()
            .and_then(i128::checked_abs)
            .map(Value::Int)
            .ok_or(Fault::Unsuited { operation: "filter \"abs\"" }),
    }
}

fn round(value: &Value, [precision, method]: [Option<Value>; 2]) -> Done<Value> {
    let unsuited = || Fault::Unsuited { operation: "filter \"round\"" };
    let precision = precision.as_ref().map_or(Some(0), Value::as_int);
    let precision = precision.and_then(|precision| usize::try_from(precision).ok()).filter(|&at| at <= 15);
    let precision = precision.ok_or_else(unsuited)?;
    let method = method.as_ref().and_then(Value::as_text).map_or("common", |method| method);
    if let (Some(value), "common") = (value.as_int(), method) {
        return Ok(Value::Int(value));
    }
    let value = value.as_float().ok_or_else(unsuited)?;
    let scale = libm::pow(10.0, f64::from(u32::try_from(precision).unwrap_or(0)));
    let rounded = match method {
        "common" if value.is_finite() => alloc::format!("{value:.precision$}").parse().unwrap_or(value),
        "common" => value,
        "ceil" => libm::ceil(value * scale) / scale,
        "floor" => libm::floor(value * scale) / scale,
        _ => return Err(unsuited()),
    };
    Ok(Value::Float(rounded))
}
