//! The API of a real appliance with the clients that people use: the `openai` package and `curl`.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::Value;
use std::path::Path;
use std::process::Command;
use vial_runner::{Appliance, Vial};

/// An appliance of the real model, asked for something while it runs.
fn with_appliance(ask: impl FnOnce(&Appliance)) {
    let (Some(vial), Some(model)) = (Vial::from_env(), std::env::var_os("VIAL_TEST_MODEL")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("model.img");
    vial.build(Path::new(&model), &image).unwrap();
    let mut appliance = vial.start(&image, &[]).unwrap();
    assert_eq!(appliance.await_event("ready").unwrap()["event"], "ready");
    ask(&appliance);
    assert_eq!(appliance.stop().unwrap(), Some(0));
}

#[test]
fn the_openai_package_works() {
    let Some(python) = std::env::var_os("VIAL_TEST_PYTHON") else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api_client.py");
    with_appliance(|appliance| {
        for part in [
            "whole",
            "streamed",
            "completions",
            "models",
            "tools",
            "structured",
            "embeddings",
            "caching",
            "many",
            "leaving",
        ] {
            let output = Command::new(&python).args([script, &appliance.url("/v1"), part]).output().unwrap();
            assert!(output.status.success(), "{part}: {}", String::from_utf8_lossy(&output.stderr));
        }
    });
}

/// Standard output of `curl`, with the answer's head.
fn curl(arguments: &[&str]) -> String {
    let output = Command::new("curl").args(["-sSi", "--max-time", "60"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The body of what `curl -i` printed.
fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn curl_works() {
    with_appliance(|appliance| {
        let chat = appliance.url("/v1/chat/completions");
        let text = r#"{"messages":[{"role":"user","content":"Hello"}],"max_tokens":4,"stream":true}"#;
        let stream = curl(&[&chat, "-N", "-H", "content-type: application/json", "-d", text]);
        assert!(stream.contains("Content-Type: text/event-stream"), "{stream}");
        assert!(body(&stream).trim_end().ends_with("data: [DONE]"), "{stream}");
        let refused = curl(&[&chat, "-d", "{"]);
        assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
        let error: Value = serde_json::from_str(body(&refused)).unwrap();
        assert_eq!(error["error"]["type"], "invalid_request_error", "{error}");
        assert!(curl(&[&appliance.url("/nowhere")]).starts_with("HTTP/1.1 404"));
        assert!(curl(&[&chat]).starts_with("HTTP/1.1 405"));
        let metrics = curl(&[&appliance.url("/metrics")]);
        assert!(!metrics.contains("Hello") && metrics.contains("# TYPE"), "{metrics}");
    });
}
