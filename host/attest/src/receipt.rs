//! Receipts: what an appliance signed of an answer, judged offline against evidence that was stored.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use serde::Serialize;
use vial_receipt::{Answered, Receipt, Sampling, digest, verify};
use vial_weights::tree::Hex;
use vial_weights::{Manifest, sha384};

use crate::answer::Answer;
use crate::bytes::Bytes;
use crate::check::{Check, Checks};
use crate::question::{Question, QuestionError, Shown};

const EVIDENCE: &str = "the evidence";
const MANIFEST: &str = "the evidence's manifest";
const OWN: &str = "this verifier";

/// What no receipt proves.
pub const RECEIPT_LEAVES_OPEN: [&str; 3] = [
    "that the time is right: it is what the host told the appliance",
    "that the answer is right, or that the model is a good one",
    "that the same request would be answered in the same way, unless it was deterministic",
];

/// What is shown of one answer.
#[derive(Clone, Copy, Debug)]
pub struct Receipted<'a> {
    /// The receipt, a COSE_Sign1.
    pub receipt: &'a [u8],
    /// Evidence of the appliance, as JSON, from whenever it ran.
    pub evidence: &'a str,
    /// The request's body, byte for byte, if it is to be compared.
    pub request: Option<&'a [u8]>,
    /// What the answer says, if it is to be compared.
    pub answered: Option<&'a Answered>,
}

/// The verdict on a receipt.
#[derive(Clone, Debug, Serialize)]
pub struct ReceiptVerdict {
    /// Whether the appliance is the expected one, and everything that was shown is what it signed.
    pub accepted: bool,
    /// What its evidence proves.
    pub appliance: Answer,
    /// What was compared of the receipt. Refused as soon as one is; the later ones are then missing.
    pub checks: Vec<Check>,
    /// What it says, where its signature holds.
    pub says: Option<Says>,
    /// What was not compared, since it was not shown.
    pub not_compared: Vec<&'static str>,
}

/// A receipt in words and hex.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Says {
    /// Seconds since 1970, as the host claimed; 0 where it told none.
    pub issued_s: u64,
    /// How the answer ended: as the API has it, or `cut`.
    pub outcome: &'static str,
    /// Bytes of its text.
    pub response_bytes: u64,
    /// Tokens of the prompt and of the answer; `null` where the client left before.
    pub tokens: Option<[u64; 2]>,
    /// Version of the engine.
    pub engine: String,
    /// How tokens were chosen.
    pub sampling: Sampling,
    /// Leaves checked while it was made, and since the start.
    pub leaf_checks: [u64; 2],
    /// SHA-256 of the evidence that its connection was shown.
    pub evidence: String,
    /// Whether that is the evidence it was judged against.
    pub is_this_evidence: bool,
}

impl Question {
    /// Judges a receipt; `clock` is now, in seconds since 1970. Nothing need be shown in the question itself.
    ///
    /// # Errors
    /// What makes the question none. A refusal is an answer.
    pub fn judge_receipt(&self, shown: &Receipted<'_>, clock: u64) -> Result<ReceiptVerdict, QuestionError> {
        let evidence = shown.evidence.to_string();
        let kept = Some(Shown::Appliance { evidence, nonce: None, key: None });
        let appliance = Self { shown: kept, is_kept: true, ..self.clone() }.answer(clock)?;
        let evidence = Bytes::parse(shown.evidence.as_bytes()).map_err(QuestionError::Evidence)?;
        let mut checks = Checks::default();
        let (receipt, held) = held(shown, &evidence, &mut checks);
        let not_compared = [("request", shown.request.is_none()), ("response", shown.answered.is_none())];
        Ok(ReceiptVerdict {
            accepted: appliance.verdict.accepted && held.is_some(),
            appliance,
            checks: checks.into_vec(),
            says: receipt.map(|receipt| Says::of(&receipt, shown.evidence)),
            not_compared: not_compared
                .into_iter()
                .filter(|(_, is_left)| *is_left)
                .map(|(name, _)| name)
                .collect(),
        })
    }
}

/// The receipt where its signature holds, and whether it is about what was shown.
fn held(shown: &Receipted<'_>, evidence: &Bytes, checks: &mut Checks) -> (Option<Receipt>, Option<()>) {
    let read = checks.parsed("receipt", verify(shown.receipt), "a COSE_Sign1 whose signature holds", OWN);
    let Some((receipt, key)) = read else { return (None, None) };
    let held = about(&receipt, &key, shown, evidence, checks);
    (Some(receipt), held)
}

fn about(
    receipt: &Receipt,
    key: &[u8; 32],
    shown: &Receipted<'_>,
    evidence: &Bytes,
    checks: &mut Checks,
) -> Option<()> {
    checks.same("receipt key", key, &evidence.channel_key, EVIDENCE)?;
    checks.same(
        "receipt manifest digest",
        &receipt.manifest_digest,
        &sha384(&evidence.manifest),
        EVIDENCE,
    )?;
    let decoded = Manifest::decode(&evidence.manifest).map_err(|_| "malformed");
    let manifest = checks.parsed("manifest", decoded, "canonical CBOR", OWN)?;
    checks.same("receipt weights root", &receipt.weights_root, &manifest.weights.root, MANIFEST)?;
    let draft = |root: Option<&[u8; 32]>| root.map_or("none".to_string(), |root| Hex(root).to_string());
    let expected = manifest.draft.as_ref().map(|draft| &draft.weights.root);
    checks.equal("receipt draft root", draft(receipt.draft_root.as_ref()), draft(expected), MANIFEST)?;
    if let Some(request) = shown.request {
        checks.same("request", &digest(request), &receipt.request, "the receipt")?;
    }
    if let Some(answered) = shown.answered {
        checks.equal("response bytes", answered.text.len(), receipt.response_bytes, "the receipt")?;
        checks.same("response", &answered.digest(), &receipt.response, "the receipt")?;
    }
    Some(())
}

impl Says {
    fn of(receipt: &Receipt, evidence: &str) -> Self {
        Self {
            issued_s: receipt.issued_s,
            outcome: receipt.outcome.name(),
            response_bytes: receipt.response_bytes,
            tokens: receipt.tokens.map(|tokens| [tokens.prompt, tokens.completion]),
            engine: crate::visible::visible(&receipt.engine),
            sampling: receipt.sampling,
            leaf_checks: [receipt.leaf_checks.during, receipt.leaf_checks.since_start],
            evidence: Hex(&receipt.evidence).to_string(),
            is_this_evidence: receipt.evidence == digest(evidence.as_bytes()),
        }
    }
}
