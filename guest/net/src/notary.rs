//! Receipts: drafts of them while answers are made, and those that were signed.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use base64ct::{Base64, Encoding as _};
use serde_json::json;
use vial_channel::{Identity, Random};
use vial_receipt::{Answered, Call, LeafChecks, Outcome, Receipt, Sampling, Tokens, digest};

use crate::answer::Delta;

/// Most receipts that are kept for clients which left.
const KEPT_MAX: usize = 256;

/// What every receipt of this appliance names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// SHA-384 of the manifest.
    pub manifest_digest: [u8; 48],
    /// BLAKE3 of the model.
    pub weights_root: [u8; 32],
    /// BLAKE3 of the model that drafts for it.
    pub draft_root: Option<[u8; 32]>,
    /// Version of the engine.
    pub engine: String,
}

/// When a receipt is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970, as the host told; 0 if it did not.
    pub unix_seconds: u64,
    /// Leaves checked since the start.
    pub checked_leaves: u64,
}

/// A receipt's name: 128 bits that nobody guesses, since whoever knows it may have the receipt.
pub(crate) type ReceiptId = [u8; 16];

/// A receipt in the making. Holds content.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) id: ReceiptId,
    request: [u8; 32],
    evidence: [u8; 32],
    checked_before: u64,
    pub(crate) sampling: Sampling,
    answered: Answered,
    marks: Vec<Mark>,
}

/// How much of the answer is in the first so many bytes that were queued for the client.
#[derive(Clone, Copy, Debug)]
struct Mark {
    queued: u64,
    text: usize,
    reasoning: usize,
    calls: usize,
    /// Of the last call.
    arguments: usize,
}

impl Draft {
    /// Keeps a piece.
    pub(crate) fn keep(&mut self, delta: Delta<'_>) {
        let Answered { text, reasoning, calls } = &mut self.answered;
        match delta {
            Delta::Text(more) => text.push_str(more),
            Delta::Reasoning(more) => reasoning.push_str(more),
            Delta::Call { name, .. } => calls.push(Call { name: name.into(), arguments: String::new() }),
            Delta::Arguments(more) => {
                calls.last_mut().into_iter().for_each(|call| call.arguments.push_str(more));
            }
        }
    }

    /// Notes that all of it so far is in the first `queued` bytes.
    pub(crate) fn mark(&mut self, queued: u64) {
        let Answered { text, reasoning, calls } = &self.answered;
        let arguments = calls.last().map_or(0, |call| call.arguments.len());
        let (text, reasoning, calls) = (text.len(), reasoning.len(), calls.len());
        self.marks.push(Mark { queued, text, reasoning, calls, arguments });
    }

    /// Leaves of it what is in the first `sent` bytes.
    fn cut(&mut self, sent: u64) {
        let mark = self.marks.iter().rev().find(|mark| mark.queued <= sent).copied();
        let Some(mark) = mark else {
            self.answered = Answered::default();
            return;
        };
        self.answered.text.truncate(mark.text);
        self.answered.reasoning.truncate(mark.reasoning);
        self.answered.calls.truncate(mark.calls);
        self.answered.calls.last_mut().into_iter().for_each(|call| call.arguments.truncate(mark.arguments));
    }
}

/// Signs receipts, and keeps the last.
#[derive(Debug)]
pub(crate) struct Notary {
    identity: Arc<Identity>,
    random: Random,
    sealed: Sealed,
    kept: VecDeque<(ReceiptId, Vec<u8>)>,
}

impl Notary {
    pub(crate) fn new(identity: Arc<Identity>, random: Random, sealed: Sealed) -> Self {
        Self { identity, random, sealed, kept: VecDeque::new() }
    }

    /// A draft for an answer to a request of that body; `None` if the processor gives no randomness.
    pub(crate) fn draft(&self, body: &[u8], evidence: [u8; 32], checked_before: u64) -> Option<Box<Draft>> {
        let mut id = ReceiptId::default();
        let (answered, marks, sampling) = (Answered::default(), Vec::new(), Sampling::default());
        let draft = Draft { id, request: digest(body), evidence, checked_before, sampling, answered, marks };
        (self.random)(&mut id).then(|| Box::new(Draft { id, ..draft }))
    }

    /// Signs that all of it was answered; gives the receipt as base64.
    pub(crate) fn sign(
        &mut self,
        draft: &Draft,
        outcome: Outcome,
        tokens: Option<Tokens>,
        now: Moment,
    ) -> Option<String> {
        let receipt = self.receipt(draft, outcome, tokens, now);
        let key = self.identity.public();
        let signed = vial_receipt::sign(&receipt, &key, |content| self.identity.sign(content))?;
        let text = Base64::encode_string(&signed);
        self.kept.push_back((draft.id, signed));
        if self.kept.len() > KEPT_MAX {
            self.kept.pop_front();
        }
        Some(text)
    }

    /// Signs that the first `sent` bytes left the appliance, and nothing more.
    pub(crate) fn sign_cut(&mut self, mut draft: Box<Draft>, sent: u64, now: Moment) {
        draft.cut(sent);
        // Whoever left asks for it by its name.
        let _kept = self.sign(&draft, Outcome::Cut, None, now);
    }

    fn receipt(&self, draft: &Draft, outcome: Outcome, tokens: Option<Tokens>, now: Moment) -> Receipt {
        let Sealed { manifest_digest, weights_root, draft_root, engine } = self.sealed.clone();
        let during = now.checked_leaves.saturating_sub(draft.checked_before);
        Receipt {
            issued_s: now.unix_seconds,
            request: draft.request,
            response: draft.answered.digest(),
            response_bytes: draft.answered.text.len() as u64,
            outcome,
            manifest_digest,
            weights_root,
            draft_root,
            engine,
            sampling: draft.sampling,
            tokens,
            leaf_checks: LeafChecks { during, since_start: now.checked_leaves },
            evidence: draft.evidence,
        }
    }

    /// A receipt that is kept, as JSON.
    pub(crate) fn find(&self, id: &ReceiptId) -> Option<Vec<u8>> {
        let (_, signed) = self.kept.iter().find(|(kept, _)| kept == id)?;
        let text = Base64::encode_string(signed);
        serde_json::to_vec(&json!({ "id": hex(id), "object": "receipt", "receipt": text })).ok()
    }
}

/// A receipt's name as it is told.
pub(crate) fn hex(id: &ReceiptId) -> String {
    id.iter().map(|byte| alloc::format!("{byte:02x}")).collect()
}
