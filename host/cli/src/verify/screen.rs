//! The one screen of `vial verify`.

use vial_abi::report::Purpose;
use vial_attest::policy::Field;
use vial_attest::{Assurance, Check, Verdict};

use super::Output;
use crate::terminal::Style;

/// Columns of a name.
const NAME: usize = 27;
/// How open fields are written.
const ANY: &str = "any";
/// Columns of a value.
const VALUE: usize = 34;

/// What an accepted verdict does not prove.
pub(super) fn not_proven(verdict: &Verdict) -> Vec<&'static str> {
    let mut all = verdict.assurance.map(rests_on).unwrap_or_default().to_vec();
    let appliance = [
        "that any other connection ends in this appliance: pin its key, or use `vial connect`",
        "that answers are right, or that the model is a good one",
        "that the host keeps the appliance running or passes every message on",
    ];
    let report = [
        "what runs in the machine beyond its launch measurement",
        "who holds the other end of your connection",
    ];
    all.extend(if verdict.channel_key.is_empty() { report.as_slice() } else { appliance.as_slice() });
    all
}

/// What a level leaves to trust.
fn rests_on(level: Assurance) -> &'static [&'static str] {
    match level {
        Assurance::Simulated => {
            &["anything about hardware: the root is SIMULATED, and everybody has its key"]
        }
        Assurance::MeasuredBoot => &["that memory is hidden from the host"],
        Assurance::CloudVouched => &["that memory is encrypted, but by the cloud's word"],
        Assurance::Paravisor => {
            &["that the code above the guest, which sees all of it, is what its owner says"]
        }
        Assurance::Hardware => &["that nobody opened the processor or its memory bus"],
    }
}

/// The lines of the screen.
pub(super) fn lines(output: &Output<'_>) -> Vec<String> {
    let verdict = output.verdict;
    let mut lines = vec![headline(output), String::new()];
    lines.extend(verdict.checks.iter().filter(|check| !is_open(check)).map(check));
    lines.extend(left_open(verdict));
    if let Some(refused) = verdict.checks.iter().find(|check| !check.has_passed()) {
        lines.push(String::new());
        lines.push(format!("{} {}", Style::Bad.paint("refused:"), refused.name));
        lines.push(format!("  found     {}", refused.found));
        lines.push(format!("  expected  {}  ({})", refused.expected, refused.source));
        lines.extend(explained(refused));
        lines.extend(unhealthy(refused).map(str::to_owned));
        return lines;
    }
    if !verdict.channel_key.is_empty() {
        lines.push(format!(
            "   {:<NAME$} {}  (bound by the report)",
            "channel key",
            cut(&verdict.channel_key)
        ));
        lines.push(format!("   {:<NAME$} {}  (for curl -k --pinnedpubkey)", "pin", verdict.channel_pin));
    }
    lines.push(String::new());
    lines.push("This does not prove".to_owned());
    lines.extend(output.not_proven.iter().map(|line| format!("  - {line}")));
    lines
}

/// Whether the policy lets it be whatever it is.
fn is_open(check: &Check) -> bool {
    check.expected == ANY && check.has_passed()
}

/// Names of what the policy leaves open, in few lines.
fn left_open(verdict: &Verdict) -> Vec<String> {
    let open: Vec<_> = verdict.checks.iter().filter(|check| is_open(check)).map(|check| check.name).collect();
    let lines = open.chunks(4).map(|names| names.join(", "));
    let head = |at: usize| if at == 0 { "left open" } else { "" };
    lines
        .enumerate()
        .map(|(at, names)| format!("   {:<NAME$} {}", head(at), Style::Dim.paint(&names)))
        .collect()
}

fn explained(refused: &Check) -> Option<String> {
    Field::of(refused.name).map(|field| format!("  which is   {}", field.says))
}

/// What an appliance means that reports so.
fn unhealthy(refused: &Check) -> Option<&'static str> {
    let text = "  The appliance answers no more: weights that it read differed from what was sealed, or could not be read.";
    (refused.name == "purpose" && refused.found == format!("{:?}", Purpose::Unhealthy)).then_some(text)
}

fn headline(output: &Output<'_>) -> String {
    let simulated = if output.verdict.simulated { " under the SIMULATED root" } else { "" };
    let word = if output.verdict.accepted {
        Style::Good.paint(&format!("ACCEPTED{simulated}"))
    } else {
        Style::Bad.paint(&format!("REFUSED{simulated}"))
    };
    let model = output.model.map(|model| format!("  {model}")).unwrap_or_default();
    let draft = output.draft_model.map(|draft| format!(", drafted by {draft}")).unwrap_or_default();
    let level = output.verdict.assurance.map_or("not authentic", Assurance::name);
    format!(
        "{word}  {}{model}{draft}  (assurance: {level}, profile: {})",
        output.subject, output.verdict.profile
    )
}

fn check(check: &Check) -> String {
    let mark = if check.has_passed() { Style::Good.paint("ok") } else { Style::Bad.paint("NO") };
    format!("{mark} {:<NAME$} {:<VALUE$}  from {}", check.name, cut(&check.found), check.source)
}

/// A long value's start and end.
fn cut(value: &str) -> String {
    if value.len() <= VALUE || !value.is_ascii() {
        return value.to_owned();
    }
    format!("{}..{}", value.get(..20).unwrap_or_default(), value.get(value.len() - 12..).unwrap_or_default())
}
