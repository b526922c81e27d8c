//! What users get wrong: one line that names what was found, a hint, a fixed exit code, nothing half-written.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use vial_model::tiny::{GgufWriter, llama, llama_without};
use vial_runner::{Vial, text};

/// The partition starts at 1 MiB, its header with 8 bytes of magic.
const FORMAT_VERSION_AT: u64 = (1 << 20) + 8;

struct Desk {
    vial: Vial,
    folder: TempDir,
}

impl Desk {
    fn new() -> Option<Self> {
        Some(Self { vial: Vial::from_env()?, folder: tempfile::tempdir().unwrap() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    fn image(&self) -> PathBuf {
        let image = self.path("tiny.img");
        self.vial.build(&self.file("tiny.gguf", &llama(1)), &image).unwrap();
        image
    }

    /// `vial build` of a file that is refused; nothing is left beside it.
    fn refused_build(&self, model: &Path, expected: &str) {
        let before = self.names();
        let output =
            self.vial.run(&["build", text(model).unwrap(), "-o", text(&self.path("out.img")).unwrap()]);
        complains(&output.unwrap(), 2, expected);
        assert_eq!(self.names(), before, "nothing half-written");
    }

    fn refused_run(&self, image: &Path, arguments: &[&str], code: i32, expected: &str) {
        let publish = ["--publish", "127.0.0.1:0"];
        let all = [&["run", text(image).unwrap()], &publish[..], arguments].concat();
        complains(&self.vial.run(&all).unwrap(), code, expected);
    }

    fn names(&self) -> Vec<std::ffi::OsString> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }
}

/// One line of error with these words, a hint behind it, and that code.
fn complains(output: &Output, code: i32, expected: &str) {
    let talk = String::from_utf8(output.stderr.clone()).unwrap();
    let errors: Vec<_> = talk.lines().filter(|line| line.starts_with("vial: error:")).collect();
    assert_eq!(output.status.code(), Some(code), "{talk}");
    assert_eq!(errors.len(), 1, "{talk}");
    assert!(errors[0].contains(expected), "expected {expected:?} in: {talk}");
    assert!(talk.lines().any(|line| line.starts_with("hint: ")), "{talk}");
    assert!(!talk.contains('\u{1b}'), "no colours where nobody looks: {talk:?}");
    assert!(!talk.contains("panicked"), "{talk}");
}

#[test]
fn files_that_are_no_models_are_refused_by_name() {
    let Some(desk) = Desk::new() else { return };
    desk.refused_build(&desk.path("nowhere.gguf"), "nowhere.gguf: cannot read");
    desk.refused_build(desk.folder.path(), "expected a GGUF file");
    desk.refused_build(&desk.file("text.gguf", b"hello, this is text"), "not a GGUF file");
    desk.refused_build(&desk.file("empty.gguf", b""), "empty.gguf");
    let whole = llama(1);
    desk.refused_build(&desk.file("cut.gguf", &whole[..whole.len() / 2]), "cut.gguf");
    desk.refused_build(
        &desk.file("no.gguf", &llama_without(1, "output_norm.weight").finish()),
        "output_norm.weight",
    );
    // The output matrix, blocks of 34 bytes, is the tiny model's last tensor.
    let mut bad = whole;
    let at = bad.len() - 34;
    bad[at..at + 2].copy_from_slice(&[0x00, 0x7e]);
    desk.refused_build(&desk.file("nan.gguf", &bad), "tensor \"output.weight\": block 287 (Q8_0)");
}

#[test]
fn hostile_headers_are_refused_by_the_field() {
    let Some(desk) = Desk::new() else { return };
    let whole = llama(1);
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = whole.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    for (name, at, value, expected) in [
        ("version", 4, 99_u64, "version"),
        ("tensors", 8, u64::MAX, "tensor"),
        ("metadata", 16, u64::MAX, "metadata"),
        ("key", 24, u64::MAX >> 1, "key"),
    ] {
        let bytes = value.to_le_bytes();
        let bytes = if at == 4 { &bytes[..4] } else { &bytes[..] };
        desk.refused_build(&desk.file(&format!("{name}.gguf"), &with(at, bytes)), expected);
    }
}

#[test]
fn an_unknown_architecture_and_quantisation_are_refused_with_what_is_known() {
    let Some(desk) = Desk::new() else { return };
    let other = GgufWriter::new().string("general.architecture", "mamba9").finish();
    desk.refused_build(&desk.file("mamba.gguf", &other), "mamba9");
    let strange =
        llama_without(1, "output.weight").tensor("output.weight", &[32, 288], 4, &[0; 5184]).finish();
    desk.refused_build(&desk.file("strange.gguf", &strange), "output.weight");
}

#[test]
fn a_model_whose_tree_and_tags_find_no_room_is_refused_before_anything_is_written() {
    let Some(desk) = Desk::new() else { return };
    let model = desk.file("large.gguf", &llama(1));
    // Zeros that take no place follow the tensors; nobody gets as far as to read them.
    let stretch = |gib: u64| {
        std::fs::OpenOptions::new().write(true).open(&model).unwrap().set_len(gib << 30).unwrap();
    };
    stretch(65);
    desk.refused_build(&model, "large.gguf: found 17068032 bytes of hash trees, tags");
    stretch(45);
    let key = desk.path("key");
    desk.vial.new_key(&key).unwrap();
    let (model, key, image) = (text(&model).unwrap(), text(&key).unwrap(), desk.path("out.img"));
    let build = ["build", model, "-o", text(&image).unwrap(), "--encrypt", key];
    complains(&desk.vial.run(&build).unwrap(), 2, "expected at most 16777216");
    assert_eq!(desk.names(), ["key", "large.gguf"], "nothing half-written");
}

#[test]
fn images_that_cannot_run_are_refused_by_name() {
    let Some(desk) = Desk::new() else { return };
    let image = desk.image();
    desk.refused_run(&desk.path("nowhere.img"), &[], 2, "nowhere.img");
    desk.refused_run(&desk.file("text.img", b"hello"), &[], 2, "text.img");
    desk.refused_run(&image, &["--memory", "1M"], 2, "--memory");
    desk.refused_run(&image, &["--cpus", "0"], 2, "--cpus");
    desk.refused_run(&image, &["--vmm", "qemu", "--cache"], 2, "--cache");
    for tee in ["simulated-snp", "sev-snp"] {
        desk.refused_run(&image, &["--vmm", "qemu", "--tee", tee], 2, "--tee");
    }
    let key = desk.file("key.pem", b"no key");
    desk.refused_run(&image, &["--tee", "sev-snp", "--id-key", text(&key).unwrap()], 2, "--id-key");
    if !Path::new("/dev/sev").exists() {
        desk.refused_run(&image, &["--tee", "sev-snp"], 2, "found");
    }
    let newer = desk.path("newer.img");
    std::fs::copy(&image, &newer).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&newer).unwrap();
    file.write_all_at(&99_u32.to_le_bytes(), FORMAT_VERSION_AT).unwrap();
    desk.refused_run(&newer, &[], 2, "version");
}

#[test]
fn a_model_too_large_for_the_memory_is_refused_with_the_arithmetic() {
    let (Some(desk), Some(model)) = (Desk::new(), std::env::var_os("VIAL_TEST_MODEL")) else { return };
    let image = desk.path("large.img");
    desk.vial.build(Path::new(&model), &image).unwrap();
    let run = ["run", text(&image).unwrap(), "--publish", "127.0.0.1:0", "--memory", "64M"];
    let output = desk.vial.run(&run).unwrap();
    complains(&output, 83, "not enough memory for the model");
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(talk.contains(" of weights + ") && talk.contains("--memory"), "{talk}");
}

#[test]
fn ports_that_are_taken_and_addresses_in_clear_or_of_others_are_refused() {
    let Some(desk) = Desk::new() else { return };
    let image = desk.image();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let image = text(&image).unwrap();
    let run = desk.vial.run(&["run", image, "--publish", &address]);
    complains(&run.unwrap(), 2, "--publish");
    for (url, listen, expected) in [
        ("https://127.0.0.1:1", address.as_str(), "--listen"),
        ("https://127.0.0.1:1", "0.0.0.0:0", "loopback"),
        ("https://127.0.0.1:1", "127.0.0.1:0", "127.0.0.1:1"),
        ("http://127.0.0.1:1", "127.0.0.1:0", "https://HOST:PORT"),
    ] {
        let connect = ["connect", url, "--listen", listen, "--image", image, "--allow-simulated"];
        complains(&desk.vial.run(&connect).unwrap(), 2, expected);
    }
}

/// A program as nobody, who may not open `/dev/kvm` or a file of ours; `None` where we cannot become nobody.
fn as_nobody(program: &Path, arguments: &[&str]) -> Option<Output> {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program).args(arguments);
    is_root.then(|| command.output().unwrap())
}

#[test]
fn a_device_and_a_file_that_may_not_be_opened_are_named_with_what_to_do() {
    let Some(desk) = Desk::new() else { return };
    let image = desk.image();
    std::fs::set_permissions(desk.folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let locked = desk.file("locked.gguf", &llama(1));
    std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o600)).unwrap();
    let run = ["run", text(&image).unwrap(), "--publish", "127.0.0.1:0"];
    let vial = std::env::var_os("VIAL_TEST_VIAL").unwrap();
    // Nobody must reach the program itself.
    let copy = desk.path("vial");
    std::fs::copy(vial, &copy).unwrap();
    let Some(output) = as_nobody(&copy, &run) else { return };
    complains(&output, 2, "/dev/kvm");
    assert!(String::from_utf8_lossy(&output.stderr).contains("group"), "says how to get in");
    let build = ["build", text(&locked).unwrap(), "-o", "/dev/null/x.img"];
    complains(&as_nobody(&copy, &build).unwrap(), 2, "locked.gguf: cannot read");
}
