//! How long a verdict takes in a page, in Chromium: milliseconds as JSON. Evidence is what crates `sev` and `dcap-qvl` ship.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that is not used otherwise")]

#[path = "../tests/common/chromium.rs"]
mod chromium;
#[path = "../tests/common/recordings.rs"]
mod recordings;

use chromium::{Chromium, element, text, with_script};
use recordings::{OPEN, milan, tdx};
use serde_json::{Value, json};
use vial_attest::Question;

/// Verdicts after the page's own; the middle one counts. The page's own is the first, with code that is not optimised yet.
const SCRIPT: &str = "
const question = JSON.parse(at('question').textContent);
const times = Array.from({ length: 51 }, () => {
  const begun = performance.now();
  if (!judge({ question, dropped: [], at: '', clock: 0 }).answer.accepted) throw new Error('refused');
  return performance.now() - begun;
}).sort((one, other) => one - other);
const first = Number(at('when').textContent.match(/in (\\d+) ms/)[1]);
at('json').textContent = JSON.stringify({ first, median: times[25] });
";

fn measure(chromium: &Chromium, question: &Question) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    let page = vial_page::page(question).unwrap();
    std::fs::write(&path, with_script(&page, SCRIPT)).unwrap();
    let mut figures: Value = serde_json::from_str(&text(element(&chromium.dump(&path), "json"))).unwrap();
    figures["page_bytes"] = page.len().into();
    figures
}

fn main() {
    let chromium = Chromium::installed().unwrap();
    let [tdx4, tdx5] = tdx(OPEN);
    let [snp, tdx4, tdx5] = [milan(OPEN), tdx4, tdx5].map(|question| measure(&chromium, &question));
    println!("{}", json!({ "snp": snp, "tdx4": tdx4, "tdx5": tdx5 }));
}
