//! `SPECIFICATION.md`: each promise names tests that exist, or says that it is not yet tested.

use crate::source::Source;
use crate::{Finding, finding};

const UNTESTED: &str = "not yet tested";

/// Promises without a test, and tests that are named there and nowhere else.
///
/// A promise is a line that starts with `- `. Its tests stand behind the last `Test:` as names in backticks: a
/// Rust test function, or a file of the tree.
#[must_use]
pub fn findings(specification: &Source, tree: &[Source]) -> Vec<Finding> {
    let promises = specification.text.lines().filter(|line| line.starts_with("- "));
    promises.flat_map(|promise| of_promise(promise, tree)).collect()
}

fn of_promise(promise: &str, tree: &[Source]) -> Vec<Finding> {
    let Some((words, tests)) = promise.rsplit_once("Test:") else {
        return vec![finding("SPECIFICATION.md", format!("found no `Test:` in {promise:?}, expected one"))];
    };
    let names: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
    if names.is_empty() && !tests.contains(UNTESTED) {
        return vec![finding(
            "SPECIFICATION.md",
            format!("found no test for {words:?}, expected one or {UNTESTED:?}"),
        )];
    }
    let missing = names.into_iter().filter(|name| !exists(name, tree));
    missing
        .map(|name| finding("SPECIFICATION.md", format!("found no test {name}, expected it in the tree")))
        .collect()
}

fn exists(name: &str, tree: &[Source]) -> bool {
    let function = format!("fn {name}(");
    let quoted = format!("\"{name}\"");
    tree.iter().any(|source| {
        source.path == name
            || source.is_rust() && (source.text.contains(&function) || source.text.contains(&quoted))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(promise: &str) -> usize {
        let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
        let tree = [source("a/b.rs", "fn a_flipped_byte_is_refused() {}"), source("tests/c.py", "")];
        findings(&source("SPECIFICATION.md", promise), &tree).len()
    }

    #[test]
    fn a_promise_names_a_test_that_exists() {
        assert_eq!(count("- It holds. Test: `a_flipped_byte_is_refused`, `tests/c.py`."), 0);
        assert_eq!(count("- It holds. Test: `nobody_wrote_this`."), 1);
    }

    #[test]
    fn a_promise_without_a_test_says_so() {
        assert_eq!(count("- It holds. Test: not yet tested."), 0);
        assert_eq!(count("- It holds. Test: some day."), 1);
        assert_eq!(count("- It holds."), 1);
    }
}
