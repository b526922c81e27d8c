//! Arrays.

use alloc::vec;
use alloc::vec::Vec;

use super::compiler::{Compiler, Made};
use super::facts::Facts;
use super::part::Part;
use super::path::Path;
use crate::error::GrammarError;
use crate::expr::{Expr, number};
use crate::json::Json;

/// Most items where their number is bounded at all.
const MAX_ITEMS: usize = 10_000;

/// How the items of one schema are said: the first ones, and the others, where said.
type Items<'a> = (Vec<Part<'a>>, Option<Part<'a>>);

/// The arrays that follow all of the schemas.
///
/// # Errors
/// A keyword of the wrong type, counts that no array has.
pub(super) fn expr<'a>(compiler: &mut Compiler<'a, '_>, facts: &Facts<'a>, path: &Path<'a>) -> Made {
    let items: Result<Vec<Items<'a>>, _> = facts.parts.iter().map(items).collect();
    let items = items?;
    let (least, mut most) = bounds(facts)?;
    let first = items.iter().map(|(first, _)| first.len()).max().unwrap_or(0);
    let mut parts = (0..first).map(|at| parts_at(&items, at));
    // An item that nothing may be ends the array before it.
    let first = parts.position(|parts| is_refused(&parts)).map_or(first, |at| {
        most = Some(most.map_or(at, |most| most.min(at)));
        at
    });
    let rest = parts_at(&items, usize::MAX);
    let is_rest_said = items.iter().any(|(_, rest)| rest.is_some());
    if is_refused(&rest) || first > 0 && !is_rest_said && least <= first {
        most = Some(most.map_or(first, |most| most.min(first)));
    }
    if most.is_some_and(|most| most < least) || least > MAX_ITEMS {
        return Err(path.error("no array has so many items"));
    }
    let most = most.map(|most| most.min(MAX_ITEMS));
    let used = first.min(most.unwrap_or(first));
    let tuple: Result<Vec<Expr>, _> = (0..used).map(|at| compiler.all_of(parts_at(&items, at))).collect();
    let tuple = tuple?;
    let rest = if most.is_some_and(|most| most <= first) {
        None
    } else {
        let rest = compiler.all_of(rest)?;
        Some(compiler.rule(rest))
    };
    let body = body(compiler, tuple, rest, least, most);
    Ok(compiler.shared.enclosed("[", body, "]"))
}

/// `prefixItems` and `items`, or draft 7's list in `items` and `additionalItems`.
fn items<'a>(part: &Part<'a>) -> Result<Items<'a>, GrammarError> {
    let (prefix, items) = (part.keyword("prefixItems"), part.keyword("items"));
    match (prefix, items) {
        (Some(prefix), items) => Ok((prefix.items()?.collect(), items)),
        (None, Some(items)) if matches!(items.schema, Json::List(_)) => {
            Ok((items.items()?.collect(), part.keyword("additionalItems")))
        }
        (None, items) => Ok((Vec::new(), items)),
    }
}

/// The least and most items.
fn bounds(facts: &Facts<'_>) -> Result<(usize, Option<usize>), GrammarError> {
    let least =
        facts.each("minItems").try_fold(0, |least, part| part.count().map(|count| least.max(count)))?;
    let most = facts
        .each("maxItems")
        .try_fold(usize::MAX, |most, part| part.count().map(|count| most.min(count)))?;
    Ok((least, (most != usize::MAX).then_some(most)))
}

/// What the item at a place follows.
fn parts_at<'a>(items: &[Items<'a>], at: usize) -> Vec<Part<'a>> {
    items.iter().filter_map(|(first, rest)| first.get(at).or(rest.as_ref())).cloned().collect()
}

fn is_refused(parts: &[Part<'_>]) -> bool {
    parts.iter().any(|part| *part.schema == Json::Bool(false))
}

/// Items in order with commas between them, from the last to the first.
fn body(
    compiler: &mut Compiler<'_, '_>,
    tuple: Vec<Expr>,
    rest: Option<Expr>,
    least: usize,
    most: Option<usize>,
) -> Expr {
    let shared = compiler.shared;
    let count = tuple.len();
    let mut after = match &rest {
        None => Expr::empty(),
        Some(item) => {
            // The first item has no comma before it.
            let done = count.max(1);
            let most = most.map(|most| number(most.saturating_sub(done)));
            shared.next(item.clone()).times(number(least.saturating_sub(done)), most)
        }
    };
    if count == 0 {
        let Some(item) = rest else { return Expr::empty() };
        let some = Expr::Seq(vec![item, after]);
        return if least == 0 { some.optional() } else { some };
    }
    for (at, item) in tuple.into_iter().enumerate().rev() {
        let item = if at == 0 { item } else { shared.next(item) };
        let body = Expr::Seq(vec![item, after]);
        after = compiler.rule(if at < least { body } else { body.optional() });
    }
    after
}
