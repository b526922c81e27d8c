//! Everything that a verdict is made of, as one document of JSON: what was shown, what is expected, and what is trusted.
//!
//! The command asks such a question, and the page that it writes carries one, so that both are answered by the same code. Files
//! stand in it as they came, text as text and bytes as hex, and are read by the parsers that read files.
//! From whoever wrote it: untrusted. It names no roots, which are pinned here.

mod error;
mod hexed;
mod report;

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

pub use error::QuestionError;
pub use hexed::Hexed;
pub use report::Report;

use crate::answer::{Answer, Models};
use crate::appliance::Asked;
use crate::bytes::Bytes;
use crate::policy::{FIELDS, Policy, PolicyFile, Profile};
use crate::reference::Reference;
use crate::snp::Roots;
use crate::tdx::Collateral;
use crate::trust::Trust;
use crate::verify::{Verdict, appraise, verify};

/// The document's version; another is no question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// The only one so far.
    #[default]
    #[serde(rename = "vial-question-1")]
    Version1,
}

/// What is asked. Holding one proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// `vial-question-1`.
    pub format: Format,
    /// Address or file, for people.
    pub subject: String,
    /// What is judged; nothing can be answered without.
    pub shown: Option<Shown>,
    /// What a policy's file states (TOML).
    pub policy: Option<String>,
    /// What holds where there is no policy's file; a file names its own.
    pub profile: Profile,
    /// Whether the simulated root is accepted where no file says so.
    pub allow_simulated: bool,
    /// Reference values, as `vial measure` prints them.
    pub reference: Option<String>,
    /// Intel's collateral, as JSON.
    pub collateral: Option<String>,
    /// Revocation lists of AMD's, DER.
    pub revocation_lists: Vec<Hexed>,
    /// Certificates of keys that sign reports, DER, for an appliance whose host adds none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Hexed>,
    /// Judge as of this time instead of the asker's, in seconds since 1970.
    pub at: Option<u64>,
    /// When it was asked first, in seconds since 1970; nothing is decided by it.
    pub asked: Option<u64>,
    /// Whether what is shown was kept on purpose, as with a receipt: it then need not be fresh where no file says so.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub is_kept: bool,
}

/// What somebody shows to be believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Shown {
    /// What an appliance answered.
    Appliance {
        /// The JSON of `/v1/attestation`.
        evidence: String,
        /// What it was asked with, 64 bytes; none if the evidence was stored.
        nonce: Option<Hexed>,
        /// The key at the other end of the connection that it came over, 32 bytes; none if the evidence was stored.
        key: Option<Hexed>,
    },
    /// A report alone, of whatever machine.
    Report(Report),
}

impl Default for Question {
    /// Nothing shown, and the owner's profile.
    fn default() -> Self {
        Self {
            format: Format::Version1,
            subject: String::new(),
            shown: None,
            policy: None,
            profile: Profile::OwnHost,
            allow_simulated: false,
            reference: None,
            collateral: None,
            revocation_lists: Vec::new(),
            certificates: Vec::new(),
            at: None,
            asked: None,
            is_kept: false,
        }
    }
}

impl Question {
    /// The reference values, if there are some.
    ///
    /// # Errors
    /// Not what `vial measure` prints.
    pub fn reference(&self) -> Result<Option<Reference>, QuestionError> {
        Ok(self.reference.as_ref().map(|text| Reference::parse(text.as_bytes())).transpose()?)
    }

    /// The policy of an appliance.
    ///
    /// # Errors
    /// A policy or reference values that are none, or fields that nothing states.
    pub fn policy_of_appliance(&self) -> Result<Policy, QuestionError> {
        let mut file = self.file()?;
        self.reference()?.map_or(Ok(()), |reference| reference.state(&mut file))?;
        Ok(file.complete()?)
    }

    /// The policy of a report alone: nothing of an appliance is in it, so that only what is stated is asked for.
    fn policy_of_report(&self) -> Result<Policy, QuestionError> {
        let mut file = self.file()?;
        let names = FIELDS.iter().map(|field| field.name);
        for name in names.filter(|name| name.starts_with("appliance.") && *name != "appliance.measurement") {
            file.default_to(name, &["any".to_string()], "no appliance is asked for")?;
        }
        Ok(file.complete()?)
    }

    fn file(&self) -> Result<PolicyFile, QuestionError> {
        let file = self.policy.as_deref().map(PolicyFile::parse).transpose()?;
        let mut file = file.unwrap_or_else(|| PolicyFile::of_profile(self.profile));
        if self.allow_simulated {
            file.default_to("assurance", &["simulated".to_string()], "--allow-simulated")?;
        }
        if self.is_kept {
            file.default_to("freshness", &["any".to_string()], "kept evidence")?;
        }
        Ok(file)
    }

    /// Whether something that only its first asker knew to be fresh must be bound.
    #[must_use]
    pub fn has_nonce(&self) -> bool {
        match &self.shown {
            Some(Shown::Appliance { nonce, .. }) => nonce.is_some(),
            Some(Shown::Report(report)) => report.report_data.is_some(),
            None => false,
        }
    }

    /// As of when it is answered, by the clock of who asks.
    #[must_use]
    pub fn time(&self, clock: u64) -> u64 {
        self.at.unwrap_or(clock)
    }

    /// Judges; `clock` is now, in seconds since 1970.
    ///
    /// # Errors
    /// What makes the question none. A refusal is an answer.
    pub fn answer(&self, clock: u64) -> Result<Answer, QuestionError> {
        let now = self.time(clock);
        let amd = Roots::amd()?;
        let lists: Vec<_> = self.revocation_lists.iter().map(|list| list.0.clone()).collect();
        let intel = self.collateral.as_ref().map(|text| Collateral::parse(text.as_bytes())).transpose()?;
        let trust = Trust { now, amd: &amd, amd_revocation_lists: &lists, intel: intel.as_ref() };
        let (verdict, models) = match self.shown.as_ref().ok_or(QuestionError::Nothing)? {
            Shown::Appliance { evidence, nonce, key } => {
                self.appliance(evidence, nonce.as_ref(), key.as_ref(), &trust)?
            }
            Shown::Report(report) => (self.report(report, &trust)?, Models::default()),
        };
        Ok(Answer::new(&self.subject, models, verdict, now))
    }

    fn appliance(
        &self,
        evidence: &str,
        nonce: Option<&Hexed>,
        key: Option<&Hexed>,
        trust: &Trust<'_>,
    ) -> Result<(Verdict, Models), QuestionError> {
        let policy = self.policy_of_appliance()?;
        let mut evidence = Bytes::parse(evidence.as_bytes()).map_err(QuestionError::Evidence)?;
        if !self.certificates.is_empty() {
            evidence.statement.certificates = self.certificates.iter().map(|it| it.0.clone()).collect();
        }
        let (nonce, key) = (whole(nonce, QuestionError::Nonce)?, whole(key, QuestionError::Key)?);
        let verdict = verify(&evidence, &policy, Asked { nonce, key }, trust);
        let models = Models::of(self.reference()?.as_ref(), &evidence, &verdict);
        Ok((verdict, models))
    }

    fn report(&self, report: &Report, trust: &Trust<'_>) -> Result<Verdict, QuestionError> {
        let policy = self.policy_of_report()?;
        let data = report.report_data.as_ref().map(|data| data.0.as_slice());
        Ok(appraise(&report.statement()?, &policy, data, trust))
    }
}

/// Bytes of the length that they must have.
fn whole<const N: usize>(
    found: Option<&Hexed>,
    wrong: QuestionError,
) -> Result<Option<&[u8; N]>, QuestionError> {
    found.map(|bytes| bytes.0.as_slice().try_into().map_err(|_| wrong)).transpose()
}
