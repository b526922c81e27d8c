//! Receipts against evidence of the same appliance, and of others.

use ed25519_dalek::{Signer as _, SigningKey};
use vial_receipt::{Answered, LeafChecks, Outcome, Receipt, Sampling, Tokens, digest, sign};

use super::*;
use crate::{Question, ReceiptVerdict, Receipted};

const REQUEST: &[u8] = br#"{"prompt":"a"}"#;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[5; 32])
}

/// Evidence of an appliance that has the key.
fn of_key() -> Evidence {
    let public = key().verifying_key().to_bytes();
    json_of(evidence_with(public, &manifest(), &log(), Purpose::Attestation, MEASUREMENT))
}

fn answered() -> Answered {
    Answered { text: "An answer".to_string(), ..Answered::default() }
}

fn receipt() -> Receipt {
    let manifest = manifest();
    Receipt {
        issued_s: 9,
        request: digest(REQUEST),
        response: answered().digest(),
        response_bytes: 9,
        outcome: Outcome::Stop,
        manifest_digest: manifest.digest(),
        weights_root: manifest.weights.root,
        draft_root: None,
        engine: "1".to_string(),
        sampling: Sampling::default(),
        tokens: Some(Tokens { prompt: 1, completion: 2 }),
        leaf_checks: LeafChecks::default(),
        evidence: [0; 32],
    }
}

fn judged(receipt: &Receipt, by: &SigningKey, answered: &Answered) -> ReceiptVerdict {
    let public = by.verifying_key().to_bytes();
    let signed = sign(receipt, &public, |content| by.sign(content).to_bytes()).unwrap();
    let evidence = serde_json::to_string(&of_key()).unwrap();
    let (request, answered) = (Some(REQUEST), Some(answered));
    let shown = Receipted { receipt: &signed, evidence: &evidence, request, answered };
    question().judge_receipt(&shown, 0).unwrap()
}

fn question() -> Question {
    let reference = Some(serde_json::to_string(&reference()).unwrap());
    Question { reference, allow_simulated: true, ..Question::default() }
}

#[test]
fn a_receipt_of_the_expected_appliance_about_what_is_shown_is_accepted() {
    let verdict = judged(&receipt(), &key(), &answered());
    assert!(verdict.accepted, "{verdict:?}");
    assert!(verdict.not_compared.is_empty());
    let says = verdict.says.unwrap();
    assert_eq!((says.outcome, says.response_bytes, says.tokens), ("stop", 9, Some([1, 2])));
    assert!(!says.is_this_evidence);
}

#[test]
fn each_thing_that_a_receipt_names_has_a_refusing_twin() {
    let twin = |change: fn(&mut Receipt)| {
        let mut changed = receipt();
        change(&mut changed);
        let verdict = judged(&changed, &key(), &answered());
        assert!(!verdict.accepted && verdict.appliance.verdict.accepted);
        verdict.checks.last().unwrap().name
    };
    assert_eq!(twin(|it| it.manifest_digest[0] ^= 1), "receipt manifest digest");
    assert_eq!(twin(|it| it.weights_root[0] ^= 1), "receipt weights root");
    assert_eq!(twin(|it| it.draft_root = Some([1; 32])), "receipt draft root");
    assert_eq!(twin(|it| it.request[0] ^= 1), "request");
    assert_eq!(twin(|it| it.response[0] ^= 1), "response");
    assert_eq!(twin(|it| it.response_bytes += 1), "response bytes");
}

#[test]
fn a_receipt_under_another_key_and_an_answer_that_changed_are_refused() {
    let other = judged(&receipt(), &SigningKey::from_bytes(&[6; 32]), &answered());
    assert_eq!((other.accepted, other.checks.last().unwrap().name), (false, "receipt key"));
    let changed = Answered { text: "An answeR".to_string(), ..Answered::default() };
    assert_eq!(judged(&receipt(), &key(), &changed).checks.last().unwrap().name, "response");
}

#[test]
fn a_receipt_is_worth_no_more_than_its_evidence() {
    let signed =
        sign(&receipt(), &key().verifying_key().to_bytes(), |content| key().sign(content).to_bytes());
    let (signed, evidence) = (signed.unwrap(), serde_json::to_string(&of_key()).unwrap());
    let shown = Receipted { receipt: &signed, evidence: &evidence, request: None, answered: None };
    let verdict = Question { allow_simulated: false, ..question() }.judge_receipt(&shown, 0).unwrap();
    assert!(!verdict.accepted && verdict.checks.iter().all(crate::Check::has_passed));
    assert_eq!(verdict.not_compared, ["request", "response"]);
    let broken = Receipted { receipt: &signed[1..], ..shown };
    let verdict = question().judge_receipt(&broken, 0).unwrap();
    assert_eq!((verdict.accepted, verdict.checks.last().unwrap().name), (false, "receipt"));
    let none = Receipted { evidence: "{}", ..shown };
    question().judge_receipt(&none, 0).unwrap_err();
}

#[test]
fn kept_evidence_need_not_be_fresh_unless_a_policy_says_so() {
    let signed =
        sign(&receipt(), &key().verifying_key().to_bytes(), |content| key().sign(content).to_bytes());
    let (signed, evidence) = (signed.unwrap(), serde_json::to_string(&of_key()).unwrap());
    let shown = Receipted { receipt: &signed, evidence: &evidence, request: None, answered: None };
    let strict = "profile = \"own-host\"\nfreshness = \"nonce\"\nassurance = \"simulated\"\n";
    let question = Question { policy: Some(strict.to_string()), ..question() };
    let verdict = question.judge_receipt(&shown, 0).unwrap();
    assert_eq!(refused_by(&verdict.appliance.verdict), "freshness");
}
