//! What is left of an appliance when its process has ended, as it should or not: the image as it was, and nothing else.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use core::time::Duration;
use serde_json::{Value, json};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;
use vial_client::Connection;
use vial_runner::{Vial, text};

const CANARY: &str = "zQ77Xv7KpWm77Y";
const PATIENCE: Duration = Duration::from_secs(60);

/// An appliance that may dump as much as it likes, in a folder of its own, which is also where it finds room for temporary files. What
/// it says goes to files elsewhere.
struct Bench {
    folder: tempfile::TempDir,
    said: tempfile::TempDir,
    child: Child,
    image: Vec<u8>,
}

impl Bench {
    fn new() -> Option<Self> {
        let vial = Vial::from_env()?;
        let [folder, said] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (model, image) = (said.path().join("tiny.gguf"), folder.path().join("tiny.img"));
        std::fs::write(&model, vial_model::tiny::llama(1)).unwrap();
        vial.build(&model, &image).unwrap();
        let script = "ulimit -c unlimited; exec \"$VIAL_TEST_VIAL\" \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh", "run", text(&image).unwrap()]);
        command.args(["--publish", "127.0.0.1:0", "--json", "--memory", "128M"]);
        command.current_dir(&folder).env("TMPDIR", folder.path());
        let file = |name: &str| std::fs::File::create(said.path().join(name)).unwrap();
        let child = command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err")).spawn().unwrap();
        let image = std::fs::read(&image).unwrap();
        Some(Self { folder, said, child, image })
    }

    fn said(&self, name: &str) -> String {
        std::fs::read_to_string(self.said.path().join(name)).unwrap()
    }

    /// Its address, once it is ready.
    fn address(&self) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let said = self.said("out");
            let lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let ready = lines.into_iter().find(|event| event["event"] == "ready");
            if let Some(address) = ready.as_ref().and_then(|event| event["address"].as_str()) {
                return address.to_owned();
            }
            assert!(Instant::now() < until, "{said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A prompt that is answered.
    fn converse(&self) {
        let mut connection = Connection::open(&format!("https://{}", self.address()), PATIENCE).unwrap();
        let body = json!({ "prompt": CANARY, "max_tokens": 3, "user": CANARY }).to_string();
        let answer = connection.ask("POST", "/v1/completions", Some(body.as_bytes()), 1 << 20).unwrap();
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }

    /// What the process has open: all of it is gone with the process but files, of which the image is the only one.
    fn files(&self) -> Vec<PathBuf> {
        let links = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let opened = links.filter_map(|link| std::fs::read_link(link.unwrap().path()).ok());
        opened.filter(|path| path.has_root() && !path.starts_with("/dev")).collect()
    }

    fn end(&mut self, signal: &str) -> ExitStatus {
        let sent = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap()
    }

    fn left_nothing(&self) {
        let names = |folder: &Path| {
            let mut names: Vec<_> =
                std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(self.folder.path()), ["tiny.img"]);
        assert!(std::fs::read(self.folder.path().join("tiny.img")).unwrap() == self.image, "the image");
        assert_eq!(names(self.said.path()), ["err", "out", "tiny.gguf"]);
        for name in ["out", "err"] {
            assert!(!self.said(name).contains("zQ"), "{}", self.said(name));
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // One that has ended already is not there to be killed.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

#[test]
fn an_appliance_that_is_stopped_leaves_its_image_as_it_was_and_nothing_else() {
    let Some(mut bench) = Bench::new() else { return };
    bench.converse();
    let said = bench.said.path().to_owned();
    let image = bench.folder.path().join("tiny.img");
    let others: Vec<_> = bench.files().into_iter().filter(|path| !path.starts_with(&said)).collect();
    assert!(others.iter().all(|path| *path == image), "{others:?}");
    assert_eq!(bench.end("TERM").code(), Some(0));
    bench.left_nothing();
}

/// Whether processes that may dump do so here; there is nothing to show where they do not.
fn others_dump() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let mut other = Command::new("sh");
    other.args(["-c", "ulimit -c unlimited; kill -s ABRT $$"]).current_dir(&folder);
    other.status().unwrap().core_dumped()
}

#[test]
fn an_appliance_that_is_killed_dumps_no_memory() {
    let Some(mut bench) = Bench::new().filter(|_| others_dump()) else { return };
    bench.converse();
    let ended = bench.end("ABRT");
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(6), false));
    bench.left_nothing();
}
