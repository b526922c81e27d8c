//! What a receipt says.

use alloc::string::String;
use serde::Serialize;

/// What an appliance says of one answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// When it was signed, in seconds since 1970, as the host told the appliance: a claim. 0 where it told none.
    pub issued_s: u64,
    /// SHA-256 of the request's body, as it came.
    pub request: [u8; 32],
    /// [`Answered::digest`](crate::Answered::digest) of the answer, or of the part of it that left the appliance.
    pub response: [u8; 32],
    /// Bytes of that answer's text.
    pub response_bytes: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// SHA-384 of the manifest.
    pub manifest_digest: [u8; 48],
    /// BLAKE3 of the model's GGUF bytes.
    pub weights_root: [u8; 32],
    /// The same of the model that drafts for it.
    pub draft_root: Option<[u8; 32]>,
    /// Version of the engine.
    pub engine: String,
    /// How tokens were chosen.
    pub sampling: Sampling,
    /// Tokens; none where the client left before they were counted.
    pub tokens: Option<Tokens>,
    /// Checks of weights.
    pub leaf_checks: LeafChecks,
    /// SHA-256 of the evidence that this connection was last shown: in its certificate, or because it asked.
    pub evidence: [u8; 32],
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The model ended it, or a stop text came.
    Stop,
    /// It was as long as it may be.
    Length,
    /// The model calls functions.
    ToolCalls,
    /// The client left; what is named is the beginning that left the appliance until then.
    Cut,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Stop, Self::Length, Self::ToolCalls, Self::Cut];

    /// Its name: as OpenAI's API has it, and `cut`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::Cut => "cut",
        }
    }
}

/// How tokens were chosen, defaults filled in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Sampling {
    /// 0 takes the likeliest.
    pub temperature: f32,
    /// The k likeliest; 0 for all.
    pub top_k: u64,
    /// 0 to 1.
    pub top_p: f32,
    /// Relative to the likeliest.
    pub min_p: f32,
    /// 1 for none.
    pub repetition_penalty: f32,
    /// -2 to 2.
    pub presence_penalty: f32,
    /// -2 to 2.
    pub frequency_penalty: f32,
    /// Start of the random sequence.
    pub seed: u64,
    /// Whether the answer's bytes do not depend on what else was computed.
    #[serde(rename = "deterministic")]
    pub is_deterministic: bool,
}

/// Tokens of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Of the prompt.
    pub prompt: u64,
    /// Of the answer.
    pub completion: u64,
}

/// Leaves of weights that were read and compared with the sealed tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeafChecks {
    /// While this answer was made, for whomever: weights that stay in memory are checked before.
    pub during: u64,
    /// Since the appliance started.
    pub since_start: u64,
}
