//! Talking to people: colours and progress on a terminal, plain lines elsewhere.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the one place that prints")]

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal as _, Write as _};

/// How a word looks on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Good,
    Bad,
    Dim,
}

impl Style {
    /// `text` in this style, or as it is where standard error or output is no terminal, or `NO_COLOR` is set.
    pub(crate) fn paint(self, text: &str) -> String {
        let code = match self {
            Self::Good => "32",
            Self::Bad => "31;1",
            Self::Dim => "2",
        };
        if has_colours() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn has_colours() -> bool {
    let is_terminal = std::io::stderr().is_terminal() && std::io::stdout().is_terminal();
    is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A line for people, on standard error.
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// A line of data, on standard output. A reader that is gone misses it.
pub(crate) fn print(line: &str) {
    let _gone = written(line);
}

fn written(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}

/// Lines of data in the place of the last `before`, or below them where standard output is no terminal; gives how many, or `None`
/// where the reader is gone.
pub(crate) fn redraw(lines: &[String], before: usize) -> Option<usize> {
    let is_drawn = std::io::stdout().is_terminal() && before > 0;
    let back = if is_drawn { format!("\x1b[{before}A\x1b[J") } else { String::new() };
    written(&format!("{back}{}", lines.join("\n"))).ok().map(|()| lines.len())
}

/// Asks for a line, on standard error.
pub(crate) fn ask(text: &str) {
    eprint!("{text}");
}

/// A piece of data that is shown at once.
pub(crate) fn piece(text: &str) {
    print!("{text}");
    // A reader that is gone is found by the next line.
    let _gone = std::io::stdout().flush();
}

/// A bar over `bytes` with rate and time left; hidden where standard error is no terminal.
pub(crate) fn bar(name: &str, bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    let template = "{msg:10} {bar:32} {bytes:>11} of {total_bytes}  {binary_bytes_per_sec}  {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(name.to_owned());
    bar
}

/// A value as one line of JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    // Our own structs have string keys and finite numbers; nothing else fails.
    serde_json::to_string(value).unwrap_or_default()
}
