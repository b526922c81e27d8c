//! Why a model or a pass is refused.

use alloc::string::String;
use alloc::vec::Vec;
use vial_tensor::Quant;

use crate::gguf::GgmlType;
use crate::weights::WeightsError;

/// Why a GGUF file is not a model this engine runs.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Another architecture.
    #[error("architecture {found:?} is not supported, known: {known}")]
    Architecture {
        /// `general.architecture`.
        found: String,
        /// What is known.
        known: String,
    },
    /// A key that must be there is not, or has another type.
    #[error("metadata {key:?} is missing or is no {expected}")]
    Metadata {
        /// The key.
        key: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A key with a value outside its range.
    #[error("metadata {key:?} is {found}, expected {expected}")]
    Range {
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// What is allowed.
        expected: String,
    },
    /// A tensor that must be there is not.
    #[error("tensor {tensor:?} is missing")]
    Missing {
        /// Its name.
        tensor: String,
    },
    /// A tensor of another shape than the metadata says.
    #[error("tensor {tensor:?} has dimensions {found:?}, expected {expected:?}")]
    Shape {
        /// Its name.
        tensor: String,
        /// Its dimensions, the contiguous one first.
        found: Vec<u64>,
        /// What the metadata asks for.
        expected: Vec<u64>,
    },
    /// A tensor of a type without a kernel.
    #[error("tensor {tensor:?} has type {found}, supported: {supported}")]
    Kind {
        /// Its name.
        tensor: String,
        /// Its type.
        found: GgmlType,
        /// Types with a kernel.
        supported: &'static str,
    },
    /// A tensor this architecture does not use: ignoring it would give wrong answers.
    #[error("tensor {tensor:?} has no place in a model of this architecture as known here")]
    Unknown {
        /// Its name.
        tensor: String,
    },
}

/// Why a pass gave no logits.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PassError {
    /// The weights could not be read or failed their check.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Weights that are no numbers: the file was made so, since each leaf is the one that was sealed.
    #[error(
        "the {kind} block at byte {at} of the weights has a scale that is not finite: convert the model again"
    )]
    Scale {
        /// Format of the block.
        kind: Quant,
        /// Where it starts in the file.
        at: u64,
    },
    /// Logits that are no numbers: damaged or unsuitable weights.
    #[error("the model computed a logit that is not finite (token {token} of the vocabulary)")]
    NotFinite {
        /// First such entry.
        token: usize,
    },
    /// No token of the vocabulary continues an answer by its grammar.
    #[error("no token of the vocabulary continues the answer by its grammar")]
    NoToken,
    /// A grammar too ambiguous to follow.
    #[error(transparent)]
    Grammar(#[from] vial_grammar::TooComplex),
    /// States that are no numbers: damaged or unsuitable weights.
    #[error("the model computed a state that is not finite")]
    StateNotFinite,
    /// A token outside the vocabulary.
    #[error("token {token} is outside the vocabulary of {vocabulary}")]
    Token {
        /// The token.
        token: u32,
        /// Size of the vocabulary.
        vocabulary: usize,
    },
}
