//! Why a file has no tokenizer.

use alloc::string::String;

/// Why a file has no tokenizer this engine runs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// A key is missing or of another type.
    #[error("metadata {key:?} is missing or is no {expected}")]
    Metadata {
        /// The key.
        key: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// Another kind of tokenizer.
    #[error("{key} {found:?} is not supported, known: {known}")]
    Unknown {
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// What is known.
        known: &'static str,
    },
    /// A list that does not have one item a token.
    #[error("{key} has {found} items, expected {expected}: one a token")]
    Items {
        /// The key.
        key: &'static str,
        /// Its items.
        found: usize,
        /// Number of tokens.
        expected: usize,
    },
    /// A merge of tokens that are not in the vocabulary.
    #[error("merge {at} joins tokens that are not in the vocabulary")]
    Merge {
        /// Its number.
        at: usize,
    },
    /// A token that cannot be used.
    #[error("token {at}: {what}")]
    Token {
        /// Its number.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
}
