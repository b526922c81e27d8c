//! Why firmware stops.

use alloc::string::{String, ToString as _};
use vial_abi::ExitCode;

/// One line that names what differed, and the appliance's exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The exit code.
    pub code: ExitCode,
    /// Field, found, expected.
    pub line: String,
}

impl Refusal {
    /// A refusal.
    #[must_use]
    pub fn new(code: ExitCode, line: &str) -> Self {
        Self { code, line: line.to_string() }
    }

    /// A refusal of what an error says.
    #[must_use]
    pub fn of(code: ExitCode, error: &impl core::fmt::Display) -> Self {
        Self { code, line: error.to_string() }
    }
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.code.text(), self.line)
    }
}

impl core::error::Error for Refusal {}
