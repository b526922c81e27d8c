//! What each token is for.

use alloc::vec::Vec;

use super::TokenizerError;
use crate::gguf::{Gguf, Value};

/// What a token is for. Spec: ggml `llama_token_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text.
    Normal,
    /// What stands for text that has no token.
    Unknown,
    /// A mark that is no text: read only where it is allowed, never shown.
    Control,
    /// Text that is cut out before anything else.
    UserDefined,
    /// One byte, written `<0x41>`.
    Byte,
    /// Neither read nor shown.
    Unused,
}

impl Kind {
    fn from_wire(number: i64) -> Self {
        match number {
            1 => Self::Normal,
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            6 => Self::Byte,
            _ => Self::Unused,
        }
    }

    /// Whether it is found in text as it is written, before the text is cut.
    pub(super) fn is_special(self) -> bool {
        matches!(self, Self::Unknown | Self::Control | Self::UserDefined)
    }

    /// Whether it is no text: shown to nobody, and read only where marks are allowed.
    pub(super) fn is_hidden(self) -> bool {
        matches!(self, Self::Unknown | Self::Control)
    }
}

/// Kinds of the tokens; all are text where the file says nothing.
///
/// Tokens that end or frame a text by their name are control tokens, whatever the file says: many files are wrong.
pub(super) fn kinds(gguf: &Gguf<'_>, texts: &[&str]) -> Result<Vec<Kind>, TokenizerError> {
    let key = "tokenizer.ggml.token_type";
    let mut kinds = match gguf.value(key).and_then(Value::as_numbers) {
        None => alloc::vec![Kind::Normal; texts.len()],
        Some(numbers) => numbers.integers().map(|number| Kind::from_wire(number.unwrap_or(0))).collect(),
    };
    if kinds.len() != texts.len() {
        return Err(TokenizerError::Items { key, found: kinds.len(), expected: texts.len() });
    }
    for (kind, text) in kinds.iter_mut().zip(texts) {
        if is_end(text) || FRAMES.contains(text) {
            *kind = Kind::Control;
        }
    }
    Ok(kinds)
}

/// Whether a token of that name ends an answer. Source: llama.cpp `llama_vocab::impl::load`, end of generation.
pub(super) fn is_end(name: &str) -> bool {
    ENDS.contains(&name)
}

const ENDS: [&str; 28] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<｜end▁of▁sentence｜>",
    "<|fim_pad|>",
    "<fim-pad>",
    "<fim_pad>",
    "<PAD>",
    "[PAD]",
    "<|fim_repo|>",
    "<|repo_name|>",
    "<fim-repo>",
    "<REPO>",
    "<reponame>",
    "<|file_sep|>",
];

/// Marks around parts of a text. Source: as [`is_end`], fill in the middle.
const FRAMES: [&str; 24] = [
    "<|fim_prefix|>",
    "<fim-prefix>",
    "<fim_prefix>",
    "<PRE>",
    "▁<PRE>",
    "<｜fim▁begin｜>",
    "<|code_prefix|>",
    "<|prefix|>",
    "<|fim_suffix|>",
    "<fim-suffix>",
    "<fim_suffix>",
    "<SUF>",
    "▁<SUF>",
    "<｜fim▁hole｜>",
    "<|code_suffix|>",
    "<|suffix|>",
    "<|fim_middle|>",
    "<fim-middle>",
    "<fim_middle>",
    "<MID>",
    "▁<MID>",
    "<｜fim▁end｜>",
    "<|code_middle|>",
    "<|middle|>",
];
