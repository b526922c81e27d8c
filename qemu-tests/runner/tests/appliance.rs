//! Real boots on `/dev/kvm`: an appliance that answers and verifies, and one for each thing that was changed.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use vial_runner::{Vial, text};

/// An image of the tiny model in a folder of its own.
struct Bench {
    vial: Vial,
    folder: TempDir,
    image: PathBuf,
}

impl Bench {
    fn new() -> Option<Self> {
        let vial = Vial::from_env()?;
        let folder = tempfile::tempdir().unwrap();
        let (model, image) = (folder.path().join("tiny.gguf"), folder.path().join("tiny.img"));
        std::fs::write(&model, vial_model::tiny::llama(1)).unwrap();
        vial.build(&model, &image).unwrap();
        Some(Self { vial, folder, image })
    }

    fn flip(&self, part: &str, at: u64) {
        flip(&self.image, self.vial.offset(&self.image, part).unwrap() + at);
    }

    /// Exit code of an appliance that does not start.
    fn refused(&self, arguments: &[&str]) -> Option<u64> {
        let event = self.vial.start(&self.image, arguments).unwrap().await_event("ready").unwrap();
        (event["event"] == "ended").then(|| event["code"].as_u64()).flatten()
    }
}

fn flip(path: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

const SMALL: [&str; 2] = ["--memory", "128M"];

fn verify(vial: &Vial, url: &str, image: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let all = [&["verify", url, "--image", text(image).unwrap(), "--json"], &SMALL[..], more].concat();
    let output = vial.run(&all).unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

#[test]
fn an_appliance_answers_verifies_and_stops_cleanly() {
    let Some(bench) = Bench::new() else { return };
    let mut appliance = bench.vial.start(&bench.image, &SMALL).unwrap();
    assert_eq!(appliance.await_event("ready").unwrap()["event"], "ready");
    assert_eq!(appliance.ask("/health").unwrap().0, 200);
    let body =
        json!({ "messages": [{ "role": "user", "content": "the" }], "max_tokens": 5, "logprobs": true });
    let (status, answer) = appliance.send("/v1/chat/completions", &body).unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(status, 200, "{answer}");
    assert!(answer["usage"]["completion_tokens"].as_u64().unwrap() <= 5);
    let (_, metrics) = appliance.ask("/metrics").unwrap();
    assert!(metrics.contains("vial_requests_total 1"), "{metrics}");
    let url = appliance.url("");
    let (code, verdict) = verify(&bench.vial, &url, &bench.image, &["--allow-simulated"]);
    assert_eq!((code, &verdict["accepted"]), (Some(0), &json!(true)), "{verdict}");
    assert_eq!(verify(&bench.vial, &url, &bench.image, &[]).0, Some(1));
    let other = verify(&bench.vial, &url, &bench.image, &["--allow-simulated", "--cpus", "1"]);
    assert_eq!(other.0, Some(1));
    assert_eq!(appliance.stop().unwrap(), Some(0));
    assert_eq!(verify(&bench.vial, &url, &bench.image, &["--allow-simulated"]).0, Some(2));
}

#[test]
fn an_appliance_of_integers_answers_and_verifies_as_such_alone() {
    let Some(bench) = Bench::new() else { return };
    let integers = ["--kv", "q8_0"];
    let mut appliance = bench.vial.start(&bench.image, &[&SMALL[..], &integers].concat()).unwrap();
    let ready = appliance.await_event("ready").unwrap();
    assert_eq!((&ready["event"], &ready["kv"]), (&json!("ready"), &json!("q8_0")));
    let body = json!({ "prompt": "the", "max_tokens": 5 });
    assert_eq!(appliance.send("/v1/completions", &body).unwrap().0, 200);
    assert!(appliance.ask("/metrics").unwrap().1.contains("vial_kv_bytes{kind=\"q8_0\"}"));
    let url = appliance.url("");
    let code =
        |more: &[&str]| verify(&bench.vial, &url, &bench.image, &[&["--allow-simulated"], more].concat()).0;
    assert_eq!((code(&integers), code(&[]), code(&["--kv", "f16"])), (Some(0), Some(1), Some(1)));
    assert_eq!(appliance.stop().unwrap(), Some(0));
}

#[test]
fn a_changed_kernel_engine_bundle_or_tree_is_refused_by_its_own_code() {
    for (part, at, code) in [("kernel", 5000, 38), ("engine", 5000, 39), ("bundle", 0, 40), ("tree", 3, 41)] {
        let Some(bench) = Bench::new() else { return };
        bench.flip(part, at);
        assert_eq!(bench.refused(&SMALL), Some(code), "{part}");
    }
}

#[test]
fn a_changed_leaf_is_refused_by_firmware_when_every_leaf_is_measured() {
    let Some(bench) = Bench::new() else { return };
    bench.flip("weights", 90_000);
    assert_eq!(bench.refused(&[&SMALL[..], &["--measure", "full"]].concat()), Some(42));
}

#[test]
fn a_changed_manifest_firmware_or_length_is_refused_before_the_start() {
    let Some(bench) = Bench::new() else { return };
    let refused =
        |bench: &Bench| bench.vial.run(&["run", text(&bench.image).unwrap()]).unwrap().status.code();
    let places = ["firmware", "manifest"].map(|part| bench.vial.offset(&bench.image, part).unwrap() + 2);
    for place in places {
        flip(&bench.image, place);
        assert_eq!(refused(&bench), Some(2));
        flip(&bench.image, place);
    }
    let short = bench.folder.path().join("short.img");
    let whole = std::fs::read(&bench.image).unwrap();
    std::fs::write(&short, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(bench.vial.run(&["run", text(&short).unwrap()]).unwrap().status.code(), Some(2));
}

#[test]
fn a_manifest_of_another_engine_is_refused_by_firmware() {
    let Some(bench) = Bench::new() else { return };
    // Inside the engine's digest: the launch page follows the changed manifest, the engine does not.
    bench.flip("manifest", 130);
    assert_eq!(bench.refused(&SMALL), Some(39));
}

#[test]
fn a_leaf_changed_behind_firmwares_back_stops_every_answer() {
    let (Some(vial), Some(model)) = (Vial::from_env(), std::env::var_os("VIAL_TEST_MODEL")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("model.img");
    vial.build(Path::new(&model), &image).unwrap();
    // Firmware reads the tree alone, so it hands over; the leaf lies in the layers.
    flip(&image, vial.offset(&image, "weights").unwrap() + 90_000_000);
    let mut appliance = vial.start(&image, &[]).unwrap();
    assert_eq!(appliance.await_event("ready").unwrap()["event"], "ready");
    let body = json!({ "messages": [{ "role": "user", "content": "Hello" }], "max_tokens": 5 });
    let (status, answer) = appliance.send("/v1/chat/completions", &body).unwrap();
    assert!(status >= 500, "{status} {answer}");
    assert!(!answer.contains("choices"), "no token leaves: {answer}");
    assert_eq!(appliance.ask("/health").unwrap().0, 503);
}

#[test]
fn the_real_model_knows_the_capital_of_france() {
    let (Some(vial), Some(model)) = (Vial::from_env(), std::env::var_os("VIAL_TEST_MODEL")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("model.img");
    vial.build(Path::new(&model), &image).unwrap();
    let mut appliance = vial.start(&image, &[]).unwrap();
    appliance.await_event("ready").unwrap();
    let message = json!({ "role": "user", "content": "What is the capital of France?" });
    let body = json!({ "messages": [message], "temperature": 0, "max_tokens": 40 });
    let (_, answer) = appliance.send("/v1/chat/completions", &body).unwrap();
    assert!(answer.contains("Paris"), "{answer}");
}

/// First word of what a program of the system prints.
fn first_word(program: &str, path: &Path) -> String {
    let output = std::process::Command::new(program).arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

#[test]
fn the_weights_digests_are_those_of_b3sum_and_sha256sum() {
    let Some(bench) = Bench::new() else { return };
    let model = bench.folder.path().join("tiny.gguf");
    let output = bench.vial.run(&["inspect", text(&bench.image).unwrap(), "--json"]).unwrap();
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["weights_root"], first_word("b3sum", &model));
    assert_eq!(shown["weights_sha256"], first_word("sha256sum", &model));
}

#[test]
fn a_running_vmm_opens_no_more_files_on_any_thread() {
    let Some(bench) = Bench::new() else { return };
    let mut appliance = bench.vial.start(&bench.image, &SMALL).unwrap();
    assert_eq!(appliance.await_event("ready").unwrap()["event"], "ready");
    let threads = std::fs::read_dir(format!("/proc/{}/task", appliance.process())).unwrap();
    let mut count = 0;
    for thread in threads {
        let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        // 2: a filter, which knows no open, socket or execve (host/vmm/src/seccomp.rs).
        assert!(status.lines().any(|line| line == "Seccomp:\t2"), "{status}");
        count += 1;
    }
    assert!(count > 4, "{count} threads");
}
