//! Authenticity: a report was signed under a root of trust.

use crate::bytes::Bytes;
use crate::report::Report;
use crate::simulated;

/// A report with a good signature. Proves who signed its fields, not that they are the wanted ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentic {
    /// Under the simulated root: proves only that the parts fit together.
    Simulated(Report),
}

impl Authentic {
    /// The signed fields.
    #[must_use]
    pub fn report(&self) -> &Report {
        let Self::Simulated(report) = self;
        report
    }
}

/// Checks form and signature.
///
/// # Errors
/// What is wrong, as found and expected.
pub fn authentic(evidence: &Bytes) -> Result<Authentic, (&'static str, &'static str)> {
    if evidence.tee != simulated::NAME {
        return Err(("a TEE this verifier does not know", "simulated"));
    }
    let report = Report::parse(&evidence.report).map_err(|error| (error.field, "the report's layout"))?;
    if !simulated::is_signed(&evidence.report, &report) {
        return Err(("a signature that does not verify", "one under the SIMULATED root"));
    }
    Ok(Authentic::Simulated(report))
}
