//! One step of a verification, as it is shown.

use alloc::string::String;
use serde::Serialize;

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
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: String,
    /// Where the expectation comes from.
    pub source: &'static str,
}

impl Check {
    /// Compares two texts.
    pub(crate) fn equal(name: &'static str, found: String, expected: String, source: &'static str) -> Self {
        let outcome = if found == expected { Outcome::Passed } else { Outcome::Refused };
        Self { name, outcome, found, expected, source }
    }

    /// Whether it passed.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.outcome == Outcome::Passed
    }
}
