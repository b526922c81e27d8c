//! What one field of a policy allows.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::field::Kind;

/// Values that will do; their form is that of the field's [`Kind`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Whatever there is.
    Any,
    /// One of these; for floors and levels, at least the only one.
    OneOf(Vec<String>),
}

/// The text that stands for [`Rule::Any`].
pub(crate) const ANY: &str = "any";

impl Rule {
    /// One value, or [`ANY`].
    #[must_use]
    pub fn of(value: &str) -> Self {
        if value == ANY { Self::Any } else { Self::OneOf(alloc::vec![value.to_string()]) }
    }

    /// Whether a value will do.
    #[must_use]
    pub fn allows(&self, kind: Kind, found: &str) -> bool {
        let Self::OneOf(values) = self else { return true };
        match kind {
            Kind::Floor => values.iter().all(|least| reaches(found, least)),
            Kind::Level(levels) => values.iter().all(|least| is_at_least(levels, found, least)),
            _ => values.iter().any(|value| value == found),
        }
    }
}

/// Numbers that are none reach nothing.
fn reaches(found: &str, least: &str) -> bool {
    let (found, least) = (found.parse::<u64>(), least.parse::<u64>());
    found.is_ok_and(|found| least.is_ok_and(|least| found >= least))
}

/// Words that are not in the list reach nothing, and nothing reaches them.
fn is_at_least(levels: &[&str], found: &str, least: &str) -> bool {
    let rank = |word: &str| levels.iter().position(|level| *level == word);
    rank(found).zip(rank(least)).is_some_and(|(found, least)| found >= least)
}

/// A rule in words, for the screen.
pub(crate) struct Words<'a>(pub(crate) &'a Rule, pub(crate) Kind);

impl core::fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match (self.0, self.1) {
            (Rule::Any, _) => f.write_str(ANY),
            (Rule::OneOf(values), Kind::Floor | Kind::Level(_)) => {
                write!(f, "at least {}", values.join(", "))
            }
            (Rule::OneOf(values), _) => f.write_str(&values.join(" or ")),
        }
    }
}

impl Kind {
    /// Whether a value has the form.
    #[must_use]
    pub fn fits(self, value: &str) -> bool {
        match self {
            Self::Flag => matches!(value, "true" | "false"),
            Self::Hex(bytes) => is_hex(value, bytes),
            Self::HexOrNone(bytes) => value == "none" || is_hex(value, bytes),
            Self::Number | Self::Floor => value.parse::<u32>().is_ok(),
            Self::Word(words) | Self::Level(words) => words.contains(&value),
        }
    }
}

fn is_hex(value: &str, bytes: usize) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    value.len() == bytes.saturating_mul(2) && value.bytes().all(is_digit)
}
