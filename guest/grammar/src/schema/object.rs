//! Objects.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use hashbrown::{HashMap, HashSet};

use super::compiler::{Compiler, Made};
use super::facts::Facts;
use super::part::Part;
use super::path::Path;
use crate::error::GrammarError;
use crate::expr::{CharSet, Expr};
use crate::json::{Json, quote};
use crate::value::{plain, quoted};

/// Most bytes of the names that further names are kept apart from.
const MAX_NAMES: usize = 1 << 14;

/// A field that the schemas name.
struct Field<'a> {
    name: &'a str,
    parts: Vec<Part<'a>>,
    is_required: bool,
}

/// What is said of fields that one schema does not name.
enum Others<'a> {
    Unsaid,
    Allowed,
    Refused,
    Schema(Part<'a>),
}

/// The objects that follow all of the schemas.
///
/// # Errors
/// A keyword of the wrong type, fields that are required and not allowed, counts that say something new.
pub(super) fn expr<'a>(compiler: &mut Compiler<'a, '_>, facts: &Facts<'a>, path: &Path<'a>) -> Made {
    let mut fields = fields(facts)?;
    let others = others(facts)?;
    require(&mut fields, facts, &others)?;
    narrow(&mut fields, facts, &others, path)?;
    let more = more(&others, !fields.is_empty());
    let most = counts(facts, &fields, more.is_some(), path)?;
    let shared = compiler.shared;
    let tail = match more {
        None => None,
        Some(parts) => {
            let value = compiler.all_of(parts)?;
            let name = other_name(compiler, &fields, path)?;
            let pair = shared.pair(name, value);
            Some(compiler.rule(pair))
        }
    };
    let mut pairs = Vec::new();
    for field in fields {
        let value = compiler.all_of(field.parts)?;
        let mut key = String::new();
        quote(field.name, &mut key);
        let pair = shared.pair(Expr::text(&key), value);
        pairs.push((compiler.rule(pair), field.is_required));
    }
    let body = body(compiler, pairs, tail, most);
    Ok(shared.enclosed("{", body, "}"))
}

/// All named fields, in the order in which they are named first.
fn fields<'a>(facts: &Facts<'a>) -> Result<Vec<Field<'a>>, GrammarError> {
    let mut fields: Vec<Field<'a>> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for properties in facts.each("properties") {
        for (name, part) in properties.fields()? {
            let at = *known.entry(name).or_insert(fields.len());
            match fields.get_mut(at) {
                Some(field) => field.parts.push(part),
                None => fields.push(Field { name, parts: vec![part], is_required: false }),
            }
        }
    }
    Ok(fields)
}

fn others<'a>(facts: &Facts<'a>) -> Result<Vec<Others<'a>>, GrammarError> {
    let of = |part: &Part<'a>| {
        let Some(others) = part.keyword("additionalProperties") else { return Ok(Others::Unsaid) };
        Ok(match others.schema {
            Json::Bool(true) => Others::Allowed,
            Json::Bool(false) => Others::Refused,
            Json::Object(_) => Others::Schema(others),
            _ => return Err(others.expected("a schema: an object, true or false")),
        })
    };
    facts.parts.iter().map(of).collect()
}

/// Marks required fields, and adds those that are not named.
fn require<'a>(
    fields: &mut Vec<Field<'a>>,
    facts: &Facts<'a>,
    others: &[Others<'a>],
) -> Result<(), GrammarError> {
    let mut known: HashMap<&str, usize> =
        fields.iter().enumerate().map(|(at, field)| (field.name, at)).collect();
    let is_closed = others.iter().any(|other| matches!(other, Others::Refused));
    for list in facts.each("required") {
        for item in list.items()? {
            let name = item.text()?;
            let at = *known.entry(name).or_insert(fields.len());
            match fields.get_mut(at) {
                Some(field) => field.is_required = true,
                None if is_closed => {
                    return Err(item.path.error("a required field that the schema does not allow"));
                }
                None => fields.push(Field { name, parts: Vec::new(), is_required: true }),
            }
        }
    }
    Ok(())
}

/// Applies what each schema says of fields that it does not name itself.
fn narrow<'a>(
    fields: &mut Vec<Field<'a>>,
    facts: &Facts<'a>,
    others: &[Others<'a>],
    path: &Path<'a>,
) -> Result<(), GrammarError> {
    for (part, others) in facts.parts.iter().zip(others) {
        let own = part.schema.get("properties").map_or(&[][..], Json::fields);
        let own: HashSet<&str> = own.iter().map(|(name, _)| name.as_str()).collect();
        match others {
            Others::Unsaid | Others::Allowed => {}
            Others::Schema(schema) => {
                let foreign = fields.iter_mut().filter(|field| !own.contains(field.name));
                foreign.for_each(|field| field.parts.push(schema.clone()));
            }
            Others::Refused => {
                if fields.iter().any(|field| field.is_required && !own.contains(field.name)) {
                    return Err(path.error("a required field that additionalProperties refuses"));
                }
                fields.retain(|field| own.contains(field.name));
            }
        }
    }
    // A field that nothing may be is left out.
    fields.retain(|field| {
        field.is_required || field.parts.iter().all(|part| *part.schema != Json::Bool(false))
    });
    Ok(())
}

/// What the values of further fields follow, if there may be any.
fn more<'a>(others: &[Others<'a>], has_fields: bool) -> Option<Vec<Part<'a>>> {
    let is_closed = others.iter().any(|other| matches!(other, Others::Refused));
    let is_open = others.iter().any(|other| matches!(other, Others::Allowed | Others::Schema(_)));
    let schemas = others.iter().filter_map(|other| match other {
        Others::Schema(part) => Some(part.clone()),
        _ => None,
    });
    (!is_closed && (is_open || !has_fields)).then(|| schemas.collect())
}

/// Checks counts of fields. Gives the most further fields and whether one is needed, where the object has no others.
fn counts(
    facts: &Facts<'_>,
    fields: &[Field<'_>],
    has_more: bool,
    path: &Path<'_>,
) -> Result<(bool, Option<u32>), GrammarError> {
    let mut bounds = (0, usize::MAX);
    for least in facts.each("minProperties") {
        bounds.0 = bounds.0.max(least.count()?);
    }
    for most in facts.each("maxProperties") {
        bounds.1 = bounds.1.min(most.count()?);
    }
    let required = fields.iter().filter(|field| field.is_required).count();
    let says_nothing =
        bounds.0 <= required && (bounds.1 >= fields.len() && !has_more || bounds.1 == usize::MAX);
    // Names may come twice, so that two further fields may be one.
    if says_nothing || fields.is_empty() && has_more && bounds.0 <= 1 && bounds.1 >= bounds.0.max(1) {
        let most = if bounds.1 == usize::MAX {
            None
        } else {
            Some(u32::try_from(bounds.1).unwrap_or(u32::MAX).min(10_000))
        };
        return Ok((bounds.0 > required, most));
    }
    Err(path.error(format!("minProperties and maxProperties are supported where they say nothing new (found {required} required of {} fields)", fields.len())))
}

/// A name that none of the fields has. Where there are fields it has no escapes: an escape could spell one of them.
///
/// One rule for each beginning of a field's name: it goes on as a field's name does, or leaves them all.
fn other_name<'a>(compiler: &mut Compiler<'a, '_>, fields: &[Field<'a>], path: &Path<'a>) -> Made {
    if fields.is_empty() {
        return Ok(compiler.shared.string());
    }
    if fields.iter().map(|field| field.name.len()).sum::<usize>() > MAX_NAMES {
        return Err(
            path.error("with additionalProperties, names of fields are supported up to 16 KiB together")
        );
    }
    let mut beginnings: BTreeMap<&str, (bool, BTreeMap<char, &str>)> = BTreeMap::new();
    for field in fields {
        for (at, character) in field.name.char_indices() {
            let (before, after) = (&field.name[..at], &field.name[..at + character.len_utf8()]);
            beginnings.entry(before).or_default().1.insert(character, after);
        }
        beginnings.entry(field.name).or_default().0 = true;
    }
    let anything = || Expr::Char(plain()).times(0, None);
    let mut rules: HashMap<&str, Expr> = HashMap::new();
    // Longer beginnings come after what they begin with.
    for (beginning, (is_name, next)) in beginnings.into_iter().rev() {
        let used = CharSet::new(next.keys().map(|&c| (c.into(), c.into())).collect());
        let other = Expr::Char(used.complement().intersection(&plain()));
        let mut choices = vec![Expr::Seq(vec![other, anything()])];
        choices.extend((!is_name).then(Expr::empty));
        for (character, after) in next.into_iter().filter(|(character, _)| plain().has((*character).into())) {
            let rest = rules.get(after).cloned().unwrap_or(Expr::empty());
            choices.push(Expr::Seq(vec![Expr::text(character.encode_utf8(&mut [0; 4])), rest]));
        }
        let rule = compiler.rule(Expr::Any(choices));
        rules.insert(beginning, rule);
    }
    Ok(quoted(rules.remove("").unwrap_or_else(anything)))
}

/// All pairs in order, with commas between those that are there; then `tail`, any number of times.
///
/// From the last to the first: what may follow when some pair came before, and when none did.
fn body(
    compiler: &mut Compiler<'_, '_>,
    pairs: Vec<(Expr, bool)>,
    tail: Option<Expr>,
    (needs_one, most): (bool, Option<u32>),
) -> Expr {
    let shared = compiler.shared;
    let (mut after_some, mut after_none) = match tail {
        None => (Expr::empty(), Expr::empty()),
        Some(pair) => {
            let more = shared.next(pair.clone());
            let some = more.times(0, most.map(|most| most.saturating_sub(1)));
            let none = Expr::Seq(vec![pair, some.clone()]);
            (some, if needs_one { none } else { none.optional() })
        }
    };
    for (pair, is_required) in pairs.into_iter().rev() {
        let rest = compiler.rule(after_some);
        let next = Expr::Seq(vec![shared.next(pair.clone()), rest.clone()]);
        let first = Expr::Seq(vec![pair, rest.clone()]);
        (after_some, after_none) = if is_required {
            (next, first)
        } else {
            let skipped = compiler.rule(after_none);
            (Expr::Any(vec![next, rest]), Expr::Any(vec![first, skipped]))
        };
    }
    after_none
}
