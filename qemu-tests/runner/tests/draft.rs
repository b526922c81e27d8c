//! Real boots of images that hold a draft model.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use vial_model::tiny::llama;
use vial_runner::{Appliance, Vial, text};

const SMALL: [&str; 2] = ["--memory", "128M"];

/// Images of the tiny model: alone, and with a draft model.
struct Bench {
    vial: Vial,
    folder: TempDir,
}

impl Bench {
    fn new() -> Option<Self> {
        let bench = Self { vial: Vial::from_env()?, folder: tempfile::tempdir().unwrap() };
        std::fs::write(bench.path("tiny.gguf"), llama(1)).unwrap();
        Some(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn alone(&self) -> PathBuf {
        let image = self.path("alone.img");
        self.vial.build(&self.path("tiny.gguf"), &image).unwrap();
        image
    }

    fn drafted(&self, draft: &[u8]) -> PathBuf {
        std::fs::write(self.path("small.gguf"), draft).unwrap();
        let [model, draft, image] = ["tiny.gguf", "small.gguf", "drafted.img"].map(|name| self.path(name));
        let [model, draft, output] = [&model, &draft, &image].map(|path| text(path).unwrap());
        let built = self.vial.run(&["build", model, "--draft", draft, "-o", output]).unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        image
    }

    fn start(&self, image: &Path) -> Appliance {
        let mut appliance = self.vial.start(image, &SMALL).unwrap();
        assert_eq!(appliance.await_event("ready").unwrap()["event"], "ready");
        appliance
    }

    /// Exit code of an appliance that does not start.
    fn refused(&self, image: &Path, arguments: &[&str]) -> Option<u64> {
        let arguments = [&SMALL[..], arguments].concat();
        let event = self.vial.start(image, &arguments).unwrap().await_event("ready").unwrap();
        (event["event"] == "ended").then(|| event["code"].as_u64()).flatten()
    }

    fn flip(&self, image: &Path, part: &str, at: u64) {
        let at = self.vial.offset(image, part).unwrap() + at;
        let file = OpenOptions::new().read(true).write(true).open(image).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    }

    fn inspect(&self, image: &Path) -> Value {
        let output = self.vial.run(&["inspect", text(image).unwrap(), "--json"]).unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Exit code of `vial verify`, and its verdict.
    fn verify(&self, appliance: &Appliance, image: &Path) -> (Option<i32>, Value) {
        let (url, image) = (appliance.url(""), text(image).unwrap());
        let all = [&["verify", &url, "--image", image, "--json", "--allow-simulated"], &SMALL[..]].concat();
        let output = self.vial.run(&all).unwrap();
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
    }
}

/// What is answered with several seeds and temperatures.
fn answers(appliance: &Appliance) -> Vec<String> {
    let body = |temperature: u32, seed: u32| json!({ "prompt": "the", "max_tokens": 60, "temperature": temperature, "seed": seed });
    let text = |body: Value| {
        let (status, answer) = appliance.send("/v1/completions", &body).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(status, 200, "{answer}");
        answer["choices"][0]["text"].as_str().unwrap().to_owned()
    };
    [(0, 1), (1, 1), (1, 2), (1, 3), (2, 4)].map(|(temperature, seed)| text(body(temperature, seed))).to_vec()
}

fn metric(appliance: &Appliance, name: &str) -> u64 {
    let (_, metrics) = appliance.ask("/metrics").unwrap();
    metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().parse().unwrap()
}

#[test]
fn an_appliance_with_a_draft_model_drafts_and_answers_as_one_without() {
    let Some(bench) = Bench::new() else { return };
    let plain = answers(&bench.start(&bench.alone()));
    for seed in [1, 2] {
        let appliance = bench.start(&bench.drafted(&llama(seed)));
        (0..5).for_each(|_| assert_eq!(answers(&appliance), plain));
        let drafted = metric(&appliance, "vial_drafted_tokens_total{by=\"model\"}");
        let right = metric(&appliance, "vial_right_drafted_tokens_total{by=\"model\"}");
        assert!(drafted > 0, "nothing was drafted");
        // The same model says the same, but where rows that are read at once round otherwise than one by one.
        assert_eq!(seed == 1, right * 2 > drafted, "{right} of {drafted}");
        assert_eq!(appliance.stop().unwrap(), Some(0));
    }
}

#[test]
fn an_appliance_with_a_draft_model_verifies_as_such_alone() {
    let Some(bench) = Bench::new() else { return };
    let (alone, image) = (bench.alone(), bench.drafted(&llama(2)));
    let appliance = bench.start(&image);
    let (code, verdict) = bench.verify(&appliance, &image);
    assert_eq!((code, &verdict["accepted"]), (Some(0), &json!(true)), "{verdict}");
    let checks = verdict["checks"].as_array().unwrap();
    let root = checks.iter().find(|check| check["name"] == "appliance.draft_root").unwrap();
    let shown = bench.inspect(&image);
    assert_eq!(root["found"], shown["draft"]["weights_root"]);
    assert_eq!(verdict["draft_model"], shown["draft"]["model"]);
    assert_eq!(bench.verify(&appliance, &alone).0, Some(1));
    let plain = bench.start(&alone);
    assert_eq!(bench.verify(&plain, &image).0, Some(1));
    assert_eq!(bench.verify(&plain, &alone).0, Some(0));
}

#[test]
fn a_changed_draft_model_is_refused_by_firmware_or_by_the_engine() {
    let Some(bench) = Bench::new() else { return };
    let image = bench.drafted(&llama(2));
    bench.flip(&image, "draft tree", 3);
    assert_eq!(bench.refused(&image, &[]), Some(50));
    let image = bench.drafted(&llama(2));
    bench.flip(&image, "draft weights", 90_000);
    assert_eq!(bench.refused(&image, &["--measure", "full"]), Some(51));
    // Firmware reads the tree alone; the engine reads the leaf for its header.
    assert_eq!(bench.refused(&image, &[]), Some(81));
}

#[test]
fn a_leaf_of_the_draft_model_changed_behind_firmwares_back_stops_every_answer() {
    let (Some(bench), Some(model)) = (Bench::new(), std::env::var_os("VIAL_TEST_MODEL")) else { return };
    // The real model drafts for itself: large enough to arrive when requests are taken.
    std::fs::copy(model, bench.path("tiny.gguf")).unwrap();
    let image = bench.drafted(&std::fs::read(bench.path("tiny.gguf")).unwrap());
    bench.flip(&image, "draft weights", 90_000_000);
    let mut appliance = bench.vial.start(&image, &["--memory", "1G"]).unwrap();
    assert_eq!(appliance.await_event("ready").unwrap()["event"], "ready");
    let told = appliance.await_event("console").unwrap();
    let line = told["line"].as_str().unwrap();
    assert!(line.starts_with("draft model: leaf 686 of the weights differs"), "{line}");
    assert_eq!(appliance.ask("/health").unwrap().0, 503);
    let (status, answer) = appliance.send("/v1/completions", &json!({ "prompt": "the" })).unwrap();
    assert!(status >= 500 && !answer.contains("choices"), "{answer}");
}

/// First word of what a program of the system prints.
fn first_word(program: &str, path: &Path) -> String {
    let output = std::process::Command::new(program).arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

#[test]
fn the_draft_models_digests_are_those_of_b3sum_and_sha256sum() {
    let Some(bench) = Bench::new() else { return };
    let shown = bench.inspect(&bench.drafted(&llama(2)));
    for (file, shown) in [("tiny.gguf", &shown), ("small.gguf", &shown["draft"])] {
        assert_eq!(shown["weights_root"], first_word("b3sum", &bench.path(file)));
        assert_eq!(shown["weights_sha256"], first_word("sha256sum", &bench.path(file)));
    }
}

#[test]
fn a_draft_model_that_does_not_fit_is_refused_and_nothing_is_left() {
    let Some(bench) = Bench::new() else { return };
    let mut other = llama(2);
    let at = other.windows(10).position(|window| window == b"<|im_end|>").unwrap();
    other[at..at + 10].copy_from_slice(b"<|im_END|>");
    std::fs::write(bench.path("small.gguf"), other).unwrap();
    let [model, image] = ["tiny.gguf", "out.img"].map(|name| bench.path(name));
    let [model, image] = [&model, &image].map(|path| text(path).unwrap());
    for (draft, expected) in [("small.gguf", "token 259 of the draft model"), ("none.gguf", "cannot read")] {
        let draft = bench.path(draft);
        let output =
            bench.vial.run(&["build", model, "--draft", text(&draft).unwrap(), "-o", image]).unwrap();
        let talk = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{talk}");
        assert!(talk.contains(expected) && talk.contains("hint: "), "{talk}");
    }
    assert_eq!(std::fs::read_dir(bench.folder.path()).unwrap().count(), 2);
}
