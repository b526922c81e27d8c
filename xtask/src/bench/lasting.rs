//! A table whose rows stay until they are measured again: a whole one takes hours.

use super::table::{line, machine};
use crate::step::workspace;
use anyhow::{Context as _, Result};
use std::path::PathBuf;

/// What a table is.
pub(crate) struct About<'a> {
    /// Of its file in `bench/`.
    pub(crate) name: &'a str,
    pub(crate) title: &'a str,
    /// What makes it.
    pub(crate) command: &'a str,
    pub(crate) heading: &'a str,
    pub(crate) columns: &'a [&'a str],
    /// Cells that say what was measured.
    pub(crate) keys: usize,
    /// How often.
    pub(crate) runs: usize,
    /// Of what.
    pub(crate) commit: &'a str,
}

/// A table in a file of its own; each row says from how many runs it is, and of which commit.
pub(crate) struct Lasting {
    path: PathBuf,
    /// Everything before the rows: those of a file that begins otherwise are not comparable.
    head: String,
    keys: usize,
    /// The last cells of a row that is put.
    made: [String; 2],
    rows: Vec<Vec<String>>,
}

impl Lasting {
    /// `bench/NAME.md` with the rows that it has, if it was made in the same way on the same machine.
    pub(crate) fn open(about: &About<'_>) -> Result<Self> {
        let path = workspace()?.join("bench").join(format!("{}.md", about.name));
        let (head, made) = (head(about), [about.runs.to_string(), about.commit.to_owned()]);
        println!("{head}");
        let rows = std::fs::read_to_string(&path).map_or_else(|_| Vec::new(), |text| rows(&text, &head));
        Ok(Self { path, head, keys: about.keys, made, rows })
    }

    /// Puts a row in the place of the one that has the same keys, or at the end, and writes the file: a run that is cut off
    /// later keeps its rows.
    pub(crate) fn put(&mut self, mut cells: Vec<String>) -> Result<()> {
        cells.extend_from_slice(&self.made);
        println!("{}", line(&cells));
        replace(&mut self.rows, self.keys, cells);
        let rows: Vec<String> = self.rows.iter().map(|row| line(row)).collect();
        std::fs::write(&self.path, format!("{}\n{}\n", self.head, rows.join("\n"))).context("write the table")
    }

    /// Says where the table is.
    pub(crate) fn finish(&self) {
        println!("written to {}", self.path.display());
    }
}

fn head(About { title, command, heading, columns, .. }: &About<'_>) -> String {
    let columns: Vec<String> = columns.iter().chain(&["runs", "commit"]).map(ToString::to_string).collect();
    let dashes = "|---".repeat(columns.len());
    format!("# {title}\n\n`{command}`, {}.\n\n## {heading}\n\n{}\n{dashes}|", machine(), line(&columns))
}

/// The rows of a file that begins with `head`.
fn rows(text: &str, head: &str) -> Vec<Vec<String>> {
    let rows = text.strip_prefix(head).unwrap_or_default().lines();
    rows.filter_map(|row| row.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|row| row.split(" | ").map(str::to_owned).collect())
        .collect()
}

fn replace(rows: &mut Vec<Vec<String>>, keys: usize, cells: Vec<String>) {
    match rows.iter_mut().find(|row| row.len() == cells.len() && row[..keys] == cells[..keys]) {
        Some(row) => *row = cells,
        None => rows.push(cells),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(row: &[&str]) -> Vec<String> {
        row.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rows_are_read_as_they_were_written() {
        let columns = &["model", "threads", "speed"];
        let [name, title, command, heading, commit] = ["n", "t", "c", "h", "abc"];
        let head = head(&About { name, title, command, heading, columns, keys: 2, runs: 3, commit });
        let row = cells(&["Q4_0", "1", "3.0", "3", "abc"]);
        let text = format!("{head}\n{}\n", line(&row));
        assert_eq!(rows(&text, &head), [row]);
        assert!(rows(&text, &head.replace("speed", "bytes")).is_empty());
    }

    #[test]
    fn a_row_takes_the_place_of_its_like() {
        let mut rows = vec![cells(&["Q4_0", "1", "3.0"]), cells(&["Q4_0", "2", "5.0"])];
        replace(&mut rows, 2, cells(&["Q4_0", "2", "6.0"]));
        replace(&mut rows, 2, cells(&["Q8_0", "1", "2.0"]));
        let expected = [["Q4_0", "1", "3.0"], ["Q4_0", "2", "6.0"], ["Q8_0", "1", "2.0"]];
        assert_eq!(rows, expected.map(|row| cells(&row)));
    }
}
