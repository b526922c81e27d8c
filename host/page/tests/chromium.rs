//! The page in a real browser, without a network: what it says of genuine evidence, and that nothing else gets a word in.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test, which says what it skips")]

#[path = "common/chromium.rs"]
mod chromium;
#[path = "common/recordings.rs"]
mod recordings;

use chromium::{Chromium, element, text, with_script};
use recordings::{OPEN, milan, tdx};
use tempfile::TempDir;
use vial_attest::{Question, Shown};

/// A browser, the folder of a page, and what opens it.
struct Desk {
    chromium: Chromium,
    folder: TempDir,
}

impl Desk {
    /// None where there is no browser, or no verifier to put into pages.
    fn new() -> Option<Self> {
        if vial_page::page(&Question::default()).is_err() {
            println!("skipped: built without the verifier for pages (`cargo xtask guest` builds it)");
            return None;
        }
        Some(Self { chromium: Chromium::installed()?, folder: tempfile::tempdir().unwrap() })
    }

    fn open(&self, page: &str) -> String {
        let path = self.folder.path().join("page.html");
        std::fs::write(&path, page).unwrap();
        self.chromium.dump(&path)
    }

    fn ask(&self, question: &Question) -> String {
        self.open(&vial_page::page(question).unwrap())
    }
}

/// The verdict's JSON that a page shows.
fn json(dom: &str) -> String {
    text(element(dom, "json"))
}

/// What this very verifier says outside a browser, as `vial verify --json` prints it.
fn native(question: &Question) -> String {
    serde_json::to_string(&question.answer(0).unwrap()).unwrap()
}

#[test]
fn a_page_accepts_genuine_evidence_and_says_what_the_command_says() {
    let Some(desk) = Desk::new() else { return };
    for question in [vec![milan(OPEN)], tdx(OPEN).to_vec()].concat() {
        let dom = desk.ask(&question);
        assert_eq!(text(element(&dom, "headline")), "ACCEPTED", "{}", question.subject);
        assert_eq!(json(&dom), native(&question));
        let facts = text(element(&dom, "facts"));
        assert!(facts.contains("assurance hardware") && facts.contains("profile development"), "{facts}");
        assert!(text(element(&dom, "limits-list")).contains("that nobody opened the processor"));
        assert!(text(element(&dom, "open-list")).contains("freshness"));
    }
}

#[test]
fn a_page_refuses_with_found_expected_source_and_what_the_field_is_for() {
    let Some(desk) = Desk::new() else { return };
    let question = milan(&format!("{OPEN}snp.tcb.milan.microcode = 255\n"));
    let dom = desk.ask(&question);
    assert_eq!(text(element(&dom, "headline")), "REFUSED");
    assert_eq!(text(element(&dom, "refusal-title")), "Refused: snp.tcb.milan.microcode");
    let expected =
        "found115expectedat least 255fromthe policy's filewhich isleast version of the cores' microcode";
    assert_eq!(text(element(&dom, "refusal-parts")), expected);
    assert_eq!(json(&dom), native(&question));
}

#[test]
fn a_page_with_a_byte_of_evidence_changed_is_refused() {
    let Some(desk) = Desk::new() else { return };
    let page = vial_page::page(&milan(OPEN)).unwrap();
    // Inside MEASUREMENT.
    let at = page.find("\"bytes\":\"").unwrap() + 9 + 2 * 0x90;
    let other = if page[at..].starts_with('0') { "1" } else { "0" };
    let dom = desk.open(&format!("{}{other}{}", &page[..at], &page[at + 1..]));
    assert_eq!(text(element(&dom, "headline")), "REFUSED");
    assert_eq!(text(element(&dom, "refusal-title")), "Refused: report signature");
}

#[test]
fn as_of_another_time_a_page_is_refused() {
    let Some(desk) = Desk::new() else { return };
    let dom = desk.ask(&Question { at: Some(0), ..milan(OPEN) });
    assert_eq!(text(element(&dom, "refusal-title")), "Refused: certificate validity");
}

/// Markup that would change the title, were it any.
const MARKUP: &str =
    "</script><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";

#[test]
fn what_evidence_says_is_text_and_never_markup() {
    let Some(desk) = Desk::new() else { return };
    let evidence = serde_json::json!({
        "format": "vial-evidence-1", "tee": format!("{MARKUP}\u{202e}"), "report": "", "certificates": "", "event_log": "",
        "manifest": "", "purpose": 2, "nonce": "0".repeat(128), "channel_key": "0".repeat(64),
    });
    let shown = Some(Shown::Appliance { evidence: evidence.to_string(), nonce: None, key: None });
    let policy =
        Some(format!("{OPEN}appliance = \"any\"\n").replace("appliance.measurement = \"any\"\n", ""));
    let dom = desk.ask(&Question { subject: MARKUP.to_owned(), shown, policy, ..Question::default() });
    assert_eq!(text(element(&dom, "headline")), "REFUSED");
    assert_eq!(text(element(&dom, "subject")), MARKUP);
    let found = text(element(&dom, "refusal-parts"));
    assert!(found.contains(&format!("found{MARKUP}\\u{{202e}}expected")), "{found}");
    assert!(!dom.contains("<img") && !dom.contains("<title>owned"));
}

#[test]
fn a_question_that_is_none_judges_nothing() {
    let Some(desk) = Desk::new() else { return };
    let empty = desk.ask(&Question::default());
    assert_eq!(text(element(&empty, "headline")), "Nothing to judge yet");
    let page = vial_page::page(&milan(OPEN)).unwrap();
    for (change, to) in [("vial-question-1", "vial-question-2"), ("\"policy\":", "\"police\":")] {
        let dom = desk.open(&page.replacen(change, to, 1));
        assert_eq!(text(element(&dom, "headline")), "Could not judge", "{change}");
        assert_eq!(json(&dom), "");
    }
}

#[test]
fn files_that_are_dropped_on_an_empty_page_are_judged() {
    let Some(desk) = Desk::new() else { return };
    let question = milan(OPEN);
    let Some(Shown::Report(report)) = &question.shown else { return };
    let files = serde_json::json!([
        ["policy.toml", OPEN.as_bytes()],
        ["vcek.der", report.certificates[0].0],
        ["report.bin", report.bytes.0],
    ]);
    let script = format!(
        "const box = new DataTransfer();
         for (const [name, bytes] of {files}) box.items.add(new File([new Uint8Array(bytes)], name));
         at('at').value = '2023-06-01T00:00:00Z';
         dispatchEvent(new DragEvent('drop', {{ dataTransfer: box }}));"
    );
    let page = desk.folder.path().join("page.html");
    std::fs::write(&page, with_script(&vial_page::page(&Question::default()).unwrap(), &script)).unwrap();
    let dom = desk.chromium.dump_later(&page);
    assert_eq!(text(element(&dom, "headline")), "ACCEPTED", "{}", text(element(&dom, "subject")));
    let taken = text(element(&dom, "taken"));
    assert_eq!(
        taken,
        "policy.toml: a policyvcek.der: certificates of the reportreport.bin: a report of SEV-SNP"
    );
}

#[test]
fn a_script_that_the_page_does_not_name_never_runs() {
    let Some(desk) = Desk::new() else { return };
    let script = "<script>document.title = 'owned'</script></body>";
    let dom = desk.open(&vial_page::page(&milan(OPEN)).unwrap().replacen("</body>", script, 1));
    assert!(dom.contains("<title>ACCEPTED: milan</title>"));
}
