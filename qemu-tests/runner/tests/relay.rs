//! A relay between a real appliance and `vial verify` that changes one field of the evidence on its way.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use vial_runner::{Appliance, Vial, text};

const SHAPE: [&str; 2] = ["--memory", "128M"];

/// Answers one request for evidence with the appliance's, changed; gives its own address.
fn relay(appliance: &Appliance, change: impl FnOnce(&mut Value) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, upstream) = (listener.local_addr().unwrap(), appliance.url(""));
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut evidence: Value = serde_json::from_str(&fetch(&client, &upstream)).unwrap();
        change(&mut evidence);
        let body = evidence.to_string();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        client.write_all((head + &body).as_bytes()).unwrap();
    });
    format!("http://{address}")
}

/// The appliance's answer to what the client asks for.
fn fetch(client: &TcpStream, upstream: &str) -> String {
    let mut line = String::new();
    BufReader::new(client).read_line(&mut line).unwrap();
    let path = line.split_whitespace().nth(1).unwrap();
    ureq::get(format!("{upstream}{path}")).call().unwrap().body_mut().read_to_string().unwrap()
}

/// Exit code and first check that refused, by name.
fn verdict(vial: &Vial, url: &str, image: &Path) -> (Option<i32>, String) {
    let arguments = ["verify", url, "--allow-simulated", "--json", "--image", text(image).unwrap()];
    let output = vial.run(&[&arguments[..], &SHAPE].concat()).unwrap();
    let verdict: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let checks = verdict["checks"].as_array().cloned().unwrap_or_default();
    let last = checks.last().map(|check| check["name"].as_str().unwrap_or_default().to_owned());
    (output.status.code(), last.unwrap_or_default())
}

/// Flips the last bit of the hex digit at `at` of a field.
fn flip(evidence: &mut Value, field: &str, at: usize) {
    let hex = evidence[field].as_str().unwrap().to_owned();
    let digit = u8::from_str_radix(&hex[at..=at], 16).unwrap() ^ 1;
    evidence[field] = Value::from(format!("{}{digit:x}{}", &hex[..at], &hex[at + 1..]));
}

#[test]
fn evidence_changed_on_its_way_is_refused_by_the_field() {
    let Some(vial) = Vial::from_env() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (model, image) = (folder.path().join("tiny.gguf"), folder.path().join("tiny.img"));
    std::fs::write(&model, vial_model::tiny::llama(1)).unwrap();
    vial.build(&model, &image).unwrap();
    let mut appliance = vial.start(&image, &SHAPE).unwrap();
    assert_eq!(appliance.await_event("ready").unwrap()["event"], "ready");
    assert_eq!(verdict(&vial, &relay(&appliance, |_| ()), &image).0, Some(0));
    // Byte 0x90 of an SNP report is the first of its measurement, 0x50 of its report data; the signature is at 0x2A0.
    let cases = [
        ("nonce", 0, "nonce"),
        ("channel_key", 3, "report data"),
        ("manifest", 200, "appliance.manifest_digest"),
        ("event_log", 400, "event log"),
        ("report", 2 * 0x90, "report signature"),
        ("report", 2 * 0x50, "report signature"),
        ("report", 2 * 0x2A0, "report signature"),
    ];
    for (field, at, expected) in cases {
        let url = relay(&appliance, move |evidence| flip(evidence, field, at));
        assert_eq!(verdict(&vial, &url, &image), (Some(1), expected.to_owned()), "{field} at {at}");
    }
}
