//! What the batcher is asked and what it tells.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use vial_grammar::Grammar;

use crate::sample::{Logprobs, Sampling, SamplingError};
use crate::transformer::PassError;

/// Most stop strings of a request.
pub const MAX_STOPS: usize = 16;
/// Most bytes of a stop string.
pub const MAX_STOP_BYTES: usize = 1024;

/// What happens when prompt and answer fill the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The answer ends, with [`Finish::Length`].
    #[default]
    Stop,
    /// The older half of what follows the first `keep` tokens is dropped and the rest is computed anew: the answer goes on
    /// as if the prompt had been that. The first token after it takes as long as a prompt of half a context.
    Shift {
        /// Tokens from the prompt's start on that always stay; more than the prompt has are as many as it has. At most half
        /// the context.
        keep: usize,
    },
}

/// A prompt to continue. [`Request::default`] is an empty one, which is not taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// Tokens of the prompt.
    pub prompt: Vec<u32>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Most tokens of the answer; the context's end may come sooner.
    pub max_tokens: usize,
    /// Texts that end the answer and are not part of it.
    pub stop: Vec<String>,
    /// Whose request it is: places go round between clients.
    pub client: u64,
    /// Requests that name the same scope reuse what the cache holds of each other's prompts and answers, and pages of it
    /// outlive the request. How long an answer takes then tells that somebody in the scope said the same before: a scope is
    /// for those who may know. `None`: nothing but the beginning that every client is given is shared or outlives the request.
    pub cache_scope: Option<u64>,
    /// What happens at the context's end.
    pub overflow: Overflow,
    /// Whether the answer's bytes may not depend on what else is, or was, computed: the request gets passes of its own, of
    /// fixed widths, and neither drafts nor pages of other requests but those computed in the same way. Costs it and the others speed.
    pub is_deterministic: bool,
    /// What the whole answer follows: only its tokens are chosen, and the answer ends where it cannot go on. `stop` and
    /// `max_tokens` may end it before it is complete.
    pub grammar: Option<Arc<Grammar>>,
}

/// Names a request in a batcher; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub(super) u64);

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// There is nothing to continue.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// No token would be asked for.
    #[error("max_tokens is 0, expected 1 or more")]
    NoTokens,
    /// The prompt leaves no room for an answer.
    #[error("the prompt has {found} tokens, this appliance's context holds {context} with the answer")]
    TooLong {
        /// Tokens of the prompt.
        found: usize,
        /// Tokens of the context.
        context: usize,
    },
    /// A token outside the vocabulary.
    #[error("token {found} is outside the vocabulary of {vocabulary}")]
    Token {
        /// The token.
        found: u32,
        /// Size of the vocabulary.
        vocabulary: usize,
    },
    /// A sampling setting out of range.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// Too many stop strings, or one that is empty or too long.
    #[error("stop has {found} strings, expected at most 16 of 1 to 1024 bytes each")]
    Stop {
        /// How many there are.
        found: usize,
    },
    /// More tokens are to stay at the context's end than leave room for others.
    #[error("{found} tokens are to be kept at the context's end, expected at most {most}")]
    Keep {
        /// Tokens to be kept.
        found: usize,
        /// Half the context.
        most: usize,
    },
    /// As many requests wait as may.
    #[error("{waiting} requests are waiting already")]
    Full {
        /// Requests waiting.
        waiting: usize,
    },
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model ended its turn, or a stop string came.
    Stop,
    /// `max_tokens` or the end of the context.
    Length,
}

/// Tokens of a finished request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Of the prompt.
    pub prompt_tokens: usize,
    /// Of the prompt, that were found in the cache when the request began.
    pub cached_tokens: usize,
    /// Of the answer, with the token that ended it.
    pub completion_tokens: usize,
}

/// Something that happened to a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A token was chosen. Content: never to be logged.
    Token {
        /// Whose.
        id: RequestId,
        /// Which.
        token: u32,
        /// Text that became whole with it; may be empty, or hold the text of earlier tokens too.
        text: String,
        /// Probabilities, where asked for.
        logprobs: Option<Logprobs>,
    },
    /// The answer is complete. `text` is what had been held back.
    Done {
        /// Whose.
        id: RequestId,
        /// The last text; may be empty.
        text: String,
        /// Why.
        finish: Finish,
        /// Tokens used.
        usage: Usage,
    },
    /// A text's vector, at length one. Content: never to be logged.
    Embedded {
        /// Whose.
        id: RequestId,
        /// `[width]`.
        vector: Vec<f32>,
        /// Tokens of the text.
        tokens: usize,
    },
    /// The answer cannot go on. No token of the failed pass has left.
    Failed {
        /// Whose.
        id: RequestId,
        /// Why.
        error: PassError,
    },
}

/// What the batcher needs to know of a vocabulary.
pub trait Vocabulary {
    /// Appends the bytes a token stands for; nothing for control tokens.
    fn append_bytes(&self, token: u32, out: &mut Vec<u8>);

    /// Whether the token ends the model's turn.
    fn is_end(&self, token: u32) -> bool;
}

impl Request {
    /// Checks a request against the model's vocabulary and the context there is.
    pub(super) fn check(&self, vocabulary: usize, context: usize) -> Result<(), SubmitError> {
        check_tokens(&self.prompt, vocabulary, context)?;
        self.sampling.check()?;
        let is_usable = |stop: &String| (1..=MAX_STOP_BYTES).contains(&stop.len());
        if self.stop.len() > MAX_STOPS || !self.stop.iter().all(is_usable) {
            return Err(SubmitError::Stop { found: self.stop.len() });
        }
        match self.overflow {
            Overflow::Shift { keep } if keep > context / 2 => {
                return Err(SubmitError::Keep { found: keep, most: context / 2 });
            }
            Overflow::Shift { .. } | Overflow::Stop => {}
        }
        if self.max_tokens == 0 { Err(SubmitError::NoTokens) } else { Ok(()) }
    }
}

/// Checks that tokens are of the vocabulary, and fewer than `context`.
pub(super) fn check_tokens(tokens: &[u32], vocabulary: usize, context: usize) -> Result<(), SubmitError> {
    let found = tokens.len();
    if found == 0 {
        return Err(SubmitError::EmptyPrompt);
    }
    if found >= context {
        return Err(SubmitError::TooLong { found, context });
    }
    match tokens.iter().find(|token| **token as usize >= vocabulary) {
        Some(&found) => Err(SubmitError::Token { found, vocabulary }),
        None => Ok(()),
    }
}
