//! What is wrong with a question, by the file that the user named.

use std::path::Path;
use vial_attest::{PolicyError, QuestionError};

use super::{Collateral, Expected, Subject};
use crate::failure::Failure;

pub(super) const POLICY_HINT: &str = "see `vial verify --explain all`";
pub(super) const REFERENCE_HINT: &str = "make it with `vial measure IMAGE > FILE`";
pub(super) const INTEL_HINT: &str = "the JSON that dcap-qvl and its tools fetch from a PCCS";
pub(super) const TPM_HINT: &str =
    "JSON with message, signature, the 24 pcrs of SHA-256, and perhaps the key, as lower-case hex";
const UNSET_HINT: &str = "name an image with --image, its reference values with --measurements, or state them in a file with --policy";

/// The files that a question was made of.
pub(super) struct Files<'a> {
    pub(super) subject: &'a Subject,
    pub(super) expected: &'a Expected,
    pub(super) collateral: &'a Collateral,
}

impl Files<'_> {
    /// The failure, which names the file that is wrong.
    pub(super) fn failure(&self, error: &QuestionError) -> Failure {
        let (path, hint) = self.place(error);
        let file = path.map(|path| format!("{}: ", path.display())).unwrap_or_default();
        Failure::new(format!("{file}{error}"), hint)
    }

    fn place(&self, error: &QuestionError) -> (Option<&Path>, &'static str) {
        let [policy, reference] = self.expected.files();
        match error {
            QuestionError::Policy(PolicyError::Unset { .. }) => (None, UNSET_HINT),
            QuestionError::Policy(_) => (policy, POLICY_HINT),
            QuestionError::Reference(_) => (reference, REFERENCE_HINT),
            QuestionError::Collateral(_) => (self.collateral.collateral.as_deref(), INTEL_HINT),
            QuestionError::Report(_) => (self.subject.report.as_deref(), TPM_HINT),
            QuestionError::TpmQuote(_) => (self.collateral.tpm_quote.as_deref(), TPM_HINT),
            QuestionError::Evidence(_) => (None, "is there an appliance behind this address?"),
            QuestionError::Nothing => (None, "name an address, --evidence or --report"),
            QuestionError::Roots(_) | QuestionError::Nonce => (None, "this vial is broken"),
        }
    }
}
