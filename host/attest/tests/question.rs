//! A question as a document: read back as it was, answered as its parts are, and refused where it is none.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]

mod common;

use common::{all, milan, open_but, refusal};
use vial_attest::{Hexed, Question, QuestionError, Report, Shown};

const OPEN: &str = "profile = \"development\"\ntee = \"any\"\nappliance.measurement = \"any\"\n";

fn question() -> Question {
    let recording = milan();
    let certificates = recording.statement.certificates.into_iter().map(Hexed).collect();
    let report = Report { bytes: Hexed(recording.statement.report), certificates, ..Report::default() };
    Question {
        subject: "milan".to_owned(),
        shown: Some(Shown::Report(report)),
        policy: Some(OPEN.to_owned()),
        at: Some(recording.now),
        ..Question::default()
    }
}

#[test]
fn a_question_is_read_back_as_it_was_and_answered_as_its_parts_are() {
    let json = serde_json::to_string(&question()).unwrap();
    let read: Question = serde_json::from_str(&json).unwrap();
    assert_eq!(read, question());
    let answer = read.answer(0).unwrap();
    let found: Vec<_> = milan().appraise(open_but(&[])).checks;
    assert!(answer.verdict.accepted && answer.verdict.checks.len() == found.len());
    assert_eq!(answer.not_proven.first(), Some(&"that nobody opened the processor or its memory bus"));
}

#[test]
fn a_document_of_another_version_or_with_other_fields_is_no_question() {
    let json = serde_json::to_string(&question()).unwrap();
    for (from, to) in
        [("question-1", "question-2"), ("\"policy\"", "\"police\""), ("\"bytes\":\"02", "\"bytes\":\"0G")]
    {
        let changed = json.replacen(from, to, 1);
        assert_ne!(changed, json);
        assert!(serde_json::from_str::<Question>(&changed).is_err(), "{to}");
    }
}

#[test]
fn what_is_wrong_with_a_question_is_named_and_nothing_is_judged() {
    let none = Question { shown: None, ..question() };
    assert_eq!(none.answer(0), Err(QuestionError::Nothing));
    let error = |question: Question| question.answer(0).unwrap_err().to_string();
    let policy = Some("profile = \"lax\"".to_owned());
    assert!(error(Question { policy, ..question() }).starts_with("policy profile: found \"lax\""));
    let collateral = Some("{}".to_owned());
    assert!(error(Question { collateral, ..question() }).starts_with("TDX collateral: "));
    let unset = Question { policy: None, ..question() };
    assert!(error(unset).contains("found nothing for tee, appliance.measurement"));
    let nonce = Some(Hexed(vec![0; 63]));
    let shown = Some(Shown::Appliance { evidence: "{}".to_owned(), nonce, key: None });
    let policy = Some("profile = \"development\"\nappliance = \"any\"\n".to_owned());
    assert_eq!(error(Question { shown, policy, ..question() }), "evidence JSON: not what the layout says");
}

#[test]
fn what_a_report_must_bind_is_compared() {
    let bound = all().remove(0).statement.report[0x50..0x90].to_vec();
    let with = |data: Vec<u8>| {
        let mut question = question();
        if let Some(Shown::Report(report)) = &mut question.shown {
            report.report_data = Some(Hexed(data));
        }
        assert!(question.has_nonce());
        question.answer(0).unwrap().verdict
    };
    assert!(with(bound).accepted);
    assert_eq!(refusal(&with(vec![1; 64])).name, "report data");
}

#[test]
fn what_no_policy_accepts_simulated_the_flag_may() {
    let flagged = Question { policy: None, allow_simulated: true, ..question() };
    let policy = flagged.policy_of_appliance().unwrap_err().to_string();
    assert!(!policy.contains("assurance") && policy.contains("tee"), "{policy}");
}
