//! A question with what a reader adds to it, judged, with words for people beside it.

use serde::{Deserialize, Serialize};
use vial_attest::{Answer, Check, Question, QuestionError, seconds, visible};

use crate::file::{File, Form, put};

/// What a page asks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// What the page holds; none for a page that holds nothing.
    pub question: Option<Question>,
    /// Files of the reader, which replace what the page holds.
    #[serde(default)]
    pub dropped: Vec<File>,
    /// As of when, as `2026-06-20T00:00:00Z`; empty: by the page's question, and then by the clock.
    #[serde(default)]
    pub at: String,
    /// Now by the reader's clock, in seconds since 1970.
    pub clock: u64,
}

/// What it is told.
#[derive(Clone, Debug, Serialize)]
pub struct Response {
    /// The same JSON as `vial verify --json`; none if there is nothing to say yes or no to.
    pub answer: Option<Answer>,
    /// Why there is no answer.
    pub error: Option<String>,
    /// One for each check of the answer.
    pub notes: Vec<Note>,
    /// What each dropped file was taken for.
    pub taken: Vec<&'static str>,
    /// As of when it was judged, in seconds since 1970.
    pub now: u64,
    /// Whether that time was stated, rather than the clock's.
    pub is_stated: bool,
    /// Whether a nonce of whoever asked first is compared.
    pub has_nonce: bool,
    /// When it was asked first, in seconds since 1970.
    pub asked: Option<u64>,
    /// This verifier's version.
    pub version: &'static str,
}

/// Words for a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Whether the policy leaves it open.
    pub is_open: bool,
    /// What the field is for.
    pub says: Option<&'static str>,
    /// What it means that this was found.
    pub remark: Option<&'static str>,
}

impl Note {
    fn of(check: &Check) -> Self {
        Self { is_open: check.is_open(), says: check.says(), remark: check.remark() }
    }
}

impl Response {
    /// Judges.
    #[must_use]
    pub fn to(request: Request) -> Self {
        let mut question = request.question.unwrap_or_default();
        let taken = put_all(&mut question, &request.dropped);
        let at = time(&request.at);
        question.at = at.clone().unwrap_or(None).or(question.at);
        let answer = at.and_then(|_| question.answer(request.clock).map_err(|error| told(&error)));
        let (answer, error) = match answer {
            Ok(answer) => (Some(answer), None),
            Err(error) => (None, Some(visible(&error))),
        };
        let notes = answer.iter().flat_map(|answer| &answer.verdict.checks).map(Note::of).collect();
        Self {
            answer,
            error,
            notes,
            taken,
            now: question.time(request.clock),
            is_stated: question.at.is_some(),
            has_nonce: question.has_nonce(),
            asked: question.asked,
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    fn none(error: String) -> Self {
        Self { error: Some(error), ..Self::to(Request::default()) }
    }
}

/// Reports come first, since other files go with them; what was taken for what is told in the files' order.
fn put_all(question: &mut Question, files: &[File]) -> Vec<&'static str> {
    let mut order: Vec<_> = files.iter().enumerate().collect();
    order.sort_by_key(|(_, file)| (Form::of(&file.bytes.0), !file.bytes.0.starts_with(b"HCLA")));
    let mut taken = vec![""; files.len()];
    for (at, file) in order {
        taken[at] = put(question, file);
    }
    taken
}

fn time(at: &str) -> Result<Option<u64>, String> {
    let wrong = || format!("time: found {at:?}, expected one such as 2026-06-20T00:00:00Z");
    if at.is_empty() { Ok(None) } else { seconds(at).map(Some).ok_or_else(wrong) }
}

/// The error, and what a reader can do about it.
fn told(error: &QuestionError) -> String {
    let hint = match error {
        QuestionError::Nothing => "Drop a report or an appliance's evidence.",
        QuestionError::Policy(_) => "Drop a policy (TOML) that states them, or reference values.",
        _ => "Nothing was judged.",
    };
    format!("{error}. {hint}")
}

/// JSON to JSON.
pub(crate) fn respond(request: &[u8]) -> Vec<u8> {
    let request = serde_json::from_slice(request);
    let response = request.map_or_else(|error| Response::none(format!("request: {error}")), Response::to);
    // Our own structs have string keys and finite numbers; nothing else fails.
    serde_json::to_vec(&response).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vial_attest::Hexed;

    fn file(name: &str, bytes: &[u8]) -> File {
        File { name: name.to_owned(), bytes: Hexed(bytes.to_vec()) }
    }

    const POLICY: &[u8] = b"profile = \"development\"\nappliance.measurement = \"any\"\n";

    #[test]
    fn what_is_no_request_gets_a_response_without_an_answer() {
        let response: serde_json::Value = serde_json::from_slice(&respond(b"{")).unwrap();
        assert!(response["answer"].is_null());
        assert!(response["error"].as_str().unwrap().starts_with("request: "), "{response}");
    }

    #[test]
    fn a_page_that_holds_nothing_says_what_it_waits_for() {
        let error = Response::to(Request::default()).error.unwrap();
        assert!(error.contains("expected one") && error.contains("Drop a report"), "{error}");
    }

    #[test]
    fn files_are_taken_for_what_their_bytes_tell_in_any_order() {
        let dropped = vec![
            file("c.pem", b"-----BEGIN CERTIFICATE-----\n"),
            file("quote.json", b"{\"pcrs\":[]}"),
            file("policy.toml", POLICY),
            file("report", b"HCLA.."),
            file("collateral", b"{\"tcb_info\":0}"),
            file("crl", &[0x30, 0x82, 0, 0]),
            file("log", &[&[0; 32][..], b"Spec ID Event03\0"].concat()),
        ];
        let response = Response::to(Request { dropped, ..Request::default() });
        let expected = [
            "certificates of the report",
            "the TPM's quote of Azure's report",
            "a policy",
            "Azure's report",
            "Intel's collateral",
            "a revocation list",
            "an event log",
        ];
        assert_eq!(response.taken, expected);
        assert!(response.error.unwrap().starts_with("TDX collateral: "));
    }

    #[test]
    fn a_report_that_is_dropped_replaces_the_one_of_the_page_and_what_it_had_to_bind() {
        let shown = vial_attest::Report {
            report_data: Some(Hexed(vec![1])),
            certificates: vec![Hexed(vec![2])],
            ..vial_attest::Report::default()
        };
        let question = Question { shown: Some(vial_attest::Shown::Report(shown)), ..Question::default() };
        let dropped = vec![file("policy", POLICY), file("new", &[0; 1184])];
        let request = Request { question: Some(question), dropped, ..Request::default() };
        let response = Response::to(request);
        assert!(!response.has_nonce);
        let answer = response.answer.unwrap();
        assert_eq!((answer.subject.as_str(), answer.verdict.accepted), ("new", false));
        assert_eq!(answer.verdict.profile, "development");
    }

    #[test]
    fn a_time_that_is_stated_counts_before_the_clock_and_one_that_is_none_judges_nothing() {
        let request = |at: &str| Request {
            dropped: vec![file("policy", POLICY), file("new", &[0; 1184])],
            at: at.to_owned(),
            clock: 5,
            ..Request::default()
        };
        let at = |at: &str| {
            let response = Response::to(request(at));
            (response.now, response.is_stated, response.answer.is_some())
        };
        assert_eq!(at(""), (5, false, true));
        assert_eq!(at("1970-01-01T00:00:09Z"), (9, true, true));
        assert_eq!(at("yesterday"), (5, false, false));
    }
}
