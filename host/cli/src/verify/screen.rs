//! The one screen of `vial verify`.

use vial_attest::{Answer, Assurance, Check, Verdict};

use crate::terminal::Style;

/// Columns of a name.
const NAME: usize = 27;
/// Columns of a value.
const VALUE: usize = 34;

/// The lines of the screen.
pub(super) fn lines(output: &Answer) -> Vec<String> {
    let verdict = &output.verdict;
    let mut lines = vec![headline(output), String::new()];
    lines.extend(verdict.checks.iter().filter(|check| !check.is_open()).map(check));
    lines.extend(left_open(verdict));
    if let Some(refused) = verdict.checks.iter().find(|check| !check.has_passed()) {
        lines.push(String::new());
        lines.push(format!("{} {}", Style::Bad.paint("refused:"), refused.name));
        lines.push(format!("  found     {}", refused.found));
        lines.push(format!("  expected  {}  ({})", refused.expected, refused.source));
        lines.extend(refused.says().map(|says| format!("  which is   {says}")));
        lines.extend(refused.remark().map(|remark| format!("  {remark}")));
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

/// Names of what the policy leaves open, in few lines.
fn left_open(verdict: &Verdict) -> Vec<String> {
    let open: Vec<_> =
        verdict.checks.iter().filter(|check| check.is_open()).map(|check| check.name).collect();
    let lines = open.chunks(4).map(|names| names.join(", "));
    let head = |at: usize| if at == 0 { "left open" } else { "" };
    lines
        .enumerate()
        .map(|(at, names)| format!("   {:<NAME$} {}", head(at), Style::Dim.paint(&names)))
        .collect()
}

fn headline(output: &Answer) -> String {
    let simulated = if output.verdict.simulated { " under the SIMULATED root" } else { "" };
    let word = if output.verdict.accepted {
        Style::Good.paint(&format!("ACCEPTED{simulated}"))
    } else {
        Style::Bad.paint(&format!("REFUSED{simulated}"))
    };
    let model = output.model.as_ref().map(|model| format!("  {model}")).unwrap_or_default();
    let draft = output.draft_model.as_ref().map(|draft| format!(", drafted by {draft}")).unwrap_or_default();
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
