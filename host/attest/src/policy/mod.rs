//! Policy: what authentic evidence must say to be accepted.
//!
//! There is one table of fields, and a policy states every one of them. What neither the file, nor the image that is
//! expected, nor the profile states is an error: nobody should have to remember what was forgotten.

mod dice;
mod field;
mod file;
mod profile;
mod rule;
mod snp;
mod tdx;
mod tpm;

use alloc::collections::BTreeMap;
use core::fmt::Display;

pub use field::{FIELDS, Field, Kind};
pub use file::{PolicyError, PolicyFile};
pub use profile::Profile;
pub(crate) use rule::ANY;
pub use rule::Rule;

use crate::check::Checks;
use rule::Words;

/// A rule for every field of [`FIELDS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    profile: Profile,
    rules: BTreeMap<&'static str, Stated>,
}

/// A rule, and who stated it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stated {
    rule: Rule,
    source: &'static str,
}

impl Policy {
    /// The profile that gave the defaults.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The rule of a field; `None` for names that are not in the table.
    #[must_use]
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.get(name).map(|stated| &stated.rule)
    }

    /// Whether a field is left open.
    pub(crate) fn is_open(&self, name: &str) -> bool {
        self.rule(name) == Some(&Rule::Any)
    }

    /// Notes whether what was found will do. A name that is not in the table refuses.
    pub(crate) fn check(&self, name: &'static str, found: impl Display, checks: &mut Checks) -> Option<()> {
        let found = alloc::string::ToString::to_string(&found);
        let Some((field, stated)) = Field::of(name).zip(self.rules.get(name)) else {
            return checks.holds(name, false, found, "a field of the policy", "this verifier");
        };
        let Stated { rule, source } = stated;
        checks.holds(name, rule.allows(field.kind, &found), found, Words(rule, field.kind), source)
    }
}
