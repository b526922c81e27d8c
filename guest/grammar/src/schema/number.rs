//! Numbers: bounds by automata over decimal digits, exactly.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::compiler::{Compiler, Made};
use super::facts::Facts;
use super::part::Part;
use super::path::Path;
use super::types::Types;
use crate::error::GrammarError;
use crate::expr::Expr;
use crate::json::{Json, whole};
use crate::range::{between, fraction, positive_fraction};

/// The largest integer written: 18 digits, which 64 bits hold.
const MAX_INTEGER: i128 = 999_999_999_999_999_999;
/// The largest number written where there are bounds: with 6 digits of fraction, floats tell all of them apart.
const MAX_NUMBER: i128 = 999_999_999;
/// Most multiples that are listed one by one.
const MAX_LISTED: i128 = 4096;

/// Bounds of a number: whole, and included or not.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    least: i128,
    most: i128,
    /// Whether the bounds themselves are left out.
    excludes: [bool; 2],
}

/// The numbers that follow all of the schemas.
///
/// # Errors
/// A keyword of the wrong type, bounds that are not supported or leave nothing.
pub(super) fn expr<'a>(compiler: &Compiler<'a, '_>, facts: &Facts<'a>, path: &Path<'a>) -> Made {
    let multiple = multiple(facts)?;
    let is_whole = multiple.is_some() || !facts.types.has(Types::FRACTION);
    let max = if is_whole { MAX_INTEGER } else { MAX_NUMBER };
    let Some(bounds) = bounds(facts, is_whole, max)? else {
        return Ok(if is_whole {
            multiples(-MAX_INTEGER, MAX_INTEGER, multiple, path)?
        } else {
            compiler.shared.number()
        });
    };
    if !is_whole {
        return numbers(bounds).ok_or_else(|| path.error(NOTHING));
    }
    let [skip_least, skip_most] = bounds.excludes.map(i128::from);
    multiples(bounds.least + skip_least, bounds.most - skip_most, multiple, path)
}

const NOTHING: &str = "no number lies within the bounds";

/// What numbers must be a multiple of; 1 says nothing but that they are whole.
fn multiple(facts: &Facts<'_>) -> Result<Option<i128>, GrammarError> {
    let mut found = None;
    for part in facts.each("multipleOf") {
        let value = value_of(&part)?.filter(|&value| value > 0);
        let value =
            value.ok_or_else(|| part.path.error("multipleOf is supported for whole numbers from 1"))?;
        if found.is_some_and(|known| known != value) {
            return Err(part.path.error("a second multipleOf is not supported"));
        }
        found = Some(value);
    }
    Ok(found)
}

/// The bounds of all schemas, within what is written at all. None if there are none.
fn bounds(facts: &Facts<'_>, is_whole: bool, max: i128) -> Result<Option<Bounds>, GrammarError> {
    let mut bounds = Bounds { least: -max, most: max, excludes: [false; 2] };
    let mut is_bounded = false;
    for (name, is_upper, excludes) in [
        ("minimum", false, false),
        ("exclusiveMinimum", false, true),
        ("maximum", true, false),
        ("exclusiveMaximum", true, true),
    ] {
        for part in facts.each(name) {
            is_bounded = true;
            let (bound, excludes) = bound(&part, is_whole, is_upper, excludes)?;
            bounds.narrow(bound, is_upper, excludes);
        }
    }
    Ok(is_bounded.then_some(bounds))
}

/// One bound. For integers one between two of them is the next inside.
fn bound(
    part: &Part<'_>,
    is_whole: bool,
    is_upper: bool,
    excludes: bool,
) -> Result<(i128, bool), GrammarError> {
    if let Some(bound) = value_of(part)? {
        return Ok((bound, excludes));
    }
    let Json::Float(float) = *part.schema else { return Err(part.expected("a number")) };
    let below = (-9e15..9e15).contains(&float).then(|| floor(float)).flatten();
    let below = below.filter(|_| is_whole);
    let below = below.ok_or_else(|| part.path.error("for numbers, bounds are supported that are whole"))?;
    Ok((if is_upper { below } else { below + 1 }, false))
}

/// The whole number below one that is not whole.
fn floor(float: f64) -> Option<i128> {
    let text = format!("{float}");
    let (whole, _) = text.split_once('.')?;
    let toward_zero: i128 = whole.parse().ok()?;
    Some(if float < 0.0 { toward_zero - 1 } else { toward_zero })
}

fn value_of(part: &Part<'_>) -> Result<Option<i128>, GrammarError> {
    match part.schema {
        Json::Int(value) => Ok(Some(*value)),
        Json::Float(value) => Ok(whole(*value)),
        _ => Err(part.expected("a number")),
    }
}

impl Bounds {
    /// Takes in one more bound.
    fn narrow(&mut self, bound: i128, is_upper: bool, excludes: bool) {
        let (known, known_excludes) = match is_upper {
            true => (&mut self.most, &mut self.excludes[1]),
            false => (&mut self.least, &mut self.excludes[0]),
        };
        if bound == *known {
            *known_excludes |= excludes;
        } else if (bound < *known) == is_upper {
            (*known, *known_excludes) = (bound, excludes);
        }
    }
}

/// Whole numbers between two, both included, that are multiples.
fn multiples(least: i128, most: i128, multiple: Option<i128>, path: &Path<'_>) -> Made {
    let Some(step) = multiple.filter(|&step| step > 1) else {
        return integers(least, most).ok_or_else(|| path.error(NOTHING));
    };
    let (first, last) =
        (least.div_euclid(step) + i128::from(least.rem_euclid(step) > 0), most.div_euclid(step));
    if first > last {
        return Err(path.error(NOTHING));
    }
    if last - first >= MAX_LISTED {
        return Err(path.error("multipleOf is supported where bounds leave at most 4096 multiples"));
    }
    let texts: Vec<_> = (first..=last).map(|count| format!("{}", count * step).into_bytes()).collect();
    Ok(Expr::one_of(&texts))
}

/// Whole numbers between two, both included.
fn integers(least: i128, most: i128) -> Option<Expr> {
    let mut choices = Vec::new();
    if least < 0 && least <= most {
        let to = i128::min(most, -1);
        choices.push(Expr::Seq(vec![Expr::text("-"), between(to.unsigned_abs(), least.unsigned_abs())]));
    }
    if most >= 0 && least <= most {
        choices.push(between(least.max(0).unsigned_abs(), most.unsigned_abs()));
    }
    (!choices.is_empty()).then_some(Expr::Any(choices))
}

/// Numbers between two, with fractions of at most 6 digits.
fn numbers(bounds: Bounds) -> Option<Expr> {
    let Bounds { least, most, excludes: [skips_least, skips_most] } = bounds;
    if least.abs().max(most.abs()) > MAX_NUMBER + 1 {
        return None;
    }
    let mut choices = Vec::new();
    if most >= 0 {
        let (from, skips) = if least < 0 { (0, false) } else { (least, skips_least) };
        choices.extend(naturals(from, most, [skips, skips_most]));
    }
    if least < 0 {
        let (to, skips) = if most >= 0 { (0, true) } else { (-most, skips_most) };
        let below = naturals(to, -least, [skips, skips_least]);
        choices.extend(below.into_iter().map(|number| Expr::Seq(vec![Expr::text("-"), number])));
    }
    (!choices.is_empty()).then_some(Expr::Any(choices))
}

/// Numbers from 0 on between two.
fn naturals(least: i128, most: i128, [skips_least, skips_most]: [bool; 2]) -> Vec<Expr> {
    let whole = |from: i128, to: i128| between(from.unsigned_abs(), to.unsigned_abs());
    let mut choices = Vec::new();
    let inner = least + i128::from(skips_least);
    if inner < most {
        choices.push(Expr::Seq(vec![whole(inner, most - 1), fraction().optional()]));
    }
    if skips_least && least < most {
        choices.push(Expr::Seq(vec![whole(least, least), positive_fraction()]));
    }
    if !skips_most && inner <= most {
        choices.push(whole(most, most));
    }
    choices
}
