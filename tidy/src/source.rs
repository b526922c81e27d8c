//! The tree's text files.

use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use std::process::Command;

/// A text file that git knows or would add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Path below the workspace.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Whether it is Rust.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extension == "rs")
    }

    /// Its lines before the unit tests, which house-style keeps at the end.
    pub fn lines_without_tests(&self) -> impl Iterator<Item = &str> {
        self.text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"))
    }
}

/// Every text file of the tree at `root`, by git's listing; binary files are left out.
///
/// # Errors
/// Git does not run, or a file it lists cannot be read.
pub fn read(root: &Path) -> Result<Vec<Source>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]).current_dir(root);
    let output = git.output().context("run git ls-files")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let listing = String::from_utf8(output.stdout).context("git ls-files: expected UTF-8")?;
    let paths = listing.split_terminator('\0').filter(|path| root.join(path).is_file());
    let texts = paths.map(|path| {
        let bytes = std::fs::read(root.join(path)).with_context(|| format!("read {path}"))?;
        Ok(String::from_utf8(bytes).ok().map(|text| Source { path: path.to_owned(), text }))
    });
    texts.filter_map(Result::transpose).collect()
}
