//! `map`, `select`, `reject` and their kin, which apply a filter or a test to each item.

use alloc::vec::Vec;

use super::super::known::{Filter, Test};
use super::super::value::Value;
use super::super::{Construct, Fault};
use super::given::Given;
use super::{Done, Renderer};

impl Renderer {
    pub(super) fn select(&mut self, filter: Filter, value: &Value, given: Given) -> Done<Value> {
        // jinja2 does not go through what is false, so `none` has no items here.
        let items = if value.is_true() { value.iterate(&self.meter)? } else { Vec::new() };
        match filter {
            Filter::Map => self.map_filter(items, given),
            _ => self.keep(filter, items, given),
        }
    }

    fn map_filter(&mut self, items: Vec<Value>, mut given: Given) -> Done<Value> {
        let mut mapped = Vec::with_capacity(items.len());
        if given.positional.is_empty() {
            let [attribute, default] = given.bind("map", ["attribute", "default"])?;
            let attribute = attribute.ok_or_else(|| Fault::Arguments { callee: "map".into() })?;
            for item in items {
                mapped.push(match (self.field(item, Some(&attribute))?, &default) {
                    (Value::Undefined, Some(default)) => default.clone(),
                    (found, _) => found,
                });
            }
            return Value::generator(mapped).shallow();
        }
        let name = given.positional.remove(0);
        let filter = named(&name, Construct::Filter, Filter::named)?;
        for item in items {
            let given = given.clone();
            mapped.push(self.deeper(|renderer| renderer.filter(filter, item, given))?);
        }
        Value::generator(mapped).shallow()
    }

    /// Items of which a test, or their own truth, is as the filter wants.
    fn keep(&self, filter: Filter, items: Vec<Value>, mut given: Given) -> Done<Value> {
        let wanted = matches!(filter, Filter::Select | Filter::Selectattr);
        let field = if matches!(filter, Filter::Select | Filter::Reject) {
            None
        } else if given.positional.is_empty() {
            return Err(Fault::Arguments { callee: filter.name().into() });
        } else {
            Some(given.positional.remove(0))
        };
        let test = if given.positional.is_empty() {
            None
        } else {
            Some(named(&given.positional.remove(0), Construct::Test, Test::named)?)
        };
        let mut kept = Vec::new();
        for item in items {
            let value = self.field(item.clone(), field.as_ref())?;
            let is_met = match test {
                Some(test) => self.test(test, &value, given.clone())?,
                None => value.is_true(),
            };
            kept.extend((is_met == wanted).then_some(item));
        }
        Value::generator(kept).shallow()
    }
}

/// What a text names; the renderer meets only those that were computed.
fn named<T>(name: &Value, kind: Construct, find: fn(&str) -> Option<T>) -> Done<T> {
    let found = name.as_text().and_then(|name| find(name));
    found.ok_or_else(|| Fault::Unknown { kind, name: "(computed)".into() })
}
