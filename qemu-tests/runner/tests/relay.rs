//! A host between verifier and appliance.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vial_channel::{Acceptor, Identity, Session};
use vial_client::Connection;
use vial_runner::{Appliance, Vial, text};

const SHAPE: [&str; 2] = ["--memory", "128M"];

/// An appliance of a tiny model, with its image.
struct Bench {
    vial: Vial,
    appliance: Appliance,
    image: PathBuf,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Option<Self> {
        let vial = Vial::from_env()?;
        let folder = tempfile::tempdir().unwrap();
        let (model, image) = (folder.path().join("tiny.gguf"), folder.path().join("tiny.img"));
        std::fs::write(&model, vial_model::tiny::llama(1)).unwrap();
        vial.build(&model, &image).unwrap();
        let mut appliance = vial.start(&image, &SHAPE).unwrap();
        assert_eq!(appliance.await_event("ready").unwrap()["event"], "ready");
        Some(Self { vial, appliance, image, folder })
    }

    /// Exit code and first check that refused, by name.
    fn verdict(&self, subject: &[&str]) -> (Option<i32>, String) {
        let image = ["--allow-simulated", "--json", "--image", text(&self.image).unwrap()];
        let output = self.vial.run(&[&["verify"], subject, &image, &SHAPE].concat()).unwrap();
        let verdict: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let checks = verdict["checks"].as_array().cloned().unwrap_or_default();
        let last = checks.last().map(|check| check["name"].as_str().unwrap_or_default().to_owned());
        (output.status.code(), last.unwrap_or_default())
    }
}

/// Ends the channel itself, under a key of its own, and passes on what it hears, changed; gives its address.
fn relay(appliance: &Appliance, change: fn(Vec<u8>) -> Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut acceptor =
        Acceptor::new(Arc::new(Identity::new(&[1; 32])), |bytes| getrandom::fill(bytes).is_ok());
    let mut upstream = appliance.connect().unwrap();
    // It shows the appliance's own evidence.
    acceptor.certify(upstream.evidence()).unwrap();
    std::thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        pass_on(acceptor.accept().unwrap(), &client, &mut upstream, change);
    });
    format!("https://{address}")
}

/// One question and its answer.
fn pass_on(
    mut session: Session,
    mut client: &TcpStream,
    upstream: &mut Connection,
    change: fn(Vec<u8>) -> Vec<u8>,
) {
    let (mut asked, mut piece) = (Vec::new(), [0; 1000]);
    while !asked.ends_with(b"\r\n\r\n") {
        let read = client.read(&mut piece).unwrap();
        assert!(read > 0, "the client left");
        session.receive(&piece[..read], &mut |text| asked.extend_from_slice(text));
        client.write_all(session.unsent()).unwrap();
        session.note_sent(session.unsent().len());
    }
    let target = String::from_utf8(asked).unwrap();
    let evidence = change(upstream.get(target.split(' ').nth(1).unwrap(), 1 << 20).unwrap());
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", evidence.len());
    let answer = [head.as_bytes(), &evidence].concat();
    let mut rest = answer.as_slice();
    while !rest.is_empty() {
        rest = &rest[session.send(rest, &mut |_| ())..];
        client.write_all(session.unsent()).unwrap();
        session.note_sent(session.unsent().len());
    }
    // The verifier ends the connection.
    let _ended = client.read(&mut piece);
}

/// Flips the last bit of the hex digit at `at` of a field.
fn flip(evidence: &mut Value, field: &str, at: usize) {
    let hex = evidence[field].as_str().unwrap().to_owned();
    let digit = u8::from_str_radix(&hex[at..=at], 16).unwrap() ^ 1;
    evidence[field] = Value::from(format!("{}{digit:x}{}", &hex[..at], &hex[at + 1..]));
}

#[test]
fn a_relay_that_ends_the_channel_itself_is_refused_by_its_key() {
    let Some(bench) = Bench::new() else { return };
    assert_eq!(bench.verdict(&[&bench.appliance.url("")]).0, Some(0));
    let url = relay(&bench.appliance, |evidence| evidence);
    assert_eq!(bench.verdict(&[&url]), (Some(1), "channel key".to_owned()));
}

#[test]
fn whoever_shows_no_evidence_is_refused_by_connect_and_not_asked_again() {
    let Some(bench) = Bench::new() else { return };
    for change in [|evidence| evidence, |_| b"{}".to_vec()] as [fn(Vec<u8>) -> Vec<u8>; 2] {
        let url = relay(&bench.appliance, change);
        let image = ["--image", text(&bench.image).unwrap(), "--allow-simulated", "--listen", "127.0.0.1:0"];
        let output = bench.vial.run(&[&["connect", &url], image.as_slice(), &SHAPE].concat()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn evidence_changed_on_its_way_is_refused_by_the_field() {
    let Some(bench) = Bench::new() else { return };
    let target = format!("/v1/attestation?nonce={}", "5a".repeat(64));
    let evidence = bench.appliance.connect().unwrap().get(&target, 1 << 20).unwrap();
    let evidence: Value = serde_json::from_slice(&evidence).unwrap();
    let (path, policy) = (bench.folder.path().join("evidence"), policy(bench.folder.path()));
    let verdict = |evidence: &Value| {
        std::fs::write(&path, evidence.to_string()).unwrap();
        bench.verdict(&["--evidence", text(&path).unwrap(), "--policy", text(&policy).unwrap()])
    };
    assert_eq!(verdict(&evidence).0, Some(0));
    // Byte 0x90 of an SNP report is the first of its measurement, 0x50 of its report data; the signature is at 0x2A0.
    let cases = [
        ("nonce", 0, "report data"),
        ("channel_key", 3, "report data"),
        ("manifest", 200, "appliance.manifest_digest"),
        ("event_log", 400, "event log"),
        ("report", 2 * 0x90, "report signature"),
        ("report", 2 * 0x50, "report signature"),
        ("report", 2 * 0x2A0, "report signature"),
    ];
    for (field, at, expected) in cases {
        let mut changed = evidence.clone();
        flip(&mut changed, field, at);
        assert_eq!(verdict(&changed), (Some(1), expected.to_owned()), "{field} at {at}");
    }
}

/// A policy that takes stored evidence.
fn policy(folder: &Path) -> PathBuf {
    let path = folder.join("policy.toml");
    std::fs::write(&path, "profile = \"own-host\"\nfreshness = \"any\"\n").unwrap();
    path
}
