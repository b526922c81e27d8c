//! `oneOf`: exactly one must hold. Supported where no value can follow two.

use alloc::vec::Vec;

use super::facts::Facts;
use super::part::Part;
use super::path::Path;
use super::types::Types;
use crate::error::GrammarError;
use crate::json::Json;

/// Required fields that are tried as what tells choices apart.
const MAX_TAGS: usize = 16;
/// Most listed values that are compared with others, each with each.
pub(super) const MAX_VALUES: usize = 512;

/// Checks that choices, each a list of schemas that hold at once, are apart.
///
/// # Errors
/// Two of them may not be.
pub(super) fn check(choices: &[Vec<Part<'_>>], path: &Path<'_>) -> Result<(), GrammarError> {
    let facts: Result<Vec<_>, _> = choices.iter().map(|parts| Facts::new(parts.clone())).collect();
    let facts = facts?;
    for (at, one) in facts.iter().enumerate() {
        if facts.iter().skip(at + 1).any(|other| !is_apart(one, other)) {
            return Err(path.item(at).error(
                "oneOf is supported where types, listed values, or a required field's tell choices apart",
            ));
        }
    }
    Ok(())
}

fn is_apart(one: &Facts<'_>, other: &Facts<'_>) -> bool {
    // Types that are only meant are not said: a schema of `properties` alone holds for every string.
    if said(one).is_apart(said(other)) {
        return true;
    }
    match (&one.values, &other.values) {
        (Some(one), Some(other)) => are_apart(one, other),
        (Some(values), None) => values.iter().all(|value| !said(other).has(Types::of(value))),
        (None, Some(values)) => values.iter().all(|value| !said(one).has(Types::of(value))),
        (None, None) => are_tagged(one, other),
    }
}

fn said(facts: &Facts<'_>) -> Types {
    let is_said = facts.parts.iter().any(|part| part.schema.get("type").is_some());
    if is_said || facts.values.is_some() { facts.types } else { Types::ALL }
}

fn are_apart(one: &[&Json], other: &[&Json]) -> bool {
    let are_few = one.len().max(other.len()) <= MAX_VALUES;
    are_few && one.iter().all(|value| other.iter().all(|found| !value.is_same(found)))
}

/// Whether both are objects with a required field whose listed values are apart.
fn are_tagged(one: &Facts<'_>, other: &Facts<'_>) -> bool {
    let are_objects = said(one).and(said(other)) == Types::OBJECT;
    let (names, others) = (required(one), required(other));
    are_objects
        && names.iter().take(MAX_TAGS).filter(|name| others.contains(name)).any(|name| {
            let values = tags(one, name).zip(tags(other, name));
            values.is_some_and(|(one, other)| are_apart(&one, &other))
        })
}

fn required<'a>(facts: &Facts<'a>) -> Vec<&'a str> {
    let lists = facts.each("required").filter_map(|list| list.items().ok());
    lists.flatten().filter_map(|name| name.text().ok()).collect()
}

/// The listed values of a field.
fn tags<'a>(facts: &Facts<'a>, name: &str) -> Option<Vec<&'a Json>> {
    let field = |part: Part<'a>| part.schema.get(name).map(|schema| Part::new(schema, part.path));
    let parts = facts.each("properties").filter_map(field).collect();
    Facts::new(parts).ok()?.values
}
