//! Why a grammar is refused.

use alloc::string::String;

/// Why a text, a schema or a list of tools is no grammar that this crate follows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrammarError {
    /// GBNF that does not read.
    #[error("line {line}, column {column}: expected {expected}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What could have stood there.
        expected: &'static str,
    },
    /// A rule that is used and nowhere written.
    #[error("line {line}, column {column}: rule {name} is not defined")]
    UnknownRule {
        /// Its name.
        name: String,
        /// Line of its first use, from 1.
        line: usize,
        /// Column of its first use, from 1.
        column: usize,
    },
    /// A rule that is written twice.
    #[error("line {line}: rule {name} is defined twice")]
    TwiceDefined {
        /// Its name.
        name: String,
        /// Line of the second, from 1.
        line: usize,
    },
    /// No rule to start with.
    #[error("found no rule named root, expected one")]
    NoRoot,
    /// A rule that starts with itself.
    #[error("rule {name} starts with itself: left recursion is not supported")]
    LeftRecursion {
        /// Its name.
        name: String,
    },
    /// A rule that no finite text follows.
    #[error("rule {name} never ends: no text follows it")]
    Endless {
        /// Its name.
        name: String,
    },
    /// More than is taken on.
    #[error("{what}: expected at most {most}")]
    TooLarge {
        /// Of what there is too much.
        what: &'static str,
        /// How much there may be.
        most: usize,
    },
    /// Text that is no JSON. Holds none of it.
    #[error("expected JSON with each name once: line {line} column {column}")]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1; 0 at the start of a line.
        column: usize,
    },
    /// A schema that is not supported or not one.
    #[error("schema at {path}: {problem}")]
    Schema {
        /// JSON pointer of the place, as a fragment: `#/properties/a`.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A tool, or the choice among them.
    #[error("tools: {problem}")]
    Tools {
        /// What is wrong with it.
        problem: String,
    },
}
