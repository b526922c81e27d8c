//! What clients say is found nowhere afterwards: not in logs, metrics or errors, nor in the appliance's memory.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use core::time::Duration;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;
use vial_runner::memory::{self, Mapping};
use vial_runner::{Appliance, Vial, text};

const MEMORY: u64 = 512 << 20;

/// A text that nobody else says, with a number. Its parts are never joined in this file.
fn canary(number: usize) -> String {
    format!("zQ{number:02}Xv7{}Wm{number:02}Y", "Kp")
}

/// The SmolLM2 image and its appliance.
fn start() -> Option<(tempfile::TempDir, Appliance)> {
    let (vial, model) = (Vial::from_env()?, std::env::var_os("VIAL_TEST_MODEL").map(PathBuf::from)?);
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("model.img");
    vial.build(&model, &image).unwrap();
    let mut appliance = vial.start(&image, &["--memory", "512M"]).unwrap();
    assert_eq!(appliance.await_event("ready").unwrap()["event"], "ready", "{}", text(&image).unwrap());
    Some((folder, appliance))
}

/// Where a canary stands in the memory of the process that runs the appliance: the guest's, and the VMM's own.
fn found(appliance: &Appliance, numbers: core::ops::Range<usize>) -> Vec<(usize, u64)> {
    let canaries: Vec<_> = numbers.map(|number| (number, canary(number))).collect();
    let mut found = Vec::new();
    let mut guest_bytes = 0;
    for Mapping { start, bytes: memory } in memory::of(appliance.process()).unwrap() {
        guest_bytes = guest_bytes.max(memory.len() as u64);
        let starts = memory.windows(2).enumerate().filter(|(_, two)| two == b"zQ").map(|(at, _)| at);
        let at = |at: usize| canaries.iter().find(|(_, canary)| memory[at..].starts_with(canary.as_bytes()));
        found.extend(starts.filter_map(|at_| at(at_).map(|(number, _)| (*number, start + at_ as u64))));
    }
    assert!(guest_bytes >= MEMORY, "the guest's memory was looked through");
    found
}

/// A request with a canary in every field that takes text, and an answer that is one.
fn request(stream: bool) -> Value {
    let function = |at: usize| {
        json!({ "name": canary(at), "description": canary(at + 1),
            "parameters": { "type": "object", "properties": { canary(at + 2): { "type": "string" } } } })
    };
    json!({
        "messages": [
            { "role": "system", "content": [{ "type": "text", "text": canary(0) }] },
            { "role": "user", "content": canary(1), "name": canary(2) },
            { "role": "assistant", "content": canary(3) },
            { "role": "user", "content": format!("Say {} please.", canary(4)) },
        ],
        "stop": [canary(5)], "user": canary(6), "prompt_cache_key": canary(7),
        "grammar": format!("root ::= \"{}\"", canary(8)), "max_tokens": 40, "temperature": 0, "stream": stream,
        "metadata": { canary(9): canary(10) },
        "functions": [function(11)],
    })
}

/// What must be gone: it may take the client's last words to come.
fn is_gone(appliance: &Appliance, numbers: core::ops::Range<usize>) {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let found = found(appliance, numbers.clone());
        if found.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "number and place: {found:x?}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn what_a_client_said_is_gone_from_memory_when_it_is_answered() {
    let Some((_folder, appliance)) = start() else { return };
    for stream in [false, true] {
        let mut body = request(stream);
        let (status, answer) = appliance.send("/v1/chat/completions", &body).unwrap();
        if status == 400 {
            // What this API does not take is refused by its name; the rest is asked for.
            let refused: Value = serde_json::from_str(&answer).unwrap();
            let name = refused["error"]["param"].as_str().unwrap().to_owned();
            let top = name.split(['.', '[']).next().unwrap();
            let _removed = body.as_object_mut().unwrap().remove(top);
        }
        let (status, answer) = appliance.send("/v1/chat/completions", &body).unwrap();
        assert_eq!(status, 200, "{answer}");
        assert!(stream || answer.contains(&canary(8)), "the answer is what the grammar says");
        is_gone(&appliance, 0..20);
    }
}

#[test]
fn metrics_and_errors_never_hold_what_a_client_said() {
    let Some((_folder, appliance)) = start() else { return };
    let whole = request(false);
    for (name, value) in whole.as_object().unwrap() {
        // The text where another kind of value belongs, and the value where a text does.
        for wrong in
            [json!(canary(30)), json!([canary(31)]), json!({ canary(32): canary(33) }), json!([[value]])]
        {
            let mut body = json!({ "messages": [{ "role": "user", "content": "a" }], "max_tokens": 1 });
            body[name] = wrong;
            let (_, answer) = appliance.send("/v1/chat/completions", &body).unwrap();
            assert!(!answer.contains("zQ"), "{name}: {answer}");
        }
    }
    for path in ["/metrics", "/v1/models", "/health"] {
        let (_, answer) = appliance.ask(path).unwrap();
        assert!(!answer.contains("zQ"), "{path}: {answer}");
    }
    let (status, answer) = appliance.ask(&format!("/v1/{}", canary(34))).unwrap();
    assert!(status == 404 && !answer.contains("zQ"), "{answer}");
    is_gone(&appliance, 0..40);
}
