//! Real boots of a mixture of experts that is larger than the memory it gets.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use vial_runner::{Appliance, Vial, text};

/// A sealed image of a small mixture.
fn image(vial: &Vial) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (model, image) = (folder.path().join("mixture.gguf"), folder.path().join("mixture.img"));
    std::fs::write(&model, vial_model::tiny::mixture(1)).unwrap();
    vial.build(&model, &image).unwrap();
    std::fs::remove_file(model).unwrap();
    (folder, image)
}

fn plan(vial: &Vial, image: &Path, memory: &str) -> Value {
    let planned = vial.run(&["plan", text(image).unwrap(), "--memory", memory, "--json"]).unwrap();
    assert!(planned.status.success(), "{}", String::from_utf8_lossy(&planned.stderr));
    serde_json::from_slice(&planned.stdout).unwrap()
}

fn start(vial: &Vial, image: &Path, memory: &str) -> Appliance {
    let mut appliance = vial.start(image, &["--memory", memory]).unwrap();
    assert_eq!(appliance.await_event("ready").unwrap()["event"], "ready");
    appliance
}

/// What is answered greedily, by chance, and to a prompt of a hundred tokens.
fn answers(appliance: &Appliance) -> Vec<String> {
    let long = "the ".repeat(50);
    let answer = |(prompt, temperature): (&str, u32)| {
        let body = json!({ "prompt": prompt, "max_tokens": 24, "temperature": temperature, "seed": 3 });
        let (status, answer) = appliance.send("/v1/completions", &body).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(status, 200, "{answer}");
        answer["choices"][0]["text"].as_str().unwrap().to_owned()
    };
    [("The capital of", 0), ("The capital of", 1), (&long, 0)].map(answer).to_vec()
}

/// A figure of `/metrics` by its name and labels.
fn metric(appliance: &Appliance, name: &str) -> u64 {
    let (_, metrics) = appliance.ask("/metrics").unwrap();
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap().trim().parse().unwrap()
}

#[test]
fn a_mixture_larger_than_memory_answers_as_one_in_memory_and_reads_only_the_experts_that_are_chosen() {
    let Some(vial) = Vial::from_env() else { return };
    let (_folder, image) = image(&vial);
    let whole = start(&vial, &image, "256M");
    let expected = answers(&whole);
    assert!(expected.iter().all(|text| !text.is_empty()), "{expected:?}");
    let file = metric(&whole, "vial_checked_weights_bytes_total");
    let mut before = u64::MAX;
    for memory in ["104M", "112M", "128M"] {
        let planned = plan(&vial, &image, memory);
        let of = |name: &str| planned[name].as_u64().unwrap();
        let appliance = start(&vial, &image, memory);
        assert_eq!(answers(&appliance), expected, "{memory}");
        assert!(
            planned["is_streamed"] == true && (1..of("experts")).contains(&of("resident_experts")),
            "{planned}"
        );
        let [near, far] = ["memory", "disk"]
            .map(|from| metric(&appliance, &format!("vial_experts_total{{from=\"{from}\"}}")));
        assert!(near > 0 && far > 0, "{memory}: {near} of {far}");
        // More memory reads less, and no pass reads all.
        let (read, passes) =
            (metric(&appliance, "vial_checked_weights_bytes_total"), metric(&appliance, "vial_passes_total"));
        assert!(read < before && read < passes * file / 2, "{memory}: {read}, {passes} passes of {file}");
        before = read;
        let (used, peak) = (of("used_bytes"), metric(&appliance, "vial_peak_memory_bytes"));
        assert!(
            (used - of("reserve_bytes") - of("kv_bytes")..=used).contains(&peak),
            "{memory}: {peak} of {planned}"
        );
        assert_eq!(appliance.stop().unwrap(), Some(0));
    }
}
