//! The steps of a verification, as they are shown.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt::Display;
use serde::Serialize;
use vial_abi::report::Purpose;
use vial_weights::tree::Hex;

use crate::policy::{ANY, Field};
use crate::visible::visible;

/// What an appliance means that reports so.
const UNHEALTHY: &str = "The appliance answers no more: weights that it read differed from what was sealed, or could not be read.";

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Found what was expected.
    Passed,
    /// Found something else.
    Refused,
}

/// One thing that was compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// What was found, [`visible`].
    pub found: String,
    /// What was expected.
    pub expected: String,
    /// Where the expectation comes from.
    pub source: &'static str,
}

impl Check {
    /// Whether it passed.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.outcome == Outcome::Passed
    }

    /// Whether the policy lets it be whatever it is.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.expected == ANY && self.has_passed()
    }

    /// What the field is for; `None` for checks that no policy states.
    #[must_use]
    pub fn says(&self) -> Option<&'static str> {
        Field::of(self.name).map(|field| field.says)
    }

    /// What it means that this was found, where that needs words.
    #[must_use]
    pub fn remark(&self) -> Option<&'static str> {
        let is_unhealthy = self.name == "purpose" && self.found == alloc::format!("{:?}", Purpose::Unhealthy);
        is_unhealthy.then_some(UNHEALTHY)
    }
}

/// The checks of one verification, in the order in which they were made.
///
/// Each method gives `None` once it refuses, so that `?` ends a verification at the first thing that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checks(Vec<Check>);

impl Checks {
    /// Notes whether something holds.
    pub(crate) fn holds(
        &mut self,
        name: &'static str,
        is_right: bool,
        found: impl Display,
        expected: impl Display,
        source: &'static str,
    ) -> Option<()> {
        let outcome = if is_right { Outcome::Passed } else { Outcome::Refused };
        self.0.push(Check {
            name,
            outcome,
            found: visible(&found.to_string()),
            expected: visible(&expected.to_string()),
            source,
        });
        is_right.then_some(())
    }

    /// Compares two texts.
    pub(crate) fn equal(
        &mut self,
        name: &'static str,
        found: impl Display,
        expected: impl Display,
        source: &'static str,
    ) -> Option<()> {
        let (found, expected) = (found.to_string(), expected.to_string());
        self.holds(name, found == expected, found, expected, source)
    }

    /// Compares bytes.
    pub(crate) fn same(
        &mut self,
        name: &'static str,
        found: &[u8],
        expected: &[u8],
        source: &'static str,
    ) -> Option<()> {
        self.equal(name, Hex(found), Hex(expected), source)
    }

    /// What was parsed, or a refusal that names the field.
    pub(crate) fn parsed<T, E: Display>(
        &mut self,
        name: &'static str,
        result: Result<T, E>,
        expected: &'static str,
        source: &'static str,
    ) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.holds(name, false, error, expected, source)?;
                None
            }
        }
    }

    /// All of them.
    pub(crate) fn into_vec(self) -> Vec<Check> {
        self.0
    }
}
