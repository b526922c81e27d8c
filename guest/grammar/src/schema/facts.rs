//! What a list of schemas says together, keyword by keyword.

use alloc::format;
use alloc::vec::Vec;

use super::keywords::{OF_ARRAY, OF_NUMBER, OF_OBJECT, OF_STRING, REFUSED};
use super::one_of::MAX_VALUES;
use super::part::Part;
use super::types::Types;
use crate::error::GrammarError;
use crate::json::Json;

/// The facts that say which values are looked at closer.
#[derive(Clone, Debug)]
pub(super) struct Facts<'a> {
    pub(super) parts: Vec<Part<'a>>,
    pub(super) types: Types,
    /// The only values, where they are listed.
    pub(super) values: Option<Vec<&'a Json>>,
    /// The types that further keywords narrow, and one of them.
    narrowing: (Types, &'a str),
}

impl<'a> Facts<'a> {
    /// Reads `type`, `enum` and `const`, and refuses keywords that are not supported.
    ///
    /// # Errors
    /// A keyword that is not supported, or has a value of the wrong type.
    pub(super) fn new(parts: Vec<Part<'a>>) -> Result<Self, GrammarError> {
        let mut facts =
            Self { types: Types::ALL, values: None, narrowing: (Types::NONE, ""), parts: Vec::new() };
        let mut is_typed = false;
        for part in &parts {
            for (name, value) in part.fields()? {
                refuse_unsupported(name, &value)?;
                let of = meaning(name);
                if of != Types::NONE {
                    facts.narrowing = (facts.narrowing.0.or(of), name);
                }
                let values = match name {
                    "enum" => value.items()?.map(|item| item.schema).collect(),
                    "const" => [value.schema].into(),
                    _ => continue,
                };
                facts.keep(values, &value)?;
            }
            if let Some(types) = types(part)? {
                is_typed = true;
                facts.types = facts.types.and(types);
            }
        }
        if !is_typed && facts.values.is_none() && facts.narrowing.0 != Types::NONE {
            facts.types = facts.narrowing.0;
        }
        facts.parts = parts;
        Ok(facts)
    }

    /// Values of a keyword in all parts.
    pub(super) fn each(&self, name: &'a str) -> impl Iterator<Item = Part<'a>> {
        self.parts.iter().filter_map(move |part| part.keyword(name))
    }

    /// The listed values that are of the types allowed.
    ///
    /// # Errors
    /// Another keyword narrows them: values are not checked against it.
    pub(super) fn listed(&self) -> Result<Option<Vec<&'a Json>>, GrammarError> {
        let Some(values) = &self.values else { return Ok(None) };
        let (narrowed, name) = self.narrowing;
        let is_narrowed = values.iter().any(|value| !narrowed.is_apart(Types::of(value)));
        if let Some(part) = self.parts.first().filter(|_| is_narrowed) {
            return Err(part.path.error(format!("enum or const together with {name} is not supported")));
        }
        Ok(Some(values.iter().copied().filter(|value| self.types.has(Types::of(value))).collect()))
    }

    /// Keeps only listed values that are in `values` too.
    fn keep(&mut self, values: Vec<&'a Json>, at: &Part<'a>) -> Result<(), GrammarError> {
        let Some(known) = self.values.take() else {
            self.values = Some(values);
            return Ok(());
        };
        if known.len().max(values.len()) > MAX_VALUES {
            return Err(at.expected("at most 512 values where values are listed twice"));
        }
        let is_in = |one: &&Json| values.iter().any(|other| one.is_same(other));
        self.values = Some(known.into_iter().filter(is_in).collect());
        Ok(())
    }
}

/// The types that a keyword speaks of.
fn meaning(name: &str) -> Types {
    let groups: [(&[&str], Types); 4] = [
        (&OF_OBJECT, Types::OBJECT),
        (&OF_ARRAY, Types::ARRAY),
        (&OF_STRING, Types::STRING),
        (&OF_NUMBER, Types::NUMBER),
    ];
    let found = groups.iter().find(|(names, _)| names.contains(&name));
    found.map_or(Types::NONE, |&(_, types)| types)
}

/// `type`, a name or a list of names, with `nullable` of OpenAPI.
fn types(part: &Part<'_>) -> Result<Option<Types>, GrammarError> {
    let Some(names) = part.keyword("type") else { return Ok(None) };
    let one = |part: &Part<'_>| Types::named(part.text()?).ok_or_else(|| part.expected("a type of JSON"));
    let types = match names.schema {
        Json::List(_) => names.items()?.try_fold(Types::NONE, |types, name| Ok(types.or(one(&name)?)))?,
        _ => one(&names)?,
    };
    let is_nullable = part.keyword("nullable").map(|flag| flag.flag()).transpose()?.unwrap_or(false);
    Ok(Some(if is_nullable { types.or(Types::NULL) } else { types }))
}

fn refuse_unsupported(name: &str, value: &Part<'_>) -> Result<(), GrammarError> {
    let is_refused = REFUSED.contains(&name) || name == "uniqueItems" && *value.schema != Json::Bool(false);
    if is_refused { Err(value.path.error(format!("{name} is not supported"))) } else { Ok(()) }
}
