//! The server over a cable, with a client made of smoltcp and a scripted generator.

mod bench;
mod frames;
mod receipts;

use alloc::string::ToString as _;
use alloc::vec::Vec;
use alloc::{format, vec};
use core::net::{IpAddr, Ipv4Addr};

use self::bench::{Bench, client_side};
use crate::error::ApiError;
use crate::http::{Parsed, parse};
use crate::route::asked;
use crate::{
    Action, Cache, Credential, Delta, Drafts, ExpertHits, Finish, JobId, Model, Moment, Peer, Sender, Status,
    Times, Usage, Window,
};

fn whole(bytes: &[u8]) -> crate::http::Request {
    match parse(bytes) {
        Ok(Parsed::Whole(request, taken)) if taken == bytes.len() => request,
        other => panic!("{other:?}"),
    }
}

fn refused(bytes: &[u8]) -> u16 {
    parse(bytes).unwrap_err().status
}

#[test]
fn requests_are_read_whole_and_in_parts() {
    let text = b"POST /v1/completions?a=b HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody";
    let request = whole(text);
    assert_eq!((request.path.as_str(), request.query.as_str()), ("/v1/completions", "a=b"));
    assert_eq!(request.body, b"body");
    for end in 0..text.len() {
        assert_eq!(parse(&text[..end]), Ok(Parsed::Partial { expects_continue: false }), "{end}");
    }
    let chunked =
        whole(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
    assert_eq!(chunked.body, b"abc");
}

#[test]
fn hostile_heads_and_lengths_are_refused_by_status() {
    assert_eq!(refused(b"\x00\x01\r\n\r\n"), 400);
    assert_eq!(refused(b"GET / HTTP/2.0\r\n\r\n"), 505);
    assert_eq!(refused(b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"), 400);
    assert_eq!(refused(b"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"), 413);
    assert_eq!(refused(b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"), 400);
    assert_eq!(refused(b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n"), 413);
    assert_eq!(refused(b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc"), 400);
    assert_eq!(refused(format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(20_000)).as_bytes()), 431);
    assert_eq!(refused(format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100)).as_bytes()), 431);
}

fn model() -> Model {
    Model { name: "m".to_string(), width: 4 }
}

#[test]
fn paths_methods_and_nonces_are_checked() {
    let status = Status::default();
    let ask = |text: &str| asked(&whole(format!("{text} HTTP/1.1\r\n\r\n").as_bytes()), &model(), 0, &status);
    let code = |text: &str| ask(text).unwrap_err().status;
    assert_eq!([code("GET /x"), code("GET /v1/completions"), code("POST /health")], [404, 405, 405]);
    ask(&format!("GET /v1/attestation?nonce={}", "0a".repeat(32))).unwrap();
    for nonce in ["", "nonce=", &format!("nonce={}", "0".repeat(63)), &format!("nonce={}", "zz".repeat(32))] {
        assert_eq!(code(&format!("GET /v1/attestation?{nonce}")), 400);
    }
}

#[test]
fn nobody_is_let_in_before_there_is_evidence_and_it_is_renewed() {
    let mut bench = Bench::unconnected();
    bench.turns();
    assert!(!bench.is_open() && bench.actions == [Action::Certify]);
    bench.server.certify(b"first", bench.now_ns).unwrap();
    bench.turns();
    assert_eq!(bench.evidence(), b"first");
    for (at, is_told) in [(1_u8, true), (2, false)] {
        bench.reconnect(Some(client_side()));
        bench.actions.clear();
        if is_told {
            bench.server.renew();
        } else {
            bench.now_ns += 60_000_000_000;
        }
        bench.turns();
        assert!(bench.actions.contains(&Action::Certify) && !bench.is_open());
        bench.server.certify(&[at], bench.now_ns).unwrap();
        bench.turns();
        assert_eq!(bench.evidence(), [at]);
    }
}

#[test]
fn plain_http_is_answered_with_what_to_do_and_nothing_of_it_is_read() {
    let mut bench = Bench::connected();
    bench.reconnect(None);
    let request = "POST /v1/completions HTTP/1.1\r\nContent-Length: 14\r\n\r\n{\"prompt\":\"a\"}";
    bench.waiting = request.as_bytes().to_vec();
    let text = bench.text();
    assert!(text.starts_with("HTTP/1.1 400 ") && text.contains("HTTPS alone"), "{text}");
    assert!(bench.actions.iter().all(|action| matches!(action, Action::Forget(_))), "{:?}", bench.actions);
}

const USAGE: Usage = Usage { prompt_tokens: 3, cached_tokens: 0, completion_tokens: 2 };

#[test]
fn a_whole_answer_and_the_next_request_on_one_connection() {
    let mut bench = Bench::connected();
    bench.chat("");
    assert!(matches!(bench.actions[..], [Action::Generate(JobId(0), ..)]));
    bench.server.delta(JobId(0), Delta::Text("Hel"), None);
    bench.server.delta(JobId(0), Delta::Text("lo"), None);
    bench.server.finish(JobId(0), Finish::Stop, USAGE, Moment::default());
    let text = bench.text();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains(r#""content":"Hello""#) && text.contains(r#""total_tokens":5"#), "{text}");
    bench.send("GET /health HTTP/1.1\r\n\r\n");
    assert!(bench.text().ends_with(r#"{"status":"ok"}"#));
}

#[test]
fn a_stream_ends_with_done_and_usage_where_it_is_asked_for() {
    let mut bench = Bench::connected();
    bench.chat(r#","stream":true,"stream_options":{"include_usage":true}"#);
    bench.server.delta(JobId(0), Delta::Text("Hi"), None);
    assert!(bench.text().contains(r#""content":"Hi""#));
    bench.server.finish(JobId(0), Finish::Length, USAGE, Moment::default());
    let text = bench.text();
    assert!(text.contains(r#""finish_reason":"length""#) && text.contains(r#""prompt_tokens":3"#), "{text}");
    assert!(text.contains("data: [DONE]") && text.ends_with("0\r\n\r\n"), "{text}");
}

#[test]
fn a_client_that_leaves_ends_its_generation() {
    let mut bench = Bench::connected();
    bench.chat("");
    bench.client.socket(0).abort();
    bench.turns();
    assert_eq!(bench.actions[1..], [Action::Cancel(JobId(0)), Action::Forget(0)]);
}

#[test]
fn errors_come_in_openais_form_with_retry_after() {
    let mut bench = Bench::connected();
    bench.chat("");
    bench.server.fail(JobId(0), &ApiError::busy());
    let text = bench.text();
    assert!(text.starts_with("HTTP/1.1 429") && text.contains("Retry-After: 1\r\n"), "{text}");
    assert!(text.contains(r#""type":"rate_limit_error""#), "{text}");
}

#[test]
fn requests_say_who_sends_them_and_a_connection_that_ends_is_told() {
    let mut bench = Bench::connected();
    let ask = |header: &str| {
        let body = r#"{"prompt":"a"}"#;
        format!("POST /v1/completions HTTP/1.1\r\n{header}Content-Length: {}\r\n\r\n{body}", body.len())
    };
    for (job, header) in (0..).zip(["authorization:  Bearer Secret \r\n", ""]) {
        bench.send(&ask(header));
        bench.server.finish(JobId(job), Finish::Stop, USAGE, Moment::default());
        bench.turns();
    }
    let sender = |action| match action {
        Action::Generate(.., sender) => sender,
        other => panic!("{other:?}"),
    };
    let senders: Vec<_> = bench.actions.drain(..).map(sender).collect();
    let peer = Peer { connection: 0, address: IpAddr::V4(Ipv4Addr::new(10, 0, 2, 2)) };
    let expected =
        ["Bearer Secret", ""].map(|said| Sender { peer, credential: Credential::new(said.as_bytes()) });
    assert_eq!(senders, expected);
    assert!(!format!("{senders:?}").contains("Secret"));
    bench.client.socket(0).close();
    bench.turns();
    assert_eq!(bench.actions, [Action::Forget(0)]);
}

#[test]
fn an_unhealthy_appliance_says_so_and_generates_nothing() {
    let mut bench = Bench::connected();
    bench.status.unhealthy = Some("a leaf of the weights differs");
    bench.chat("");
    assert!(bench.text().starts_with("HTTP/1.1 503"));
    bench.send("GET /health HTTP/1.1\r\n\r\n");
    assert!(bench.text().starts_with("HTTP/1.1 503") && bench.actions.is_empty());
}

#[test]
fn a_locked_appliance_refuses_prompts_says_so_and_takes_a_key() {
    let mut bench = Bench::connected();
    bench.status.is_locked = true;
    bench.chat("");
    let text = bench.text();
    assert!(text.starts_with("HTTP/1.1 503") && text.contains("this appliance is locked"), "{text}");
    bench.embed(r#"{"input":"a"}"#);
    assert!(bench.text().starts_with("HTTP/1.1 503") && bench.actions.is_empty());
    bench.send("GET /health HTTP/1.1\r\n\r\n");
    assert!(bench.text().starts_with("HTTP/1.1 503"));
    bench.send("GET /metrics HTTP/1.1\r\n\r\n");
    assert!(bench.text().contains("\nvial_locked 1\n"));
    bench.send("GET /v1/unlock HTTP/1.1\r\n\r\n");
    bench.server.offered(JobId(0), &[0xAB; 128]);
    assert!(bench.text().ends_with(&format!(r#"{{"offer":"{}"}}"#, "ab".repeat(128))));
    let body = format!(r#"{{"release":"{}"}}"#, "07".repeat(80));
    let post = format!("POST /v1/unlock HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    bench.send(&post);
    bench.server.unlocked(JobId(1));
    assert!(bench.text().ends_with(r#"{"unlocked":true}"#));
    assert_eq!(bench.actions, [Action::Offer(JobId(0), 0), Action::Unlock(JobId(1), 0, [7; 80].into())]);
    bench.status.is_locked = false;
    bench.send(&post);
    assert!(bench.text().starts_with("HTTP/1.1 409"));
}

#[test]
fn metrics_tell_counts_and_the_kind_of_cache() {
    let mut bench = Bench::connected();
    bench.status.cache = Cache { kind: "q8_0", bytes: 4096, pages: 9, free_pages: 5 };
    bench.status.cached_tokens = 64;
    bench.status.modelled = Drafts { drafted: 7, right: 3 };
    bench.status.times = Times { all_ns: 3_500_000_001, disk_ns: 2_000_000_000, check_ns: 500_000_001 };
    bench.status.window = Window { bytes: 4096, filled_bytes: 512 };
    bench.status.experts = ExpertHits { memory: 3, disk: 5 };
    bench.send("GET /metrics HTTP/1.1\r\n\r\n");
    let text = bench.text();
    for line in [
        "vial_cached_prompt_tokens_total 64",
        "vial_kv_pages 9",
        "vial_kv_free_pages 5",
        "# TYPE vial_kv_bytes gauge",
        "vial_kv_bytes{kind=\"q8_0\"} 4096",
        "# TYPE vial_drafted_tokens_total counter",
        "vial_drafted_tokens_total{by=\"model\"} 7",
        "vial_right_drafted_tokens_total{by=\"model\"} 3",
        "# TYPE vial_pass_seconds_total counter",
        "vial_pass_seconds_total{in=\"disk\"} 2.000000000",
        "vial_pass_seconds_total{in=\"check\"} 0.500000001",
        "vial_pass_seconds_total{in=\"compute\"} 1.000000000",
        "vial_window_filled_bytes 512",
        "vial_experts_total{from=\"memory\"} 3",
        "vial_experts_total{from=\"disk\"} 5",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
}

#[test]
fn counts_of_tokens_are_rounded_where_that_is_wanted() {
    let mut bench = Bench::connected();
    bench.status.round_tokens = 64;
    (bench.status.prompt_tokens, bench.status.completion_tokens) = (130, 63);
    (bench.status.requests, bench.status.modelled) = (3, Drafts { drafted: 65, right: 1 });
    bench.send("GET /metrics HTTP/1.1\r\n\r\n");
    let text = bench.text();
    for line in [
        "vial_prompt_tokens_total 128",
        "vial_completion_tokens_total 0",
        "vial_drafted_tokens_total{by=\"model\"} 64",
        "vial_right_drafted_tokens_total{by=\"model\"} 0",
        "vial_requests_total 3",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
}

#[test]
fn a_slow_reader_pauses_its_own_generation() {
    let mut bench = Bench::connected();
    bench.chat(r#","stream":true"#);
    for _ in 0..40 {
        bench.server.delta(JobId(0), Delta::Text(&"x".repeat(10_000)), None);
    }
    bench.actions.clear();
    let actions = bench.server.poll(bench.now_ns, 5, &Status::default());
    assert_eq!(actions, [Action::Pause(JobId(0), true)]);
    for _ in 0..60 {
        bench.turns();
    }
    assert_eq!(bench.actions, [Action::Pause(JobId(0), false)]);
}

#[test]
fn vectors_are_told_and_the_connection_goes_on() {
    let mut bench = Bench::connected();
    bench.embed(r#"{"input":["a","b"],"encoding_format":"base64","dimensions":2}"#);
    assert!(
        matches!(&bench.actions[..], [Action::Embed(JobId(0), embedding)] if embedding.inputs.len() == 2)
    );
    bench.server.embedded(JobId(0), &[vec![3.0, 4.0, 0.0, 0.0], vec![0.0, 2.0, 0.0, 9.0]], 2);
    let text = bench.text();
    assert!(text.starts_with("HTTP/1.1 200") && text.contains(r#""embedding":"mpkZP83MTD8=""#), "{text}");
    bench.embed(r#"{"input":""}"#);
    assert!(bench.text().starts_with("HTTP/1.1 400"));
    bench.embed(r#"{"input":"a"}"#);
    bench.server.fail(JobId(1), &ApiError::server("no"));
    assert!(bench.text().starts_with("HTTP/1.1 500 Internal Server Error"));
}

#[test]
fn a_client_that_leaves_ends_its_embedding_and_is_told_nothing() {
    let mut bench = Bench::connected();
    bench.embed(r#"{"input":"a"}"#);
    bench.client.socket(0).abort();
    bench.turns();
    assert_eq!(bench.actions[1..], [Action::Cancel(JobId(0)), Action::Forget(0)]);
    bench.server.embedded(JobId(0), &[vec![1.0]], 1);
}

#[test]
fn vectors_are_no_answer_to_a_chat() {
    let mut bench = Bench::connected();
    bench.chat("");
    bench.server.embedded(JobId(0), &[vec![1.0]], 1);
    assert_eq!(bench.text(), "");
}
