//! Real boots of a model that is larger than the memory it gets.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use tempfile::TempDir;
use vial_runner::{Appliance, Vial, text};

/// An image of the test model for short contexts.
struct Bench {
    vial: Vial,
    _folder: TempDir,
    image: PathBuf,
}

impl Bench {
    fn new(arguments: &[&str]) -> Option<Self> {
        let (vial, model) = (Vial::from_env()?, std::env::var("VIAL_TEST_MODEL").ok()?);
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("model.img");
        let all =
            ["build", &model, "-o", text(&image).unwrap(), "--max-context", "256", "--max-streams", "2"];
        let all: Vec<_> = all.into_iter().chain(arguments.iter().copied()).collect();
        let built = vial.run(&all).unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Some(Self { vial, _folder: folder, image })
    }

    /// An appliance with so much memory, and how it says it keeps weights.
    fn start(&self, memory: &str) -> (Appliance, String) {
        let mut appliance = self.vial.start(&self.image, &["--memory", memory]).unwrap();
        let told = loop {
            let event = appliance.await_event("console").unwrap();
            if let Some(told) = event["line"].as_str().unwrap().strip_prefix("weights: ") {
                break told.to_owned();
            }
        };
        assert_eq!(appliance.await_event("ready").unwrap()["event"], "ready");
        (appliance, told)
    }
}

/// What is answered greedily and by chance.
fn answers(appliance: &Appliance) -> Vec<String> {
    let text = |temperature: u32| {
        let body = json!({ "prompt": "The capital of France is", "max_tokens": 12, "temperature": temperature, "seed": 3 });
        let (status, answer) = appliance.send("/v1/completions", &body).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(status, 200, "{answer}");
        answer["choices"][0]["text"].as_str().unwrap().to_owned()
    };
    vec![text(0), text(1)]
}

fn checked_bytes(appliance: &Appliance) -> u64 {
    let (_, metrics) = appliance.ask("/metrics").unwrap();
    let line = metrics.lines().find_map(|line| line.strip_prefix("vial_checked_weights_bytes_total "));
    line.unwrap().trim().parse().unwrap()
}

#[test]
fn a_model_larger_than_memory_answers_as_one_in_memory_and_is_checked_in_every_pass() {
    let Some(bench) = Bench::new(&[]) else { return };
    let (whole, told) = bench.start("256M");
    assert_eq!(told, "all in memory");
    let expected = answers(&whole);
    assert!(expected[0].contains("Paris"), "{expected:?}");
    let file = checked_bytes(&whole);
    for memory in ["96M", "144M"] {
        let (appliance, told) = bench.start(memory);
        assert!(told.starts_with("streamed"), "{memory}: {told}");
        assert_eq!(answers(&appliance), expected, "{memory}");
        // Twelve tokens twice, and their prompts; what stays is read once.
        let checked = checked_bytes(&appliance);
        assert!(checked > 10 * file, "{memory}: {checked} of {file}");
        assert_eq!(appliance.stop().unwrap(), Some(0));
    }
}

#[test]
fn a_model_larger_than_memory_is_drafted_for_by_one_in_memory() {
    let Ok(model) = std::env::var("VIAL_TEST_MODEL") else { return };
    let (Some(bench), Some(alone)) = (Bench::new(&["--draft", &model]), Bench::new(&[])) else { return };
    let (appliance, told) = bench.start("208M");
    assert!(told.starts_with("streamed"), "{told}");
    assert_eq!(answers(&appliance), answers(&alone.start("256M").0));
    let (_, metrics) = appliance.ask("/metrics").unwrap();
    let line = metrics.lines().find_map(|line| line.strip_prefix("vial_drafted_tokens_total{by=\"model\"} "));
    assert!(line.unwrap().trim().parse::<u64>().unwrap() > 0, "{metrics}");
}

#[test]
fn a_leaf_that_changes_between_passes_stops_every_answer() {
    let Some(bench) = Bench::new(&[]) else { return };
    let (appliance, _) = bench.start("96M");
    answers(&appliance);
    assert_eq!(appliance.ask("/health").unwrap().0, 200);
    let at = bench.vial.offset(&bench.image, "weights").unwrap() + 60_000_000;
    let file = OpenOptions::new().read(true).write(true).open(&bench.image).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    let body = json!({ "prompt": "The", "max_tokens": 5 });
    let (status, answer) = appliance.send("/v1/completions", &body).unwrap();
    assert!(status >= 500 && !answer.contains("choices"), "no token leaves: {answer}");
    assert_eq!(appliance.ask("/health").unwrap().0, 503);
    // Also where the disk holds the right bytes again.
    file.write_all_at(&byte, at).unwrap();
    assert!(appliance.send("/v1/completions", &body).unwrap().0 >= 500);
}

#[test]
fn what_fits_not_even_streamed_is_refused_with_the_memory_that_would_do() {
    let Some(bench) = Bench::new(&[]) else { return };
    let mut appliance = bench.vial.start(&bench.image, &["--memory", "64M"]).unwrap();
    let line = appliance.await_event("console").unwrap()["line"].as_str().unwrap().to_owned();
    assert!(line.contains("memory: found ") && line.contains("start with more --memory"), "{line}");
    let event = appliance.await_event("ready").unwrap();
    assert_eq!((&event["event"], &event["code"]), (&json!("ended"), &json!(83)), "{event}");
}
