//! Tables of figures, for the terminal and for `bench/`.

use crate::step::{output, workspace};
use anyhow::{Context as _, Result};
use std::process::Command;

/// The middle of some numbers; 0 for none.
pub(crate) fn median(numbers: &[f64]) -> f64 {
    let mut numbers = numbers.to_vec();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

/// Median with smallest and largest, in some unit.
pub(crate) fn spread(numbers: &[f64], unit: &str) -> String {
    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let most = numbers.iter().copied().fold(0.0, f64::max);
    format!("{:.1} {unit} ({least:.1} to {most:.1})", median(numbers))
}

/// Tables under one title.
pub(crate) struct Report {
    name: String,
    title: String,
    text: String,
    /// What was measured.
    commit: String,
}

impl Report {
    /// An empty one; `name` is that of its file in `bench/`.
    pub(crate) fn new(name: &str, title: &str, commit: &str) -> Self {
        let [name, title, commit] = [name, title, commit].map(str::to_owned);
        Self { name, title, text: String::new(), commit }
    }

    /// Adds a table: heading, columns, rows.
    pub(crate) fn table(&mut self, heading: &str, columns: &[&str], rows: &[Vec<String>]) {
        let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
        self.line(&format!("\n## {heading}\n"));
        self.line(&line(&columns));
        self.line(&format!("{}|", "|---".repeat(columns.len())));
        rows.iter().for_each(|row| self.line(&line(row)));
    }

    fn line(&mut self, line: &str) {
        println!("{line}");
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Writes `bench/NAME.md` and says where it is.
    pub(crate) fn finish(self, command: &str) -> Result<()> {
        let path = workspace()?.join("bench").join(format!("{}.md", self.name));
        let head = format!("# {}\n\n`{command}`, {}, commit {}.\n", self.title, machine(), self.commit);
        std::fs::write(&path, format!("{head}{}", self.text)).context("write the table")?;
        println!("written to bench/{}.md", self.name);
        Ok(())
    }
}

/// A row of a table.
pub(super) fn line(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// Processor and cores.
pub(super) fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(1, core::num::NonZero::get);
    format!("{cores} cores of {}", name.map_or("an unknown processor", |(_, name)| name))
}

/// What is checked out.
pub(super) fn commit() -> String {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty"]);
    output(&mut git).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert_eq!(spread(&[3.0, 1.0, 2.0], "ms"), "2.0 ms (1.0 to 3.0)");
    }
}
