//! The API of a real appliance with the clients that people use: the `openai` package and `curl`.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use vial_runner::{Appliance, Vial, text};

/// A running appliance of the real model.
struct Bench<'a> {
    vial: &'a Vial,
    image: &'a Path,
    appliance: &'a Appliance,
}

impl Bench<'_> {
    /// What `vial verify` says.
    fn verdict(&self) -> Value {
        let image = ["--image", text(self.image).unwrap(), "--allow-simulated", "--json"];
        let output = self.vial.run(&[&["verify", &self.appliance.url("")], image.as_slice()].concat());
        serde_json::from_slice(&output.unwrap().stdout).unwrap()
    }
}

/// An appliance of the real model, asked for something while it runs.
fn with_appliance(ask: impl FnOnce(&Bench<'_>)) {
    let (Some(vial), Some(model)) = (Vial::from_env(), std::env::var_os("VIAL_TEST_MODEL")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("model.img");
    vial.build(Path::new(&model), &image).unwrap();
    let mut appliance = vial.start(&image, &[]).unwrap();
    assert_eq!(appliance.await_event("ready").unwrap()["event"], "ready");
    ask(&Bench { vial: &vial, image: &image, appliance: &appliance });
    assert_eq!(appliance.stop().unwrap(), Some(0));
}

#[test]
fn the_openai_package_works_through_a_verified_address() {
    let Some(python) = std::env::var_os("VIAL_TEST_PYTHON") else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api_client.py");
    with_appliance(|bench| {
        let gateway = bench.vial.connect(&bench.appliance.url(""), bench.image, &[]).unwrap();
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
            let output = Command::new(&python).args([script, &gateway.url("/v1"), part]).output().unwrap();
            assert!(output.status.success(), "{part}: {}", String::from_utf8_lossy(&output.stderr));
        }
    });
}

#[test]
fn the_ollama_package_works_through_a_verified_address() {
    let Some(python) = std::env::var_os("VIAL_TEST_PYTHON") else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ollama_client.py");
    with_appliance(|bench| {
        let gateway = bench.vial.connect(&bench.appliance.url(""), bench.image, &[]).unwrap();
        let output = Command::new(&python).args([script, &gateway.url("")]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
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
fn curl_works_with_the_pin_that_verify_prints_and_with_no_other() {
    with_appliance(|bench| {
        let appliance = bench.appliance;
        let pin = bench.verdict()["channel_pin"].as_str().unwrap().to_owned();
        let curl = |arguments: &[&str]| curl(&[&["-k", "--pinnedpubkey", &pin], arguments].concat());
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
        // Spec: curl's exit code 90: the pinned key did not match.
        let other = format!("sha256//{}=", "A".repeat(43));
        let refused = Command::new("curl").args(["-sk", "--pinnedpubkey", &other, &chat]).output().unwrap();
        assert_eq!(refused.status.code(), Some(90));
    });
}

/// What `openssl s_client` says of a handshake with these options.
fn s_client(appliance: &Appliance, options: &[&str]) -> (bool, String) {
    let connect = ["s_client", "-connect", &appliance.address, "-ign_eof"];
    let mut command = Command::new("openssl");
    command.args(connect).args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let ask = b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    // It may have ended already.
    let _asked = child.stdin.take().unwrap().write_all(ask);
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn openssl_is_spoken_to_in_tls_1_3_alone() {
    with_appliance(|bench| {
        let (is_open, text) = s_client(bench.appliance, &[]);
        assert!(is_open && text.contains("TLSv1.3") && text.contains("{\"status\":\"ok\"}"), "{text}");
        assert!(text.contains("Peer signature type: ed25519") || text.contains("Ed25519"), "{text}");
        for suite in ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"] {
            let (is_open, text) = s_client(bench.appliance, &["-ciphersuites", suite]);
            assert!(is_open && text.contains(&format!("Cipher is {suite}")), "{text}");
        }
        for group in ["X25519", "P-256"] {
            let (is_open, text) = s_client(bench.appliance, &["-groups", group]);
            assert!(is_open && text.contains("\"ok\""), "{group}: {text}");
        }
        for refused in [
            ["-tls1_2"].as_slice(),
            &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
            &["-tls1", "-cipher", "ALL:@SECLEVEL=0"],
            &["-groups", "P-521"],
            &["-sigalgs", "ECDSA+SHA256"],
            &["-ciphersuites", "TLS_AES_128_CCM_SHA256"],
        ] {
            let (is_open, text) = s_client(bench.appliance, refused);
            assert!(!is_open && !text.contains("status"), "{refused:?}: {text}");
        }
        // Five times again: no session is resumed.
        let mut command = Command::new("openssl");
        command.args(["s_client", "-reconnect", "-connect", &bench.appliance.address]).stdin(Stdio::null());
        let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert_eq!((text.matches("New, TLSv1.3").count(), text.matches("Reused").count()), (6, 0), "{text}");
    });
}

#[test]
fn python_reads_the_evidence_of_the_certificate_and_finds_the_channel_key_in_it() {
    let Some(python) = std::env::var_os("VIAL_TEST_PYTHON") else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificate.py");
    with_appliance(|bench| {
        let key = bench.verdict()["channel_key"].as_str().unwrap().to_owned();
        let output = Command::new(&python).args([script, &bench.appliance.address, &key]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    });
}

/// Exit code and verdict of `vial receipt verify`.
fn receipt(bench: &Bench<'_>, evidence: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let kept = ["--evidence", text(evidence).unwrap(), "--image", text(bench.image).unwrap()];
    let rest = ["--allow-simulated", "--json"];
    let output = bench.vial.run(&[&["receipt", "verify"], arguments, &kept, &rest].concat()).unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

#[test]
fn receipts_verify_offline_whole_streamed_and_cut_and_not_for_other_answers() {
    with_appliance(|bench| {
        let folder = tempfile::tempdir().unwrap();
        let [evidence, request, answer] =
            ["evidence", "request", "answer"].map(|name| folder.path().join(name));
        let (path, image) = (text(&evidence).unwrap(), text(bench.image).unwrap());
        let save =
            ["verify", &bench.appliance.url(""), "--allow-simulated", "--image", image, "--save", path];
        assert!(bench.vial.run(&save).unwrap().status.success());
        for stream in [false, true] {
            let body = json!({ "messages": [{ "role": "user", "content": "Hello" }], "max_tokens": 6, "seed": 3,
                "receipt": true, "stream": stream });
            std::fs::write(&request, body.to_string()).unwrap();
            let (status, said) = bench.appliance.send("/v1/chat/completions", &body).unwrap();
            assert_eq!(status, 200, "{said}");
            std::fs::write(&answer, &said).unwrap();
            let [request, answer] = [&request, &answer].map(|path| text(path).unwrap());
            let (code, verdict) = receipt(bench, &evidence, &[answer, "--request", request]);
            assert_eq!((code, &verdict["not_compared"]), (Some(0), &json!([])), "{verdict}");
            assert_eq!(
                (&verdict["says"]["sampling"]["seed"], &verdict["says"]["tokens"][1]),
                (&json!(3), &json!(6))
            );
            std::fs::write(answer, said.replacen("content\":\"", "content\":\"x", 2)).unwrap();
            let (code, verdict) = receipt(bench, &evidence, &[answer, "--request", request]);
            assert_eq!((code, verdict["accepted"].clone()), (Some(1), json!(false)), "{verdict}");
            assert_eq!(receipt(bench, &evidence, &[answer, "--request", path]).0, Some(1));
        }
        cut(bench, &evidence, &answer);
    });
}

/// A client that leaves a stream finds the receipt of what it was sent.
fn cut(bench: &Bench<'_>, evidence: &Path, answer: &Path) {
    let mut connection = bench.appliance.connect().unwrap();
    let body = json!({ "prompt": "Once upon a time", "max_tokens": 1500, "stream": true, "receipt": true });
    let body = body.to_string();
    vial_client::write_request(&mut connection, "POST", "/v1/completions", Some(body.as_bytes())).unwrap();
    let (mut said, mut piece) = (Vec::new(), [0; 500]);
    while said.len() < 5000 {
        let read = connection.read(&mut piece).unwrap();
        said.extend_from_slice(&piece[..read]);
    }
    let head = String::from_utf8_lossy(&said).into_owned();
    let name = head.lines().find_map(|line| line.strip_prefix("Vial-Receipt: ")).unwrap().to_owned();
    drop(connection);
    let target = format!("/v1/receipts/{name}");
    let found = (0..100).find_map(|_| {
        std::thread::sleep(core::time::Duration::from_millis(100));
        bench.appliance.ask(&target).ok().filter(|(status, _)| *status == 200)
    });
    std::fs::write(answer, found.unwrap().1).unwrap();
    let (code, verdict) = receipt(bench, evidence, &[text(answer).unwrap()]);
    assert_eq!((code, &verdict["says"]["outcome"]), (Some(0), &json!("cut")), "{verdict}");
    // All that came here is part of what the receipt names.
    let here = head.matches("\"text\":\"").count() as u64;
    assert!(verdict["says"]["response_bytes"].as_u64().unwrap() >= here, "{here} events: {verdict}");
}
