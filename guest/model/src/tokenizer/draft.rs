//! Whether a draft model speaks with the model's tokens.
//!
//! Drafted tokens are numbers: a draft model is of use where each number stands for the same bytes and is of the same kind.
//! Files of one family differ in how many unused rows their vocabularies end with; so much may differ, as in llama.cpp. What one
//! of them does not have is then never drafted, and nothing is drafted behind it.
//! Source: llama.cpp `common_speculative_are_compatible`.

use alloc::string::String;

use super::Tokenizer;
use super::kind::Kind;

/// Most tokens by which the sizes of both vocabularies may differ.
pub const MOST_PADDING: usize = 128;

/// Why a model cannot draft for another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DraftMismatch {
    /// Other vocabularies.
    #[error(
        "the draft model's vocabulary has {found} tokens, expected the model's {expected}, or 128 more or less"
    )]
    Size {
        /// Of the draft model.
        found: usize,
        /// Of the model.
        expected: usize,
    },
    /// A token that stands for something else.
    #[error("token {token} of the draft model is {found:?}, expected {expected:?} as in the model")]
    Token {
        /// Its number.
        token: u32,
        /// What it stands for in the draft model.
        found: String,
        /// What it stands for in the model.
        expected: String,
    },
    /// A token that is text in one of them and a mark in the other.
    #[error("token {token} of the draft model is {found}, expected {expected} as in the model")]
    Kind {
        /// Its number.
        token: u32,
        /// What it is in the draft model.
        found: &'static str,
        /// What it is in the model.
        expected: &'static str,
    },
    /// Another token that begins or ends texts.
    #[error("the draft model's {name} token is {}, expected {} as in the model", shown(*found), shown(*expected))]
    Mark {
        /// Which.
        name: &'static str,
        /// That of the draft model.
        found: Option<u32>,
        /// That of the model.
        expected: Option<u32>,
    },
}

fn shown(token: Option<u32>) -> String {
    token.map_or_else(|| "none".into(), |token| alloc::format!("{token}"))
}

impl Tokenizer {
    /// Checks that a model with tokenizer `draft` can draft for the model of this one.
    ///
    /// # Errors
    /// The first difference.
    pub fn check_draft(&self, draft: &Self) -> Result<(), DraftMismatch> {
        let (found, expected) = (draft.len(), self.len());
        if found.abs_diff(expected) > MOST_PADDING {
            return Err(DraftMismatch::Size { found, expected });
        }
        (0..).take(found.min(expected)).try_for_each(|token| self.check_token(draft, token))?;
        for (name, found, expected) in [("first", draft.bos, self.bos), ("last", draft.eos, self.eos)] {
            if found != expected {
                return Err(DraftMismatch::Mark { name, found, expected });
            }
        }
        Ok(())
    }

    fn check_token(&self, draft: &Self, token: u32) -> Result<(), DraftMismatch> {
        if self.piece(token) != draft.piece(token) {
            let text = |tokenizer: &Self| String::from_utf8_lossy(tokenizer.piece(token)).into_owned();
            return Err(DraftMismatch::Token { token, found: text(draft), expected: text(self) });
        }
        let kind = |tokenizer: &Self| tokenizer.kinds.get(token as usize).copied().map_or("none", what);
        let (found, expected) = (kind(draft), kind(self));
        if found == expected { Ok(()) } else { Err(DraftMismatch::Kind { token, found, expected }) }
    }
}

/// What matters of a kind: files of one family call the same text normal, user-defined or unused.
fn what(kind: Kind) -> &'static str {
    if kind.is_hidden() { "a mark" } else { "text" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::Gguf;
    use crate::tiny;
    use alloc::format;
    use alloc::string::ToString as _;
    use alloc::vec::Vec;

    fn tokenizer(file: tiny::GgufWriter) -> Tokenizer {
        let file = file.finish();
        Tokenizer::from_gguf(&Gguf::parse(&file, file.len() as u64).unwrap()).unwrap()
    }

    fn with(controls: &[&str], end: u32) -> Tokenizer {
        tokenizer(tiny::vocabulary(controls).u32("tokenizer.ggml.eos_token_id", end))
    }

    fn refusal(draft: &Tokenizer) -> String {
        with(&["<a>", "<b>"], 256).check_draft(draft).unwrap_err().to_string()
    }

    #[test]
    fn the_same_tokens_are_taken_and_so_is_padding() {
        let padded = |count: usize| {
            let unused: Vec<String> = (0..count).map(|at| format!("<unused {at}>")).collect();
            let all: Vec<&str> =
                ["<a>", "<b>"].into_iter().chain(unused.iter().map(String::as_str)).collect();
            with(&all, 256)
        };
        for count in [0, 1, MOST_PADDING] {
            assert_eq!(padded(0).check_draft(&padded(count)), Ok(()));
            assert_eq!(padded(count).check_draft(&padded(0)), Ok(()));
        }
        let expected =
            "the draft model's vocabulary has 387 tokens, expected the model's 258, or 128 more or less";
        assert_eq!(refusal(&padded(MOST_PADDING + 1)), expected);
    }

    #[test]
    fn each_difference_is_named_with_what_was_found_and_expected() {
        let expected = "token 257 of the draft model is \"<c>\", expected \"<b>\" as in the model";
        assert_eq!(refusal(&with(&["<a>", "<c>"], 256)), expected);
        let expected = "the draft model's last token is 257, expected 256 as in the model";
        assert_eq!(refusal(&with(&["<a>", "<b>"], 257)), expected);
        let text = |tokenizer: &mut Tokenizer| tokenizer.kinds[257] = Kind::UserDefined;
        let mut draft = with(&["<a>", "<b>"], 256);
        text(&mut draft);
        let expected = "token 257 of the draft model is text, expected a mark as in the model";
        assert_eq!(refusal(&draft), expected);
        let first = tiny::vocabulary(&["<a>", "<b>"]).u32("tokenizer.ggml.eos_token_id", 256);
        let draft = tokenizer(first.u32("tokenizer.ggml.bos_token_id", 257));
        assert_eq!(refusal(&draft), "the draft model's first token is 257, expected none as in the model");
    }
}
