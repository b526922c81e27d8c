//! The one screen of `vial verify`.

use vial_abi::report::Purpose;
use vial_attest::{Check, Verdict};

use crate::terminal::Style;
use crate::verify::Output;

/// Columns of a value.
const VALUE: usize = 34;

/// What an accepted verdict does not prove.
pub(crate) fn not_proven(verdict: &Verdict) -> Vec<&'static str> {
    let mut all = Vec::new();
    if verdict.simulated {
        all.push("anything about hardware: the root is SIMULATED, and everybody has its key");
    }
    all.push("that the channel you talk over ends in this appliance: it is not encrypted yet");
    all.push("that answers are right, or that the model is a good one");
    all.push("that the host keeps the appliance running or passes every message on");
    all
}

/// The lines of the screen.
pub(crate) fn lines(output: &Output<'_>) -> Vec<String> {
    let verdict = output.verdict;
    let mut lines = vec![headline(output), String::new()];
    lines.extend(verdict.checks.iter().map(check));
    if let Some(refused) = verdict.checks.iter().find(|check| !check.has_passed()) {
        lines.push(String::new());
        lines.push(format!("{} {}", Style::Bad.paint("refused:"), refused.name));
        lines.push(format!("  found     {}", refused.found));
        lines.push(format!("  expected  {}  ({})", refused.expected, refused.source));
        lines.extend(unhealthy(refused).map(str::to_owned));
        return lines;
    }
    lines.push(format!("  {:<19} {}  (bound by the report)", "channel key", cut(&verdict.channel_key)));
    lines.push(String::new());
    lines.push("This does not prove".to_owned());
    lines.extend(output.not_proven.iter().map(|line| format!("  - {line}")));
    lines
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
    let draft = output.draft_model.map(|draft| format!(", drafted by {draft}")).unwrap_or_default();
    format!("{word}  {}  {}{draft}", output.url, output.model)
}

fn check(check: &Check) -> String {
    let mark = if check.has_passed() { Style::Good.paint("ok") } else { Style::Bad.paint("NO") };
    format!("{mark} {:<19} {:<VALUE$}  from {}", check.name, cut(&check.found), check.source)
}

/// A long value's start and end.
fn cut(value: &str) -> String {
    if value.len() <= VALUE || !value.is_ascii() {
        return value.to_owned();
    }
    format!("{}..{}", value.get(..20).unwrap_or_default(), value.get(value.len() - 12..).unwrap_or_default())
}
