//! Style that matters is a test: this crate holds the house's dependency edges, its unsafe rooms and the size of
//! its files.
//!
//! Each rule is a pure function from what is in the tree to [`Finding`]s; `tests/house.rs` runs them on the real
//! tree. A finding names the place, what was found and what was expected.
#![forbid(unsafe_code)]

pub mod crates;
pub mod edge;
pub mod package;
pub mod room;
pub mod source;
pub mod spec;

/// One breach of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// File or package.
    pub place: String,
    /// What was found and what is expected there.
    pub text: String,
}

impl core::fmt::Display for Finding {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// A finding at `place`.
pub(crate) fn finding(place: &str, text: String) -> Finding {
    Finding { place: place.to_owned(), text }
}
