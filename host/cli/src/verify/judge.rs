//! Judging appliances over connections to them.

use vial_attest::{Answer, Bytes, Hexed, Question, ReceiptVerdict, Receipted, Shown};
use vial_client::Connection;
use vial_weights::Manifest;
use vial_weights::tree::Hex;

use super::failed::Files;
use super::subject::{base, clock};
use super::{Expected, Makers};
use crate::failure::Failure;

/// Longest evidence.
const EVIDENCE_MAX: u64 = 256 << 10;

/// A question with its answer.
pub(crate) struct Appraised {
    pub(super) question: Question,
    pub(crate) answer: Answer,
}

impl Appraised {
    /// The manifest that its evidence binds; nothing if it was not accepted.
    pub(crate) fn manifest(&self) -> Option<Manifest> {
        let Some(Shown::Appliance { evidence, .. }) = &self.question.shown else { return None };
        let evidence = Bytes::parse(evidence.as_bytes()).ok().filter(|_| self.answer.verdict.accepted)?;
        Manifest::decode(&evidence.manifest).ok()
    }
}

/// What is expected of an appliance, read once.
pub(crate) struct Judge(Question);

impl Judge {
    /// Reads what is expected, and what is trusted.
    pub(crate) fn new(expected: &Expected, makers: &Makers) -> Result<Self, Failure> {
        let (base, _) = base(expected, makers)?;
        let files = Files::of(expected, makers);
        base.policy_of_appliance().map_err(|error| files.failure(&error))?;
        Ok(Self(base))
    }

    /// Asks whoever is at the other end, with a nonce of this call's own, and judges its answer and its key.
    pub(crate) fn judge(&self, url: &str, connection: &mut Connection) -> Result<Appraised, Failure> {
        self.answer(url, Self::ask(connection)?)
    }

    /// What whoever is at the other end shows when it is asked with a nonce of this call's own.
    pub(crate) fn ask(connection: &mut Connection) -> Result<Shown, Failure> {
        let mut nonce = [0; 64];
        getrandom::fill(&mut nonce)
            .map_err(|error| Failure::new(format!("nonce: {error}"), "the system gives none"))?;
        let target = format!("/v1/attestation?nonce={}", Hex(&nonce));
        let evidence = connection.get(&target, EVIDENCE_MAX)?;
        let evidence = String::from_utf8_lossy(&evidence).into_owned();
        let (nonce, key) = (Hexed(nonce.to_vec()), Hexed(connection.key().to_vec()));
        Ok(Shown::Appliance { evidence, nonce: Some(nonce), key: Some(key) })
    }

    /// Judges what was shown; evidence that is none is an error.
    pub(crate) fn answer(&self, subject: &str, shown: Shown) -> Result<Appraised, Failure> {
        let question = Question { subject: subject.to_owned(), shown: Some(shown), ..self.0.clone() };
        let answer = question.answer(clock()?).map_err(|error| Files::default().failure(&error))?;
        Ok(Appraised { question, answer })
    }
}

/// Judges a receipt.
pub(crate) fn receipt_question(
    expected: &Expected,
    makers: &Makers,
    shown: &Receipted<'_>,
) -> Result<ReceiptVerdict, Failure> {
    let (base, clock) = base(expected, makers)?;
    let files = Files::of(expected, makers);
    base.judge_receipt(shown, clock).map_err(|error| files.failure(&error))
}
