//! The page that `vial verify --html` writes: it says what the command says.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test, which says what it skips")]

#[path = "../../../host/page/tests/common/chromium.rs"]
mod chromium;
#[path = "../../../host/page/tests/common/recordings.rs"]
mod recordings;

use chromium::{Chromium, element, text};
use recordings::{OPEN, milan, tdx};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use vial_attest::{Question, Shown};
use vial_runner::{Vial, text as path_text};

struct Desk {
    vial: Vial,
    folder: TempDir,
}

impl Desk {
    fn new() -> Option<Self> {
        Some(Self { vial: Vial::from_env()?, folder: tempfile::tempdir().unwrap() })
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path_text(&path).unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The flags that ask a question.
    fn flags(&self, question: &Question, at: &str) -> Vec<String> {
        let Some(Shown::Report(report)) = &question.shown else { return Vec::new() };
        let policy = question.policy.clone().unwrap_or_default();
        let mut flags = vec!["--report".to_owned(), self.file("report", &report.bytes.0)];
        flags.extend(["--policy".to_owned(), self.file("policy.toml", policy.as_bytes())]);
        flags.extend(["--at".to_owned(), at.to_owned()]);
        for certificate in &report.certificates {
            flags.extend(["--certificate".to_owned(), self.file("certificate.der", &certificate.0)]);
        }
        if let Some(collateral) = &question.collateral {
            flags.extend(["--collateral".to_owned(), self.file("collateral.json", collateral.as_bytes())]);
        }
        flags
    }

    /// Exit code and standard output of `vial verify --json --html`.
    fn verify(&self, flags: &[String], page: &Path) -> (Option<i32>, String) {
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        let all = [&["verify", "--json", "--html", path_text(page).unwrap()], flags.as_slice()].concat();
        let output = self.vial.run(&all).unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }
}

#[test]
fn the_page_that_verify_writes_says_what_verify_says() {
    let (Some(desk), Some(chromium)) = (Desk::new(), Chromium::installed()) else { return };
    let [tdx, _] = tdx(OPEN);
    let refused = milan(&format!("{OPEN}snp.vmpl = 3\n"));
    for (question, at, code, headline) in [
        (milan(OPEN), "2023-06-01T00:00:00Z", 0, "ACCEPTED"),
        (refused, "2023-06-01T00:00:00Z", 1, "REFUSED"),
        (tdx, "2025-06-20T00:00:00Z", 0, "ACCEPTED"),
    ] {
        let page = desk.path("page.html");
        let (found, said) = desk.verify(&desk.flags(&question, at), &page);
        assert_eq!(found, Some(code), "{said}");
        let dom = chromium.dump(&page);
        assert_eq!(text(element(&dom, "headline")), headline);
        assert_eq!(text(element(&dom, "json")), said.trim_end());
    }
}

#[test]
fn a_page_that_cannot_be_written_is_one_line_and_leaves_nothing() {
    let Some(desk) = Desk::new() else { return };
    let flags = desk.flags(&milan(OPEN), "2023-06-01T00:00:00Z");
    let nowhere = desk.path("nowhere/page.html");
    assert_eq!(desk.verify(&flags, &nowhere), (Some(2), String::new()));
    let taken = desk.path("taken");
    std::fs::create_dir(&taken).unwrap();
    assert_eq!(desk.verify(&flags, &taken), (Some(2), String::new()));
    let left: Vec<_> =
        std::fs::read_dir(desk.folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");
}

#[test]
fn pages_that_hold_nothing_have_the_same_bytes() {
    let Some(desk) = Desk::new() else { return };
    let pages = ["one.html", "two.html"].map(|name| {
        let path = desk.path(name);
        let output = desk.vial.run(&["page", path_text(&path).unwrap()]).unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read(path).unwrap()
    });
    assert!(pages[0] == pages[1] && pages[0].len() > 1 << 20);
}
