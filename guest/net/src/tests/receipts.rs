//! Receipts of answers, whole, streamed and cut short.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use base64ct::{Base64, Encoding as _};
use serde_json::Value;
use vial_channel::Identity;
use vial_receipt::{Answered, Call, LeafChecks, Outcome, Receipt, Sampling, Tokens, digest, verify};

use super::bench::{Bench, client_side};
use super::{Delta, Finish, JobId, Moment, USAGE};

const SAMPLING: Sampling = Sampling {
    temperature: 0.5,
    top_k: 7,
    top_p: 0.25,
    min_p: 0.0,
    repetition_penalty: 1.0,
    presence_penalty: 0.0,
    frequency_penalty: 0.0,
    seed: 9,
    is_deterministic: false,
};
const NOW: Moment = Moment { unix_seconds: 77, checked_leaves: 30 };

/// The receipt in an object, after its signature was checked.
fn receipt(object: &Value) -> Receipt {
    let (receipt, key) = verify(&Base64::decode_vec(object["receipt"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(key, Identity::new(&[7; 32]).public());
    receipt
}

/// The object that an answer's body is.
fn body(answer: &str) -> Value {
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// Events of a streamed answer.
fn events(answer: &str) -> Vec<Value> {
    let lines = answer.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.filter_map(|event| serde_json::from_str(event).ok()).collect()
}

/// The value of the header that names the receipt.
fn name(answer: &str) -> String {
    let line = answer.lines().find_map(|line| line.strip_prefix("Vial-Receipt: "));
    line.unwrap().to_string()
}

fn ask(bench: &mut Bench, rest: &str) -> [u8; 32] {
    bench.status.checked_leaves = 10;
    bench.chat(rest);
    bench.server.sampled(JobId(0), SAMPLING);
    digest(Bench::chat_body(rest).as_bytes())
}

#[test]
fn a_whole_answers_receipt_names_request_answer_and_how_it_was_made() {
    let mut bench = Bench::connected();
    let request = ask(&mut bench, r#","receipt":true"#);
    bench.server.delta(JobId(0), Delta::Text("Hel"), None);
    bench.server.delta(JobId(0), Delta::Text("lo"), None);
    bench.server.finish(JobId(0), Finish::Length, USAGE, NOW);
    let answer = bench.text();
    let expected = Receipt {
        issued_s: 77,
        request,
        response: Answered { text: "Hello".to_string(), ..Answered::default() }.digest(),
        response_bytes: 5,
        outcome: Outcome::Length,
        manifest_digest: [3; 48],
        weights_root: [4; 32],
        draft_root: None,
        engine: "1.2.3".to_string(),
        sampling: SAMPLING,
        tokens: Some(Tokens { prompt: 3, completion: 2 }),
        leaf_checks: LeafChecks { during: 20, since_start: 30 },
        evidence: digest(b"{}"),
    };
    assert_eq!(receipt(&body(&answer)), expected);
}

#[test]
fn a_streamed_answers_receipt_comes_before_its_end_and_covers_calls() {
    let mut bench = Bench::connected();
    ask(&mut bench, r#","receipt":true,"stream":true,"stream_options":{"include_usage":true}"#);
    for delta in [
        Delta::Reasoning("hm"),
        Delta::Text("Hi"),
        Delta::Call { id: "c1", name: "f" },
        Delta::Arguments("{\"a\":"),
        Delta::Arguments("1}"),
    ] {
        bench.server.delta(JobId(0), delta, None);
    }
    bench.server.finish(JobId(0), Finish::ToolCalls, USAGE, NOW);
    let answer = bench.text();
    let found = receipt(events(&answer).last().unwrap());
    let calls = alloc::vec![Call { name: "f".to_string(), arguments: "{\"a\":1}".to_string() }];
    let said = Answered { text: "Hi".to_string(), reasoning: "hm".to_string(), calls };
    assert_eq!((found.outcome, found.response), (Outcome::ToolCalls, said.digest()));
    // It is kept under its name, too, for whoever knows that.
    let name = name(&answer);
    bench.send(&alloc::format!("GET /v1/receipts/{name} HTTP/1.1\r\n\r\n"));
    assert_eq!(receipt(&body(&bench.text())), found);
    for other in ["0".repeat(32), name[..30].to_string(), "zz".repeat(16)] {
        bench.send(&alloc::format!("GET /v1/receipts/{other} HTTP/1.1\r\n\r\n"));
        assert!(bench.text().starts_with("HTTP/1.1 404"));
    }
}

#[test]
fn the_receipt_of_a_stream_whose_client_left_names_the_beginning_that_went_out() {
    let mut bench = Bench::connected();
    ask(&mut bench, r#","receipt":true,"stream":true"#);
    bench.server.delta(JobId(0), Delta::Text("One "), None);
    bench.server.delta(JobId(0), Delta::Text("two "), None);
    let name = name(&bench.text());
    // These never leave: the client is gone before the server looks again.
    bench.server.delta(JobId(0), Delta::Text("three"), None);
    bench.status.checked_leaves = 12;
    bench.reconnect(Some(client_side()));
    bench.turns();
    bench.send(&alloc::format!("GET /v1/receipts/{name} HTTP/1.1\r\n\r\n"));
    let found = receipt(&body(&bench.text()));
    let said = |text: &str| Answered { text: text.to_string(), ..Answered::default() }.digest();
    assert_eq!((found.outcome, found.tokens), (Outcome::Cut, None));
    assert_eq!((found.response, found.response_bytes), (said("One two "), 8));
    assert_eq!((found.sampling, found.leaf_checks.during), (SAMPLING, 2));
}

#[test]
fn evidence_that_a_connection_asked_for_is_what_its_receipts_name() {
    let mut bench = Bench::connected();
    bench.send(&alloc::format!("GET /v1/attestation?nonce={} HTTP/1.1\r\n\r\n", "5a".repeat(32)));
    bench.server.attested(JobId(0), b"{\"fresh\":1}");
    bench.text();
    bench.chat(r#","receipt":true"#);
    bench.server.finish(JobId(1), Finish::Stop, USAGE, NOW);
    assert_eq!(receipt(&body(&bench.text())).evidence, digest(b"{\"fresh\":1}"));
}

#[test]
fn nobody_gets_a_receipt_without_asking_and_vectors_have_none() {
    let mut bench = Bench::connected();
    bench.chat(r#","receipt":false"#);
    bench.server.finish(JobId(0), Finish::Stop, USAGE, NOW);
    let answer = bench.text();
    assert!(!answer.contains("receipt") && !answer.contains("Vial-Receipt"), "{answer}");
    bench.embed(r#"{"input":"a","receipt":true}"#);
    let refused = bench.text();
    assert!(refused.starts_with("HTTP/1.1 400") && refused.contains(r#""param":"receipt""#), "{refused}");
}

#[test]
fn as_many_receipts_are_kept_as_there_is_room_for() {
    let mut bench = Bench::connected();
    let mut names = Vec::new();
    for job in 0..258 {
        bench.chat(r#","receipt":true,"stream":true"#);
        bench.server.finish(JobId(job), Finish::Stop, USAGE, NOW);
        names.push(name(&bench.text()));
    }
    let mut status = |name: &str| {
        bench.send(&alloc::format!("GET /v1/receipts/{name} HTTP/1.1\r\n\r\n"));
        bench.text()[9..12].to_string()
    };
    assert_eq!([status(&names[1]), status(&names[2]), status(&names[257])], ["404", "200", "200"]);
}
