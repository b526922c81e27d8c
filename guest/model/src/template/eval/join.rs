//! Filters that take a list apart or put one together. Source: jinja2 3.1 `filters.py`.

use alloc::string::String;
use alloc::vec::Vec;

use super::super::Fault;
use super::super::known::Filter;
use super::super::syntax::Operator;
use super::super::value::{Kind, Sequence, Text, Value, sorted};
use super::given::Given;
use super::{Done, Renderer, operator};

impl Renderer {
    pub(super) fn list_filter(&mut self, filter: Filter, value: Value, given: Given) -> Done<Value> {
        let name = filter.name();
        match filter {
            Filter::List => {
                let [] = given.bind(name, [])?;
                let items = value.iterate(&self.meter)?;
                Value::made(Sequence::List, items, &self.meter)
            }
            Filter::Items => self.items(&value),
            Filter::First => self.first(&value),
            Filter::Last => self.last(&value),
            Filter::Join => self.join(&value, given),
            Filter::Reverse => self.reversed(&value),
            Filter::Dictsort => self.dictsort(&value, given),
            Filter::Sort => self.sort(&value, given),
            Filter::Unique => self.unique(&value, given),
            Filter::Min | Filter::Max => self.extreme(filter, &value, given),
            Filter::Sum => self.sum(&value, given),
            _ => self.select(filter, &value, given),
        }
    }

    /// Pairs of a map, to be gone through once.
    fn items(&self, value: &Value) -> Done<Value> {
        match value {
            Value::Undefined => Ok(Value::generator(Vec::new())),
            Value::Map(map) => {
                self.meter.steps(map.fields.len())?;
                self.meter.bytes(map.fields.len().saturating_mul(128))?;
                Value::generator(map.fields.iter().map(|(name, value)| Value::pair(name, value)).collect())
                    .shallow()
            }
            _ => Err(Fault::Unsuited { operation: "filter \"items\"" }),
        }
    }

    fn first(&self, value: &Value) -> Done<Value> {
        match value {
            Value::List(list) => Ok(list.items.first().cloned().unwrap_or(Value::Undefined)),
            Value::Text(text) | Value::Markup(text) => {
                Ok(text.characters().next().unwrap_or(Value::Undefined))
            }
            Value::Object(object) => match &object.0 {
                Kind::Generator(generator) => Ok(generator.next().unwrap_or(Value::Undefined)),
                _ => Err(Fault::Unsuited { operation: "filter \"first\"" }),
            },
            _ => Ok(value.iterate(&self.meter)?.first().cloned().unwrap_or(Value::Undefined)),
        }
    }

    fn last(&self, value: &Value) -> Done<Value> {
        match value {
            Value::List(list) => Ok(list.items.last().cloned().unwrap_or(Value::Undefined)),
            Value::Text(text) | Value::Markup(text) => {
                Ok(text.char_indices().next_back().map_or(Value::Undefined, |place| text.character(place)))
            }
            Value::Map(_) => Ok(value.iterate(&self.meter)?.last().cloned().unwrap_or(Value::Undefined)),
            _ => Err(Fault::Unsuited { operation: "filter \"last\"" }),
        }
    }

    fn join(&self, value: &Value, given: Given) -> Done<Value> {
        let [separator, attribute] = given.bind("join", ["d", "attribute"])?;
        let separator = separator.map_or_else(|| Ok(Text::default()), |separator| self.show(&separator))?;
        let mut out = self.meter.writer();
        for (at, item) in value.iterate(&self.meter)?.into_iter().enumerate() {
            if at > 0 {
                out.push_text(&separator)?;
            }
            self.field(item, attribute.as_ref())?.show(&mut out)?;
        }
        Ok(out.done())
    }

    fn reversed(&self, value: &Value) -> Done<Value> {
        if let Some(text) = value.as_text() {
            return self.meter.changed(text, text.chars().rev().collect());
        }
        let mut items = value.iterate(&self.meter)?;
        items.reverse();
        Ok(Value::generator(items))
    }

    /// A field by its path: names and numbers between dots.
    pub(super) fn field(&self, value: Value, path: Option<&Value>) -> Done<Value> {
        let Some(path) = path else { return Ok(value) };
        let Some(path) = path.as_text() else { return self.item(&value, path) };
        path.split('.').try_fold(value, |value, part| {
            let number =
                if part.bytes().all(|byte| byte.is_ascii_digit()) { part.parse().ok() } else { None };
            self.item(&value, &number.map_or_else(|| Value::text(part), Value::Int))
        })
    }

    /// Items with what they are compared by.
    fn keyed(
        &self,
        value: &Value,
        attribute: Option<&Value>,
        is_case_sensitive: bool,
    ) -> Done<Vec<(Value, Value)>> {
        let mut keyed = Vec::new();
        for item in value.iterate(&self.meter)? {
            let key = self.sort_key(&item, attribute, is_case_sensitive)?;
            keyed.push((key, item));
        }
        Ok(keyed)
    }

    fn sort_key(&self, item: &Value, attribute: Option<&Value>, is_case_sensitive: bool) -> Done<Value> {
        let paths = attribute.and_then(Value::as_text).filter(|path| path.contains(','));
        let Some(paths) = paths else {
            return self.without_case(self.field(item.clone(), attribute)?, is_case_sensitive);
        };
        let mut keys = Vec::new();
        for path in paths.split(',') {
            let key = self.field(item.clone(), Some(&Value::text(path)))?;
            keys.push(self.without_case(key, is_case_sensitive)?);
        }
        Value::made(Sequence::List, keys, &self.meter)
    }

    fn without_case(&self, value: Value, is_case_sensitive: bool) -> Done<Value> {
        match value.as_text() {
            Some(text) if !is_case_sensitive => self.meter.changed(text, text.to_lowercase()),
            _ => Ok(value),
        }
    }

    fn sort(&self, value: &Value, given: Given) -> Done<Value> {
        let [reverse, case, attribute] = given.bind("sort", ["reverse", "case_sensitive", "attribute"])?;
        let keyed = self.keyed(value, attribute.as_ref(), is_true(case.as_ref()))?;
        let sorted = sorted(keyed, is_true(reverse.as_ref()), &self.meter)?;
        Value::made(Sequence::List, sorted.into_iter().map(|(_, item)| item).collect(), &self.meter)
    }

    fn dictsort(&self, value: &Value, given: Given) -> Done<Value> {
        let [case, by, reverse] = given.bind("dictsort", ["case_sensitive", "by", "reverse"])?;
        let by: String =
            by.as_ref().and_then(Value::as_text).map_or_else(|| "key".into(), |by| (**by).into());
        let Value::Map(map) = value else { return Err(Fault::Unsuited { operation: "filter \"dictsort\"" }) };
        let mut keyed = Vec::new();
        for (name, value) in &map.fields {
            let key = match by.as_str() {
                "key" => name.value(),
                "value" => value.clone(),
                _ => return Err(Fault::Arguments { callee: "dictsort".into() }),
            };
            keyed.push((self.without_case(key, is_true(case.as_ref()))?, Value::pair(name, value)));
        }
        let sorted = sorted(keyed, is_true(reverse.as_ref()), &self.meter)?;
        Value::made(Sequence::List, sorted.into_iter().map(|(_, item)| item).collect(), &self.meter)
    }

    fn unique(&self, value: &Value, given: Given) -> Done<Value> {
        let [case, attribute] = given.bind("unique", ["case_sensitive", "attribute"])?;
        let mut seen: Vec<Value> = Vec::new();
        let mut kept = Vec::new();
        for (key, item) in self.keyed(value, attribute.as_ref(), is_true(case.as_ref()))? {
            let mut is_new = true;
            for old in &seen {
                is_new &= !old.equals(&key, &self.meter)?;
            }
            if is_new {
                seen.push(key);
                kept.push(item);
            }
        }
        Ok(Value::generator(kept))
    }

    fn extreme(&self, filter: Filter, value: &Value, given: Given) -> Done<Value> {
        let [case, attribute] = given.bind(filter.name(), ["case_sensitive", "attribute"])?;
        let keyed = self.keyed(value, attribute.as_ref(), is_true(case.as_ref()))?;
        let sorted = sorted(keyed, filter == Filter::Max, &self.meter)?;
        Ok(sorted.into_iter().next().map_or(Value::Undefined, |(_, item)| item))
    }

    fn sum(&self, value: &Value, given: Given) -> Done<Value> {
        let [attribute, start] = given.bind("sum", ["attribute", "start"])?;
        let start = start.unwrap_or(Value::Int(0));
        if start.as_text().is_some() {
            return Err(Fault::Unsuited { operation: "filter \"sum\"" });
        }
        value.iterate(&self.meter)?.into_iter().try_fold(start, |sum, item| {
            let item = self.field(item, attribute.as_ref())?;
            operator::apply(Operator::Add, &sum, &item, &self.meter)
        })
    }
}

fn is_true(value: Option<&Value>) -> bool {
    value.is_some_and(Value::is_true)
}
