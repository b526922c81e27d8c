//! Checks of what a call names in texts: methods, filters and tests by name, directives of dates.

use alloc::string::ToString as _;

use super::super::eval::{date, format};
use super::super::known::{Filter, Function, Method, Test};
use super::super::value::Value;
use super::super::{Construct, Fault};
use super::parser::Parsed;
use super::tree::{Action, Arguments, Expression, Step};

/// A method that is called right behind its name, and the format it is a method of where that is written out.
pub(super) fn method(value: &Expression, steps: &[Step]) -> Parsed<()> {
    match steps.last() {
        Some(Step { action: Action::Attribute(name), .. }) if &**name == "format" => match (value, steps) {
            (Expression::Constant(Value::Text(text)), [_]) => format::check(text),
            _ => Ok(()),
        },
        Some(Step { action: Action::Attribute(name), .. }) if Method::named(name).is_none() => {
            // A loop's own two functions are rare, and not known here.
            Err(Fault::Unknown { kind: Construct::Method, name: name.to_string() })
        }
        _ => Ok(()),
    }
}

/// Filters that take the name of another filter or of a test.
pub(super) fn filter(filter: Filter, arguments: &Arguments) -> Parsed<()> {
    let at = match filter {
        Filter::Map | Filter::Select | Filter::Reject => 0,
        Filter::Selectattr | Filter::Rejectattr => 1,
        _ => return Ok(()),
    };
    let Some(name) = constant(arguments, at) else { return Ok(()) };
    let (kind, is_known) = match filter {
        Filter::Map => (Construct::Filter, Filter::named(name).is_some()),
        _ => (Construct::Test, Test::named(name).is_some()),
    };
    if is_known { Ok(()) } else { Err(Fault::Unknown { kind, name: name.to_string() }) }
}

/// A date's format, where it is written out.
pub(super) fn function(name: &str, arguments: &Arguments) -> Parsed<()> {
    match (Function::named(name), constant(arguments, 0)) {
        (Some(Function::StrftimeNow), Some(format)) => date::check(format),
        _ => Ok(()),
    }
}

fn constant(arguments: &Arguments, at: usize) -> Option<&str> {
    match arguments.positional.get(at) {
        Some(Expression::Constant(Value::Text(text))) => Some(text),
        _ => None,
    }
}
