//! Third-party crates: each has one line in `deny.toml` that says why it is there.

use crate::source::Source;
use crate::{Finding, finding};

/// Crates of the workspace's manifest without a reason, and reasons without a crate.
#[must_use]
pub fn findings(manifest: &Source, deny: &Source) -> Vec<Finding> {
    let (used, reasons) = (used(&manifest.text), reasons(&deny.text));
    let silent = used.iter().filter(|name| !reasons.contains(name));
    let stale = reasons.iter().filter(|name| !used.contains(name));
    let silent = silent.map(|name| finding("deny.toml", format!("found no reason for {name}, expected one")));
    silent
        .chain(
            stale.map(|name| finding("deny.toml", format!("found a reason for {name}, which is not used"))),
        )
        .collect()
}

/// Names below `[workspace.dependencies]` that are no folders of ours.
fn used(manifest: &str) -> Vec<&str> {
    let dependencies = manifest.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1);
    let own = dependencies.take_while(|line| !line.starts_with('['));
    let names = own.filter(|line| !line.contains("path = ")).filter_map(|line| line.split_once(" = "));
    names.map(|(name, _)| name).collect()
}

/// Names before a colon in comments.
fn reasons(deny: &str) -> Vec<&str> {
    let comments = deny.lines().filter_map(|line| line.strip_prefix("# "));
    let pairs = comments.filter_map(|comment| comment.split_once(": "));
    pairs.map(|(name, _)| name).filter(|name| !name.contains([' ', '`'])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_without_a_reason_and_a_reason_without_a_crate_are_found() {
        let source = |text: &str| Source { path: String::new(), text: text.to_owned() };
        let manifest = source(
            "[workspace.dependencies]\na = { path = \"a\" }\nserde = \"1\"\nnew = \"1\"\n[profile.dev]\n",
        );
        let deny = source("# `x`: y\n# serde: JSON\n# old: gone\n");
        let texts: Vec<_> = findings(&manifest, &deny).into_iter().map(|finding| finding.text).collect();
        assert_eq!(texts.len(), 2);
        assert!(texts[0].contains("new") && texts[1].contains("old"), "{texts:?}");
    }
}
