//! Streams in frames of one size.

use alloc::string::ToString as _;
use alloc::vec::Vec;

use super::bench::Bench;
use super::{Delta, Finish, JobId, Moment, USAGE};
use crate::api::generation;

/// Sizes of the chunks of an answer's body.
fn chunks(answer: &str) -> Vec<usize> {
    let (mut rest, mut sizes) = (answer.split_once("\r\n\r\n").unwrap().1, Vec::new());
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        sizes.push(size);
        rest = &after[size + 2..];
    }
    sizes
}

#[test]
fn a_stream_in_frames_says_the_same_in_chunks_of_one_size_and_the_connection_goes_on() {
    let mut bench = Bench::connected();
    bench.chat(r#","stream":true,"stream_frames":{"bytes":400,"milliseconds":20}"#);
    for text in ["One ", "two ", &"three".repeat(300)] {
        bench.server.delta(JobId(0), Delta::Text(text), None);
        bench.turns();
    }
    bench.server.finish(JobId(0), Finish::Stop, USAGE, Moment::default());
    for _ in 0..10 {
        bench.turns();
    }
    let answer = bench.text();
    let sizes = chunks(&answer);
    let (last, frames) = sizes.split_last().unwrap();
    assert!(*last == 0 && frames.len() > 6 && frames.iter().all(|size| *size == 400), "{sizes:?}");
    let text = answer.replace("\r\n190\r\n", "").replace("190\r\n", "");
    assert!(text.contains(r#""content":"One ""#) && text.contains(&"three".repeat(300)), "{text}");
    assert!(text.contains("data: [DONE]\n\n"), "{text}");
    bench.send("GET /health HTTP/1.1\r\n\r\n");
    assert!(bench.text().ends_with(r#"{"status":"ok"}"#));
}

#[test]
fn a_request_that_comes_meanwhile_waits_and_the_next_frame_wakes_the_loop() {
    let mut bench = Bench::connected();
    bench.chat(r#","stream":true,"stream_frames":{"bytes":256,"milliseconds":1000}"#);
    bench.server.finish(JobId(0), Finish::Stop, USAGE, Moment::default());
    assert!(bench.server.poll_delay_ns(bench.now_ns).is_some_and(|delay| delay <= 1_000_000_000));
    bench.send("GET /health HTTP/1.1\r\n\r\n");
    assert!(!bench.text().contains("\"ok\""));
    for _ in 0..60 {
        bench.turns();
    }
    assert!(bench.text().ends_with(r#"{"status":"ok"}"#));
}

#[test]
fn frames_out_of_range_or_without_a_stream_are_refused_by_name() {
    let refused = |rest: &str| {
        let body = alloc::format!(r#"{{"prompt":"a",{rest}}}"#);
        generation(body.as_bytes(), false, "m").unwrap_err().param.unwrap()
    };
    let frames = |of: &str| refused(&alloc::format!(r#""stream":true,"stream_frames":{of}"#));
    assert_eq!(refused(r#""stream_frames":{"bytes":400,"milliseconds":20}"#), "stream_frames");
    assert_eq!(frames("7"), "stream_frames");
    assert_eq!(frames(r#"{"milliseconds":20}"#), "stream_frames.bytes");
    assert_eq!(frames(r#"{"bytes":255,"milliseconds":20}"#), "stream_frames.bytes");
    assert_eq!(frames(r#"{"bytes":16001,"milliseconds":20}"#), "stream_frames.bytes");
    assert_eq!(frames(r#"{"bytes":400,"milliseconds":9}"#), "stream_frames.milliseconds");
    assert_eq!(frames(r#"{"bytes":400,"milliseconds":"x"}"#).to_string(), "stream_frames.milliseconds");
}
