//! Methods of Python's `str`, `list` and `dict`.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::super::known::Method;
use super::super::value::{Key, List, Map, Sequence, Text, Value};
use super::super::{Fault, Limit, text};
use super::given::Given;
use super::{Done, Renderer, format};

impl Renderer {
    /// Calls a method that the value has.
    pub(super) fn method(&self, value: &Value, method: Method, given: Given) -> Done<Value> {
        match value {
            Value::Map(map) => self.map_method(map, method, given),
            Value::List(list) => self.list_method(list, method, given),
            Value::Text(text) | Value::Markup(text) => {
                self.meter.steps(text.len() / text::BYTES_A_STEP)?;
                self.text_method(text, method, given)
            }
            _ => Err(Fault::Unsuited { operation: method.name() }),
        }
    }

    fn map_method(&self, map: &Rc<Map>, method: Method, given: Given) -> Done<Value> {
        if method == Method::Get {
            return self.map_get(map, given);
        }
        let [] = given.bind(method.name(), [])?;
        self.meter.steps(map.fields.len())?;
        let fields = map.fields.iter();
        let (kind, items): (_, Vec<Value>) = match method {
            Method::Items => {
                self.meter.bytes(map.fields.len().saturating_mul(128))?;
                (Sequence::Items, fields.map(|(name, value)| Value::pair(name, value)).collect())
            }
            Method::Keys => (Sequence::Keys, fields.map(|(name, _)| name.value()).collect()),
            Method::Values => (Sequence::Values, fields.map(|(_, value)| value.clone()).collect()),
            _ => return Ok(Value::Map(map.clone())),
        };
        Value::made(kind, items, &self.meter)
    }

    fn map_get(&self, map: &Map, given: Given) -> Done<Value> {
        // Python's `get` takes no names.
        if !given.named.is_empty() {
            return Err(Fault::Arguments { callee: "get".into() });
        }
        let [key, default] = given.bind("get", ["key", "default"])?;
        let key = key.ok_or_else(|| Fault::Arguments { callee: "get".into() })?;
        self.meter.steps(map.fields.len() / 8)?;
        let found = Key::of(&key).and_then(|key| map.at(&key)).cloned();
        Ok(found.or(default).unwrap_or(Value::None))
    }

    fn list_method(&self, list: &Rc<List>, method: Method, given: Given) -> Done<Value> {
        if method == Method::Copy {
            return Ok(Value::List(list.clone()));
        }
        let [wanted] = given.bind(method.name(), ["value"])?;
        let wanted = wanted.ok_or_else(|| Fault::Arguments { callee: method.name().into() })?;
        let mut places = Vec::new();
        for (at, item) in list.items.iter().enumerate() {
            if item.equals(&wanted, &self.meter)? {
                places.push(at);
            }
        }
        match method {
            Method::Count => Ok(Value::count(places.len())),
            _ => places.first().copied().map(Value::count).ok_or(Fault::Unsuited { operation: "index" }),
        }
    }

    fn text_method(&self, text: &Text, method: Method, given: Given) -> Done<Value> {
        match method {
            Method::Strip | Method::Lstrip | Method::Rstrip => self.strip(text, method, given),
            Method::Split | Method::Rsplit => self.split(text, method, given),
            Method::Startswith | Method::Endswith => self.begins_or_ends(text, method, given),
            Method::Replace => self.replace(text, given),
            Method::Join => self.join_texts(text, given),
            Method::Format => format::braces(text, &given, &self.meter),
            Method::Splitlines => {
                let [keep] = given.bind("splitlines", ["keepends"])?;
                self.texts(text, &text::lines(text, keep.is_some_and(|keep| keep.is_true())))
            }
            Method::Ljust | Method::Rjust | Method::Zfill => self.fill(text, method, given),
            Method::Find | Method::Rfind | Method::Index | Method::Count => self.find(text, method, given),
            Method::Partition | Method::Rpartition | Method::Removeprefix | Method::Removesuffix => {
                self.cut(text, method, given)
            }
            _ => {
                let [] = given.bind(method.name(), [])?;
                self.own_method(text, method)
            }
        }
    }

    fn own_method(&self, text: &Text, method: Method) -> Done<Value> {
        let all = |is_met: fn(char) -> bool| Ok(Value::Bool(!text.is_empty() && text.chars().all(is_met)));
        match method {
            Method::Upper => self.meter.changed(text, text.to_uppercase()),
            Method::Lower => self.meter.changed(text, text.to_lowercase()),
            Method::Capitalize => self.meter.changed(text, text::capitalized(text)),
            Method::Title => {
                self.meter.changed(text, text::titled(text, |character| !character.is_alphabetic()))
            }
            Method::Isalnum => all(char::is_alphanumeric),
            Method::Isalpha => all(char::is_alphabetic),
            Method::Isdigit => all(|character| character.is_ascii_digit()),
            Method::Isspace => all(text::is_space),
            Method::Islower => Ok(Value::Bool(text::is_cased(text, char::is_lowercase, char::is_uppercase))),
            Method::Isupper => Ok(Value::Bool(text::is_cased(text, char::is_uppercase, char::is_lowercase))),
            _ => Err(Fault::Unsuited { operation: method.name() }),
        }
    }

    fn strip(&self, text: &Text, method: Method, given: Given) -> Done<Value> {
        let [set] = given.bind(method.name(), ["chars"])?;
        let set = match &set {
            None | Some(Value::None) => None,
            Some(set) => Some(set.as_text().ok_or(Fault::Unsuited { operation: method.name() })?),
        };
        let is_stripped =
            |character: char| set.map_or(text::is_space(character), |set| set.contains(character));
        let stripped = match method {
            Method::Lstrip => text.trim_start_matches(is_stripped),
            Method::Rstrip => text.trim_end_matches(is_stripped),
            _ => text.trim_matches(is_stripped),
        };
        if stripped.len() == text.len() {
            Ok(Value::Text(text.clone()))
        } else {
            self.meter.part(text, stripped)
        }
    }

    fn split(&self, text: &Text, method: Method, given: Given) -> Done<Value> {
        let [separator, most] = given.bind(method.name(), ["sep", "maxsplit"])?;
        let most = most.as_ref().and_then(Value::as_int).and_then(|most| usize::try_from(most).ok());
        let separator = match separator {
            None | Some(Value::None) if method == Method::Split || most.is_none() => {
                return self.texts(text, &text::words(text, most));
            }
            Some(Value::Text(separator)) if !separator.is_empty() => separator,
            _ => return Err(Fault::Unsuited { operation: method.name() }),
        };
        let parts: Vec<&str> = match (method, most) {
            (_, None) => text.split(&*separator).collect(),
            (Method::Split, Some(most)) => text.splitn(most.saturating_add(1), &*separator).collect(),
            (_, Some(most)) => {
                let mut parts: Vec<&str> = text.rsplitn(most.saturating_add(1), &*separator).collect();
                parts.reverse();
                parts
            }
        };
        self.texts(text, &parts)
    }

    /// Parts of a text as a list.
    fn texts(&self, text: &Text, parts: &[&str]) -> Done<Value> {
        self.meter.bytes(parts.len().saturating_mul(16))?;
        let parts = parts.iter().map(|part| self.meter.part(text, part)).collect::<Done<_>>()?;
        Value::made(Sequence::List, parts, &self.meter)
    }

    fn begins_or_ends(&self, text: &str, method: Method, given: Given) -> Done<Value> {
        let [parts] = given.bind(method.name(), ["prefix"])?;
        let is_met = |part: &Value| match part.as_text() {
            Some(part) if method == Method::Startswith => Ok(text.starts_with(&**part)),
            Some(part) => Ok(text.ends_with(&**part)),
            None => Err(Fault::Unsuited { operation: method.name() }),
        };
        match &parts {
            Some(Value::List(list)) if list.kind == Sequence::Tuple => {
                for part in &list.items {
                    if is_met(part)? {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            }
            Some(part) => is_met(part).map(Value::Bool),
            None => Err(Fault::Arguments { callee: method.name().into() }),
        }
    }

    fn replace(&self, text: &Text, given: Given) -> Done<Value> {
        let [from, to, most] = given.bind("replace", ["old", "new", "count"])?;
        let (Some(from), Some(to)) =
            (from.as_ref().and_then(Value::as_text), to.as_ref().and_then(Value::as_text))
        else {
            return Err(Fault::Unsuited { operation: "replace" });
        };
        let most = most.as_ref().and_then(Value::as_int).and_then(|most| usize::try_from(most).ok());
        let mut out = self.meter.writer();
        text::replace(text, from, to, most, &mut out)?;
        Ok(out.done())
    }

    fn join_texts(&self, separator: &Text, given: Given) -> Done<Value> {
        let [items] = given.bind("join", ["iterable"])?;
        let items = items.ok_or_else(|| Fault::Arguments { callee: "join".into() })?;
        let mut out = self.meter.writer();
        for (at, item) in items.iterate(&self.meter)?.iter().enumerate() {
            if at > 0 {
                out.push_text(separator)?;
            }
            out.push_text(item.as_text().ok_or(Fault::Unsuited { operation: "join" })?)?;
        }
        Ok(out.done())
    }

    fn fill(&self, text: &Text, method: Method, given: Given) -> Done<Value> {
        let [width, fill] = given.bind(method.name(), ["width", "fillchar"])?;
        let width =
            width.as_ref().and_then(Value::as_int).ok_or(Fault::Unsuited { operation: method.name() })?;
        let width = usize::try_from(width.max(0)).map_err(|_| Fault::Limit { limit: Limit::Memory })?;
        let fill = fill.as_ref().and_then(Value::as_text).map_or(" ", |fill| fill);
        let count = width.saturating_sub(text.chars().count());
        let (sign, digits) = match text.strip_prefix(['+', '-']) {
            Some(digits) if method == Method::Zfill => (&text[..1], digits),
            _ => ("", &**text),
        };
        let mut out = self.meter.writer();
        out.push_part(text, sign)?;
        match method {
            Method::Zfill => out.fill("0", count)?,
            Method::Rjust => out.fill(fill, count)?,
            _ => {}
        }
        out.push_part(text, digits)?;
        out.fill(fill, if method == Method::Ljust { count } else { 0 })?;
        Ok(out.done())
    }

    fn find(&self, text: &str, method: Method, given: Given) -> Done<Value> {
        let [part] = given.bind(method.name(), ["sub"])?;
        let part =
            part.as_ref().and_then(Value::as_text).ok_or(Fault::Unsuited { operation: method.name() })?;
        let found = match method {
            Method::Count => return Ok(Value::count(text.matches(&**part).count())),
            Method::Rfind => text.rfind(&**part),
            _ => text.find(&**part),
        };
        match found {
            Some(at) => Ok(Value::count(text[..at].chars().count())),
            None if method == Method::Index => Err(Fault::Unsuited { operation: "index" }),
            None => Ok(Value::Int(-1)),
        }
    }

    fn cut(&self, text: &Text, method: Method, given: Given) -> Done<Value> {
        let [part] = given.bind(method.name(), ["sep"])?;
        let part =
            part.as_ref().and_then(Value::as_text).ok_or(Fault::Unsuited { operation: method.name() })?;
        let whole = |part: &str| self.meter.part(text, part);
        let parts = match method {
            Method::Removeprefix => return whole(text.strip_prefix(&**part).unwrap_or(text)),
            Method::Removesuffix => return whole(text.strip_suffix(&**part).unwrap_or(text)),
            _ if part.is_empty() => return Err(Fault::Unsuited { operation: method.name() }),
            Method::Partition => match text.split_once(&**part) {
                Some((before, after)) => [before, part, after],
                None => [text, "", ""],
            },
            _ => match text.rsplit_once(&**part) {
                Some((before, after)) => [before, part, after],
                None => ["", "", text],
            },
        };
        let parts = parts.into_iter().map(|part| self.meter.part(text, part)).collect::<Done<_>>()?;
        Value::made(Sequence::Tuple, parts, &self.meter)
    }
}
