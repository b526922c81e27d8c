//! Why a question has no answer.

use crate::malformed::Malformed;
use crate::policy::PolicyError;
use crate::reference::ReferenceError;
use crate::snp::RootError;
use crate::tdx::CollateralError;

/// What is wrong with it, by the file that it is wrong with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuestionError {
    /// Nothing is shown.
    Nothing,
    /// An appliance's evidence.
    Evidence(Malformed),
    /// Not 64 bytes.
    Nonce,
    /// Not 32 bytes.
    Key,
    /// A report that is a TPM's quote.
    Report(Malformed),
    /// A TPM's quote that goes with a report.
    TpmQuote(Malformed),
    /// The policy.
    Policy(PolicyError),
    /// The reference values.
    Reference(ReferenceError),
    /// Intel's collateral.
    Collateral(CollateralError),
    /// The pinned roots: this verifier is broken.
    Roots(RootError),
}

impl core::fmt::Display for QuestionError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Nothing => f.write_str("found no evidence and no report, expected one"),
            Self::Evidence(error) | Self::Report(error) | Self::TpmQuote(error) => error.fmt(f),
            Self::Nonce => f.write_str("nonce: found another length, expected 64 bytes"),
            Self::Key => f.write_str("key: found another length, expected 32 bytes"),
            Self::Policy(error) => error.fmt(f),
            Self::Reference(error) => error.fmt(f),
            Self::Collateral(error) => error.fmt(f),
            Self::Roots(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for QuestionError {}

impl From<PolicyError> for QuestionError {
    fn from(error: PolicyError) -> Self {
        Self::Policy(error)
    }
}

impl From<ReferenceError> for QuestionError {
    fn from(error: ReferenceError) -> Self {
        Self::Reference(error)
    }
}

impl From<CollateralError> for QuestionError {
    fn from(error: CollateralError) -> Self {
        Self::Collateral(error)
    }
}

impl From<RootError> for QuestionError {
    fn from(error: RootError) -> Self {
        Self::Roots(error)
    }
}
