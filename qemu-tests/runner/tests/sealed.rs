//! Real boots of images whose weights are encrypted: locked, unlocked, and everything that must not unlock them.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;
use vial_abi::ExitCode;
use vial_channel::unlock::{Offer, Secret};
use vial_client::Connection;
use vial_image::SealedImage;
use vial_runner::{Appliance, Vial, text};
use vial_weights::cipher::{ImageKey, OwnerKey};
use vial_weights::tree::Hex;

/// The tiny model, in clear and encrypted, with the key and another one.
struct Bench {
    vial: Vial,
    folder: TempDir,
    model: PathBuf,
}

const SMALL: [&str; 2] = ["--memory", "128M"];
const LIMITS: [&str; 4] = ["--max-context", "256", "--max-streams", "2"];

impl Bench {
    fn new() -> Option<Self> {
        let bench = Self::of(|folder| {
            let model = folder.join("tiny.gguf");
            std::fs::write(&model, vial_model::tiny::llama(1)).unwrap();
            model
        });
        bench.inspect(|bench| bench.build(&[]))
    }

    fn of(model: impl FnOnce(&Path) -> PathBuf) -> Option<Self> {
        let vial = Vial::from_env()?;
        let folder = tempfile::tempdir().unwrap();
        let model = model(folder.path());
        let bench = Self { vial, folder, model };
        ["right", "wrong"].iter().for_each(|name| bench.vial.new_key(&bench.path(name)).unwrap());
        Some(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn build(&self, arguments: &[&str]) {
        let (model, key) = (text(&self.model).unwrap(), self.path("right"));
        for (image, more) in [("plain.img", &[][..]), ("sealed.img", &["--encrypt", text(&key).unwrap()])] {
            let image = self.path(image);
            let all = [&["build", model, "-o", text(&image).unwrap()], arguments, more].concat();
            let built = self.vial.run(&all).unwrap();
            assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        }
    }

    fn start(&self, image: &str, arguments: &[&str]) -> Appliance {
        let mut appliance = self.vial.start(&self.path(image), arguments).unwrap();
        let ready = appliance.await_event("ready").unwrap();
        assert_eq!((&ready["event"], &ready["locked"]), (&json!("ready"), &json!(image == "sealed.img")));
        appliance
    }

    fn unlock(&self, appliance: &Appliance, key: &str, arguments: &[&str]) -> Output {
        let (url, key, image) = (appliance.url(""), self.path(key), self.path("sealed.img"));
        let all = ["unlock", &url, "--key", text(&key).unwrap(), "--image", text(&image).unwrap()];
        self.vial.run(&[&all, arguments].concat()).unwrap()
    }

    /// Starts the encrypted image and unlocks it.
    fn unlocked(&self, arguments: &[&str]) -> Appliance {
        let appliance = self.start("sealed.img", arguments);
        let done = self.unlock(&appliance, "right", &[arguments, &["--allow-simulated"]].concat());
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
        appliance
    }

    /// What the image's owner would release.
    fn image_key(&self, key: &str) -> ImageKey {
        let text = std::fs::read_to_string(self.path(key)).unwrap();
        let hex = text.lines().nth(1).unwrap();
        let image = SealedImage::open(&self.path("sealed.img")).unwrap();
        OwnerKey::new(&unhex(hex)).image_key(&image.manifest().encryption.unwrap().image_id())
    }

    fn digest(&self) -> [u8; 48] {
        SealedImage::open(&self.path("sealed.img")).unwrap().manifest().digest()
    }

    fn flip(&self, part: &str, at: u64) {
        let image = self.path("sealed.img");
        let at = self.vial.offset(&image, part).unwrap() + at;
        let file = OpenOptions::new().read(true).write(true).open(image).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    }
}

fn unhex<const N: usize>(hex: &str) -> [u8; N] {
    core::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
}

fn prompt(tokens: u32) -> Value {
    json!({ "prompt": "hello there", "max_tokens": tokens, "temperature": 0 })
}

fn answer(appliance: &Appliance) -> String {
    let (status, body) = appliance.send("/v1/completions", &prompt(12)).unwrap();
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    body["choices"][0]["text"].as_str().unwrap().to_owned()
}

fn metric(appliance: &Appliance, name: &str) -> u64 {
    let (_, text) = appliance.ask("/metrics").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap().parse().unwrap()
}

/// An offer over a connection.
fn offer(connection: &mut Connection) -> Offer {
    let response = connection.ask("GET", "/v1/unlock", None, 4096).unwrap();
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    Offer::decode(&unhex(body["offer"].as_str().unwrap()))
}

/// A release for an offer over a connection, as the body that would carry it; whose that is nobody verified here.
fn release(connection: &mut Connection, digest: &[u8; 48], key: &ImageKey) -> String {
    let offer = offer(connection);
    let secret = Secret::new(*key.bytes());
    let random = |bytes: &mut [u8]| {
        bytes.fill(7);
        true
    };
    let release = offer.release(connection.key(), digest, &secret, random).unwrap();
    format!(r#"{{"release":"{}"}}"#, Hex(&release))
}

fn post(connection: &mut Connection, body: &str) -> (u16, String) {
    let response = connection.ask("POST", "/v1/unlock", Some(body.as_bytes()), 4096).unwrap();
    (response.status, String::from_utf8(response.body).unwrap())
}

#[test]
fn a_locked_appliance_verifies_refuses_prompts_and_answers_as_in_clear_once_it_is_unlocked() {
    let Some(bench) = Bench::new() else { return };
    let expected = answer(&bench.start("plain.img", &SMALL));
    let appliance = bench.start("sealed.img", &SMALL);
    for (status, body) in
        [appliance.ask("/health").unwrap(), appliance.send("/v1/completions", &prompt(1)).unwrap()]
    {
        assert!(status == 503 && body.contains("locked"), "{body}");
    }
    assert_eq!(metric(&appliance, "vial_locked"), 1);
    let (url, image) = (appliance.url(""), bench.path("sealed.img"));
    let verify = ["verify", &url, "--image", text(&image).unwrap(), "--allow-simulated", "--memory", "128M"];
    assert_eq!(bench.vial.run(&verify).unwrap().status.code(), Some(0));
    let done = bench.unlock(&appliance, "right", &["--memory", "128M", "--allow-simulated"]);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(appliance.ask("/health").unwrap().0, 200);
    assert_eq!((answer(&appliance), metric(&appliance, "vial_locked")), (expected, 0));
    assert_eq!(bench.vial.run(&verify).unwrap().status.code(), Some(0));
    // Once is enough.
    let again = bench.unlock(&appliance, "right", &["--memory", "128M", "--allow-simulated"]);
    assert_eq!(again.status.code(), Some(2));
    assert_eq!(appliance.stop().unwrap(), Some(0));
}

#[test]
fn the_owners_key_goes_to_no_appliance_that_is_not_accepted_and_a_wrong_one_to_none() {
    let Some(bench) = Bench::new() else { return };
    let appliance = bench.start("sealed.img", &SMALL);
    let refused = |key: &str, arguments: &[&str]| {
        let output = bench.unlock(&appliance, key, arguments);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    // Its root is simulated; it is another machine; the key is another.
    assert_eq!(refused("right", &SMALL).0, Some(1));
    assert_eq!(refused("right", &["--memory", "256M", "--allow-simulated"]).0, Some(1));
    let (code, text) = refused("wrong", &["--memory", "128M", "--allow-simulated"]);
    assert!(code == Some(1) && text.contains("another key"), "{text}");
    assert_eq!(appliance.ask("/health").unwrap().0, 503);
    // Nobody asked it for an offer but the test now.
    let mut connection = appliance.connect().unwrap();
    assert_eq!(post(&mut connection, &format!(r#"{{"release":"{}"}}"#, "00".repeat(80))).0, 409);
}

#[test]
fn a_wrong_key_a_hosts_key_and_a_replayed_release_leave_it_locked() {
    let Some(bench) = Bench::new() else { return };
    let (digest, right, wrong) = (bench.digest(), bench.image_key("right"), bench.image_key("wrong"));
    let first = bench.start("sealed.img", &SMALL);
    let mut connection = first.connect().unwrap();
    let of_host = release(&mut connection, &digest, &wrong);
    let (status, body) = post(&mut connection, &of_host);
    assert!(status == 403 && body.contains("another key"), "{body}");
    // The next try waits.
    let recorded = release(&mut connection, &digest, &right);
    assert_eq!(post(&mut connection, &recorded).0, 429);
    std::thread::sleep(core::time::Duration::from_millis(1100));
    // Over another connection, with an offer of its own.
    let mut other = first.connect().unwrap();
    offer(&mut other);
    let (status, body) = post(&mut other, &recorded);
    assert!(status == 403 && body.contains("replayed"), "{body}");
    // At another start of the same image.
    let second = bench.start("sealed.img", &SMALL);
    let mut other = second.connect().unwrap();
    assert_eq!(post(&mut other, &recorded).0, 409);
    offer(&mut other);
    let (status, body) = post(&mut other, &recorded);
    assert!(status == 403 && body.contains("replayed"), "{body}");
    assert_eq!(second.ask("/health").unwrap().0, 503);
    // It was right, for whom it was made.
    std::thread::sleep(core::time::Duration::from_millis(1100));
    assert_eq!(first.ask("/health").unwrap().0, 503);
    assert_eq!(post(&mut connection, &recorded).0, 200);
    assert_eq!(first.ask("/health").unwrap().0, 200);
    assert_eq!(post(&mut connection, &recorded).0, 409);
}

#[test]
fn an_encrypted_draft_model_is_opened_with_the_same_key_and_measured_leaf_by_leaf() {
    let Some(bench) = Bench::new() else { return };
    let draft = bench.path("small.gguf");
    std::fs::write(&draft, vial_model::tiny::llama(2)).unwrap();
    bench.build(&["--draft", text(&draft).unwrap()]);
    let shape = ["--memory", "128M", "--measure", "full"];
    let expected = answer(&bench.start("plain.img", &shape));
    let mut appliance = bench.unlocked(&shape);
    // Both are there and were opened.
    assert_eq!(appliance.await_event("weights").unwrap()["name"], "weights");
    assert_eq!(answer(&appliance), expected);
    bench.flip("draft tags", 3);
    let mut appliance = bench.start("sealed.img", &shape);
    bench.unlock(&appliance, "right", &[&shape[..], &["--allow-simulated"]].concat());
    names(&mut appliance, 0);
}

/// What an appliance tells of a leaf.
fn names(appliance: &mut Appliance, leaf: u64) {
    let named = format!("leaf {leaf} ");
    loop {
        let event = appliance.await_event("console").unwrap();
        assert_eq!(event["event"], "console", "it ended without naming leaf {leaf}: {event}");
        if event["line"].as_str().unwrap().contains(&named) {
            return;
        }
    }
}

#[test]
fn a_changed_byte_of_ciphertext_or_tag_stops_every_answer_by_its_leaf() {
    let Some(bench) =
        Bench::of(|_| std::env::var("VIAL_TEST_MODEL").map_or_else(|_| PathBuf::new(), PathBuf::from))
            .filter(|bench| bench.model.exists())
    else {
        return;
    };
    bench.build(&LIMITS);
    let of_leaf = |leaf: u64| [("weights", leaf * (128 << 10) + 77), ("tags", leaf * 16 + 3)];
    let shape = ["--memory", "512M", "--allow-simulated"];
    for (part, at) in of_leaf(700) {
        bench.flip(part, at);
        let mut appliance = bench.start("sealed.img", &shape[..2]);
        let done = bench.unlock(&appliance, "right", &shape);
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
        assert!(appliance.send("/v1/completions", &prompt(1)).unwrap().0 >= 500, "{part}");
        names(&mut appliance, 700);
        assert_eq!(appliance.ask("/health").unwrap().0, 503);
        bench.flip(part, at);
    }
    // Without its header it is no model, and ends.
    for (part, at) in of_leaf(0) {
        bench.flip(part, at);
        let mut appliance = bench.start("sealed.img", &shape[..2]);
        assert_eq!(bench.unlock(&appliance, "right", &shape).status.code(), Some(2));
        names(&mut appliance, 0);
        let ended = appliance.await_event("ended").unwrap();
        assert_eq!(ended["code"].as_u64(), Some(ExitCode::ModelForm.value().into()), "{part}");
        bench.flip(part, at);
    }
    answer(&bench.unlocked(&shape[..2]));
}

#[test]
fn an_encrypted_model_answers_as_in_clear_whole_and_streamed_within_its_plan() {
    let Some(bench) = Bench::of(|folder| match std::env::var("VIAL_TEST_MODEL") {
        Ok(model) => PathBuf::from(model),
        Err(_) => {
            let model = folder.join("tiny.gguf");
            std::fs::write(&model, vial_model::tiny::llama(1)).unwrap();
            model
        }
    }) else {
        return;
    };
    bench.build(&LIMITS);
    let (key, image) = (bench.path("right"), bench.path("sealed.img"));
    let plan = ["plan", text(&image).unwrap(), "--memory", "128M"];
    let locked = bench.vial.run(&plan).unwrap();
    let hint = String::from_utf8(locked.stderr).unwrap();
    assert!(locked.status.code() == Some(2) && hint.contains("--key FILE"), "{hint}");
    for memory in ["512M", "128M"] {
        let shape = ["--memory", memory];
        let expected = answer(&bench.start("plain.img", &shape));
        let appliance = bench.unlocked(&shape);
        assert_eq!(answer(&appliance), expected, "{memory}");
        let [planned, peak] =
            ["vial_planned_memory_bytes", "vial_peak_memory_bytes"].map(|name| metric(&appliance, name));
        assert!(peak <= planned, "{memory}: {peak} of {planned}");
        let all = ["plan", text(&image).unwrap(), "--key", text(&key).unwrap(), "--json"];
        let shown: Value =
            serde_json::from_slice(&bench.vial.run(&[&all[..], &shape].concat()).unwrap().stdout).unwrap();
        assert_eq!(shown["used_bytes"].as_u64(), Some(planned), "{memory}");
        if memory == "128M" && std::env::var("VIAL_TEST_MODEL").is_ok() {
            assert_eq!(shown["is_streamed"], true);
            // A leaf that changes between passes is refused in the pass that reads it, and all after it.
            bench.flip("weights", 300 * (128 << 10));
            let (status, body) = appliance.send("/v1/completions", &prompt(2)).unwrap();
            assert!(status == 500 && body.contains("differ from what was sealed"), "{body}");
            bench.flip("weights", 300 * (128 << 10));
            assert_eq!(appliance.ask("/health").unwrap().0, 503);
        }
        assert_eq!(appliance.stop().unwrap(), Some(0));
    }
}
