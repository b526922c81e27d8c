//! Named sets of defaults.

use serde::{Deserialize, Serialize};

/// A profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Trusts nobody but the maker of the processor; versions of the platform must be stated.
    Strict,
    /// The owner of the machine verifies it: versions may be what they are.
    OwnHost,
    /// A confidential machine of a cloud, whose paravisor or word is accepted.
    CloudVouched,
    /// Accepts the simulated root, old evidence and open debugging.
    Development,
}

impl Profile {
    /// All of them, as the table of fields orders its defaults.
    pub const ALL: [Self; 4] = [Self::Strict, Self::OwnHost, Self::CloudVouched, Self::Development];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::OwnHost => "own-host",
            Self::CloudVouched => "cloud-vouched",
            Self::Development => "development",
        }
    }

    /// How it is named as the source of a rule.
    pub(crate) fn source(self) -> &'static str {
        match self {
            Self::Strict => "profile strict",
            Self::OwnHost => "profile own-host",
            Self::CloudVouched => "profile cloud-vouched",
            Self::Development => "profile development",
        }
    }

    /// The profile of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }
}
