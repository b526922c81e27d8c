//! What is wrong with a question, by the file that the user named.

use std::path::Path;
use vial_attest::{PolicyError, QuestionError};

use super::{Expected, Makers};
use crate::failure::Failure;

pub(super) const POLICY_HINT: &str = "see `vial verify --explain all`";
pub(super) const REFERENCE_HINT: &str = "make it with `vial measure IMAGE > FILE`";
pub(super) const INTEL_HINT: &str = "the JSON that dcap-qvl and its tools fetch from a PCCS";
pub(super) const TPM_HINT: &str =
    "JSON with message, signature, the 24 pcrs of SHA-256, and perhaps the key, as lower-case hex";
const UNSET_HINT: &str = "name an image with --image, its reference values with --measurements, or state them in a file with --policy";

/// The files that a question was made of.
#[derive(Default)]
pub(super) struct Files<'a> {
    pub(super) policy: Option<&'a Path>,
    pub(super) reference: Option<&'a Path>,
    pub(super) intel: Option<&'a Path>,
    pub(super) report: Option<&'a Path>,
    pub(super) tpm_quote: Option<&'a Path>,
}

impl<'a> Files<'a> {
    pub(super) fn of(expected: &'a Expected, makers: &'a Makers) -> Self {
        let [policy, reference] = expected.files();
        Self { policy, reference, intel: makers.collateral.as_deref(), ..Self::default() }
    }
}

impl Files<'_> {
    /// The failure, which names the file that is wrong.
    pub(super) fn failure(&self, error: &QuestionError) -> Failure {
        let (path, hint) = self.place(error);
        let file = path.map(|path| format!("{}: ", path.display())).unwrap_or_default();
        Failure::new(format!("{file}{error}"), hint)
    }

    fn place(&self, error: &QuestionError) -> (Option<&Path>, &'static str) {
        match error {
            QuestionError::Policy(PolicyError::Unset { .. }) => (None, UNSET_HINT),
            QuestionError::Policy(_) => (self.policy, POLICY_HINT),
            QuestionError::Reference(_) => (self.reference, REFERENCE_HINT),
            QuestionError::Collateral(_) => (self.intel, INTEL_HINT),
            QuestionError::Report(_) => (self.report, TPM_HINT),
            QuestionError::TpmQuote(_) => (self.tpm_quote, TPM_HINT),
            QuestionError::Evidence(_) => (None, "is there an appliance behind this address?"),
            QuestionError::Nothing => (None, "name an address, --evidence or --report"),
            QuestionError::Roots(_) | QuestionError::Nonce | QuestionError::Key => {
                (None, "this vial is broken")
            }
        }
    }
}
