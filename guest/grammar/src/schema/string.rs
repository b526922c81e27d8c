//! Strings.

use alloc::format;
use alloc::vec::Vec;

use super::compiler::Made;
use super::facts::Facts;
use super::format;
use super::part::Part;
use crate::error::GrammarError;
use crate::expr::number;
use crate::pattern::parse;
use crate::value::{Shared, quoted};

/// Most characters where their number is bounded at all.
const MAX_CHARACTERS: usize = 10_000;

/// The strings that follow all of the schemas.
///
/// # Errors
/// A keyword of the wrong type, a pattern or format that is not supported, two of them at once.
pub(super) fn expr(shared: Shared, facts: &Facts<'_>) -> Made {
    let (least, most) = lengths(facts)?;
    let mut patterns =
        facts.each("pattern").map(|part| part.text().map(|text| (text, part))).collect::<Vec<_>>();
    patterns.extend(facts.each("format").map(|part| named(&part).map(|text| (text, part))));
    let mut patterns = patterns.into_iter();
    let Some(pattern) = patterns.next() else { return any(shared, least, most, facts) };
    let (text, part) = pattern?;
    if let Some(other) = patterns.next() {
        return Err(other?.1.path.error("a second pattern or format is not supported"));
    }
    if (least, most) != (0, None) {
        return Err(part
            .path
            .error("pattern or format together with minLength or maxLength is not supported"));
    }
    parse(text, &shared.character()).map(quoted).map_err(|problem| part.path.error(problem))
}

/// The pattern of a format's name.
fn named(part: &Part<'_>) -> Result<&'static str, GrammarError> {
    let unknown = || part.path.error(format!("expected a supported format: {}", format::NAMES));
    format::pattern(part.text()?).ok_or_else(unknown)
}

/// Strings of any characters.
fn any(shared: Shared, least: usize, most: Option<usize>, facts: &Facts<'_>) -> Made {
    if (least, most) == (0, None) {
        return Ok(shared.string());
    }
    if least > MAX_CHARACTERS || most.is_some_and(|most| most < least) {
        let path = facts.each("minLength").next().map(|part| part.path);
        let error = path
            .map(|path| path.error(format!("no string has so many characters (at most {MAX_CHARACTERS})")));
        return error.map_or_else(|| Ok(shared.string()), Err);
    }
    let most = most.map(|most| number(most.min(MAX_CHARACTERS)));
    Ok(quoted(shared.character().times(number(least), most)))
}

/// The least and most characters.
fn lengths(facts: &Facts<'_>) -> Result<(usize, Option<usize>), GrammarError> {
    let least =
        facts.each("minLength").try_fold(0, |least, part| part.count().map(|count| least.max(count)))?;
    let most = facts
        .each("maxLength")
        .try_fold(usize::MAX, |most, part| part.count().map(|count| most.min(count)))?;
    Ok((least, (most != usize::MAX).then_some(most)))
}
