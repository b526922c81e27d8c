//! Real boots of a model that is larger than the memory it gets.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::net::TcpStream;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::Output;
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

    /// What `vial plan` says of so much memory.
    fn plan(&self, memory: &str) -> Output {
        self.vial.run(&["plan", text(&self.image).unwrap(), "--memory", memory, "--json"]).unwrap()
    }

    /// An appliance with so much memory, and how it says it keeps weights.
    fn start(&self, memory: &str) -> (Appliance, String) {
        self.start_so(&["--memory", memory])
    }

    /// The same with these arguments.
    fn start_so(&self, arguments: &[&str]) -> (Appliance, String) {
        let mut appliance = self.vial.start(&self.image, arguments).unwrap();
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

/// A figure of `/metrics` by its name and labels.
fn metric(appliance: &Appliance, name: &str) -> u64 {
    let (_, metrics) = appliance.ask("/metrics").unwrap();
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap().trim().parse().unwrap()
}

fn checked_bytes(appliance: &Appliance) -> u64 {
    metric(appliance, "vial_checked_weights_bytes_total")
}

#[test]
fn a_model_larger_than_memory_answers_as_one_in_memory_and_is_checked_in_every_pass() {
    let Some(bench) = Bench::new(&[]) else { return };
    let (whole, told) = bench.start("256M");
    assert_eq!(told, "all in memory");
    let expected = answers(&whole);
    assert!(expected[0].contains("Paris"), "{expected:?}");
    let file = checked_bytes(&whole);
    for arguments in [&["--memory", "96M"][..], &["--memory", "144M"], &["--memory", "96M", "--cache"]] {
        let (appliance, told) = bench.start_so(arguments);
        assert!(told.starts_with("streamed"), "{arguments:?}: {told}");
        assert_eq!(answers(&appliance), expected, "{arguments:?}");
        // Twelve tokens twice, and their prompts; what stays is read once.
        let checked = checked_bytes(&appliance);
        assert!(checked > 10 * file, "{arguments:?}: {checked} of {file}");
        assert_eq!(appliance.stop().unwrap(), Some(0));
    }
}

/// Bytes of the process that are in memory beside its guest's, whose mapping has the length of the guest's memory.
fn beside_guest(appliance: &Appliance, memory_bytes: u64) -> u64 {
    let maps = std::fs::read_to_string(format!("/proc/{}/smaps", appliance.process())).unwrap();
    let of = |name: &'static str| {
        let lines = maps.lines().filter_map(move |line| line.strip_prefix(name));
        lines.map(|value| value.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10)
    };
    let maps: Vec<(u64, u64)> = of("Size:").zip(of("Rss:")).collect();
    let guest = |&&(size, _): &&(u64, u64)| size == memory_bytes;
    assert_eq!(maps.iter().filter(guest).count(), 1, "{maps:?}");
    maps.iter().filter(|map| !guest(map)).map(|(_, rss)| rss).sum()
}

/// Two requests at once that fill the cache: its pages get memory at first use. Each begins with three pages, so that the one
/// that comes later begins beside the other, and ends with four.
fn fill_cache(appliance: &Appliance) {
    std::thread::scope(|scope| {
        for word in ["one ", "two "] {
            // Answers that are long enough for the other to come meanwhile, on a busy machine too.
            let body = json!({ "prompt": word.repeat(150), "max_tokens": 50, "temperature": 0 });
            scope.spawn(move || assert_eq!(appliance.send("/v1/completions", &body).unwrap().0, 200));
        }
    });
}

#[test]
fn an_appliance_takes_the_memory_that_was_planned() {
    let Some(bench) = Bench::new(&[]) else { return };
    for memory in ["96M", "144M", "256M"] {
        let plan: Value = serde_json::from_slice(&bench.plan(memory).stdout).unwrap();
        let (appliance, told) = bench.start(memory);
        fill_cache(&appliance);
        let of = |name: &str| plan[name].as_u64().unwrap();
        let (used, peak) = (of("used_bytes"), metric(&appliance, "vial_peak_memory_bytes"));
        assert_eq!(metric(&appliance, "vial_planned_memory_bytes"), used, "{memory}");
        assert_eq!(metric(&appliance, "vial_kv_bytes{kind=\"f16\"}"), of("kv_bytes"), "{memory}");
        let beside = beside_guest(&appliance, of("memory_bytes"));
        assert!((1 << 20..=32 << 20).contains(&beside), "{memory}: the VMM takes {beside} bytes");
        // The reserve may not all be needed, the rest is.
        assert!((used - of("reserve_bytes")..=used).contains(&peak), "{memory}: {peak} of {plan}");
        if plan["is_streamed"].as_bool().unwrap() {
            let stays = format!("streamed, {} of {} bytes stay", of("resident_bytes"), of("weights_bytes"));
            assert!(told.starts_with(&stays), "{told}: {stays}");
            // A pass reads what was planned, and a row of the embedding in one leaf or two.
            let before = checked_bytes(&appliance);
            let body = json!({ "prompt": "The", "max_tokens": 2, "temperature": 0 });
            assert_eq!(appliance.send("/v1/completions", &body).unwrap().0, 200);
            let read = checked_bytes(&appliance) - before;
            let passes = 2 * of("pass_bytes")..=2 * of("pass_bytes") + (4 << 17);
            assert!(passes.contains(&read), "{memory}: {read} of {plan}");
        }
        assert_eq!(appliance.stop().unwrap(), Some(0));
    }
}

#[test]
fn what_an_appliance_does_is_watched_while_it_does_it() {
    let Some(bench) = Bench::new(&[]) else { return };
    let (mut appliance, _) = bench.start("96M");
    let looks = std::thread::scope(|scope| {
        let body = json!({ "prompt": "The", "max_tokens": 40, "temperature": 0 });
        let appliance = &appliance;
        scope.spawn(move || assert_eq!(appliance.send("/v1/completions", &body).unwrap().0, 200));
        let url = appliance.url("");
        let top = bench.vial.run(&["top", &url, "--count", "3", "--interval", "0.5", "--json"]).unwrap();
        assert!(top.status.success(), "{}", String::from_utf8_lossy(&top.stderr));
        String::from_utf8(top.stdout).unwrap()
    });
    let looks: Vec<Value> = looks.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |look: &Value, name: &str| look[name].as_f64().unwrap();
    assert_eq!(looks.len(), 3);
    for name in ["answer_tokens_per_second", "passes_per_second", "checked_bytes_per_second", "check", "busy"]
    {
        assert!(looks.iter().any(|look| of(look, name) > 0.0), "{name}: {looks:?}");
    }
    assert!(looks.iter().all(|look| of(look, "window_bytes") > 0.0 && look["is_healthy"] == true));
    // `vial run` shows it too, once all is answered.
    let shown = appliance.await_event("console").unwrap()["line"].as_str().unwrap().to_owned();
    assert!(shown.starts_with("passes: ") && shown.contains(" MB a second, "), "{shown}");
}

#[test]
fn a_model_larger_than_memory_is_drafted_for_by_one_in_memory() {
    let Ok(model) = std::env::var("VIAL_TEST_MODEL") else { return };
    let (Some(bench), Some(alone)) = (Bench::new(&["--draft", &model]), Bench::new(&[])) else { return };
    let (appliance, told) = bench.start("208M");
    assert!(told.starts_with("streamed"), "{told}");
    assert_eq!(answers(&appliance), answers(&alone.start("256M").0));
    // It guesses where that pays: on a machine that is busy elsewhere perhaps not at once.
    let has_drafted = || metric(&appliance, "vial_drafted_tokens_total{by=\"model\"}") > 0;
    for _ in 0..10 {
        if has_drafted() {
            return;
        }
        answers(&appliance);
    }
    assert!(has_drafted());
}

/// Exit code of `vial verify`, and the last check it made: its name and what it found.
fn verdict(bench: &Bench, appliance: &Appliance) -> (Option<i32>, Value, Value) {
    let (url, image) = (appliance.url(""), text(&bench.image).unwrap());
    let arguments = ["verify", &url, "--image", image, "--allow-simulated", "--json", "--memory", "96M"];
    let output = bench.vial.run(&arguments).unwrap();
    let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
    let last = verdict["checks"].as_array().unwrap().last().unwrap().clone();
    (output.status.code(), last["name"].clone(), last["found"].clone())
}

#[test]
fn a_leaf_that_changes_between_passes_stops_every_answer() {
    let Some(bench) = Bench::new(&[]) else { return };
    let (appliance, _) = bench.start("96M");
    answers(&appliance);
    assert_eq!(appliance.ask("/health").unwrap().0, 200);
    assert_eq!(verdict(&bench, &appliance).0, Some(0));
    let shape = ["--memory", "96M", "--every", "0.02"];
    let mut gateway = bench.vial.connect(&appliance.url(""), &bench.image, &shape).unwrap();
    let at = bench.vial.offset(&bench.image, "weights").unwrap() + 60_000_000;
    let file = OpenOptions::new().read(true).write(true).open(&bench.image).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    let body = json!({ "prompt": "The", "max_tokens": 5 });
    let (status, answer) = appliance.send("/v1/completions", &body).unwrap();
    assert!(status >= 500 && !answer.contains("choices"), "no token leaves: {answer}");
    assert_eq!(appliance.ask("/health").unwrap().0, 503);
    // Also where the disk holds the right bytes again, and to whom asks for evidence.
    file.write_all_at(&byte, at).unwrap();
    assert!(appliance.send("/v1/completions", &body).unwrap().0 >= 500);
    assert_eq!(verdict(&bench, &appliance), (Some(1), json!("purpose"), json!("Unhealthy")));
    // Whoever verified it before learns it in time, and closes.
    let events: Vec<_> = core::iter::from_fn(|| gateway.next_event().ok()).collect();
    let refused = events.last().unwrap();
    assert_eq!(refused["event"], "refused", "{events:?}");
    assert!(refused["why"].as_str().unwrap().starts_with("purpose: found Unhealthy"), "{refused}");
    assert_eq!(gateway.ended().unwrap(), Some(1));
    TcpStream::connect(&gateway.address).unwrap_err();
}

#[test]
fn what_fits_not_even_streamed_is_refused_with_the_memory_that_would_do() {
    let Some(bench) = Bench::new(&[]) else { return };
    let mut appliance = bench.vial.start(&bench.image, &["--memory", "64M"]).unwrap();
    let line = appliance.await_event("console").unwrap()["line"].as_str().unwrap().to_owned();
    let event = appliance.await_event("ready").unwrap();
    assert_eq!((&event["event"], &event["code"]), (&json!("ended"), &json!(83)), "{event}");
    // The plan says the same, and what it says would do does.
    let planned = bench.plan("64M");
    let refusal = String::from_utf8_lossy(&planned.stderr);
    let said = line.split_once("memory: ").unwrap().1.get(..60).unwrap();
    assert!(planned.status.code() == Some(2) && refusal.contains(said), "{line}: {refusal}");
    let least = said.split_once("expected at least ").unwrap().1.split_once(['M', ',', ':']).unwrap().0;
    let (appliance, told) = bench.start(&format!("{least}M"));
    assert!(told.starts_with("streamed") && answers(&appliance)[0].contains("Paris"), "{told}");
}
