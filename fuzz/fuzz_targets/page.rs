//! What a page sends to its verifier: questions of strangers, and files that are dropped on it.
#![no_main]

use vial_attest::Hexed;
use vial_wasm::{File, Request, Response};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let request = serde_json::from_slice(data).unwrap_or_else(|_| {
        let files = data.split(|byte| *byte == 0xFF);
        let dropped = files.map(|bytes| File { name: String::new(), bytes: Hexed(bytes.to_vec()) });
        Request { dropped: dropped.take(16).collect(), ..Request::default() }
    });
    let response = Response::to(request);
    assert!(response.answer.is_none_or(|answer| !answer.verdict.accepted || answer.verdict.simulated), "nobody signed this");
});
