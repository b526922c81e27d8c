//! Tokenizers as the file describes them: text to tokens and back.
//!
//! Two kinds are known: byte-level BPE with a pattern that cuts text first, and SentencePiece's BPE by scores with
//! single bytes for what has no token. Special tokens are cut out before either.
//!
//! Source: Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units" (2016). Patterns are
//! written by hand after the expressions that `tokenizer.ggml.pre` names.
//!
//! Trust: metadata is hostile; every refusal is named. Text is content and never leaves in an error. Text is never
//! joined into a control token: those come from where they are written and allowed, and nowhere else.

mod alphabet;
mod bytes;
mod chain;
mod draft;
mod error;
mod file;
mod kind;
mod memo;
mod sentence;
mod special;
mod split;
#[cfg(test)]
mod tests;
mod texts;

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use crate::generate::Vocabulary;
use crate::gguf::Gguf;
pub(crate) use alphabet::character;
use bytes::BytePairs;
pub use draft::{DraftMismatch, MOST_PADDING};
pub use error::TokenizerError;
use kind::Kind;
use sentence::Sentences;
use special::{Part, Places, Specials};
pub use split::Splitter;
use texts::Texts;

/// A tokenizer.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    /// The bytes each token stands for.
    pieces: Texts,
    kinds: Vec<Kind>,
    specials: Specials,
    words: Words,
    /// Tokens that end an answer.
    ends: Vec<u32>,
    /// Control tokens that are shown.
    shown: Vec<u32>,
    bos: Option<u32>,
    eos: Option<u32>,
    adds_bos: bool,
}

/// How text between special tokens becomes tokens.
#[derive(Clone, Debug)]
enum Words {
    Bytes(BytePairs),
    Sentences(Sentences),
}

impl Tokenizer {
    /// The tokenizer of a header.
    ///
    /// # Errors
    /// What is missing or not supported, by name.
    pub fn from_gguf(gguf: &Gguf<'_>) -> Result<Self, TokenizerError> {
        file::tokenizer(gguf)
    }

    /// Tokens of `text`. With `has_specials`, control tokens written in it become those tokens: for texts that nobody
    /// else has a part in. User-defined tokens are found in either case.
    #[must_use]
    pub fn encode(&self, text: &str, has_specials: bool) -> Vec<u32> {
        self.encode_with(text, if has_specials { Places::Anywhere } else { Places::Nowhere })
    }

    /// Tokens of a rendered template: control tokens are read where all of their bytes lie in one range of `own`, which
    /// are in order and do not touch. All else is as in [`Self::encode`]: where no control token is written outside of
    /// `own`, so are the tokens, for text is not cut at the ends of ranges.
    #[must_use]
    pub fn encode_rendered(&self, text: &str, own: &[Range<usize>]) -> Vec<u32> {
        self.encode_with(text, Places::Within(own))
    }

    fn encode_with(&self, text: &str, hidden: Places<'_>) -> Vec<u32> {
        let (mut out, mut starts) = (Vec::new(), true);
        for part in self.specials.parts(text, hidden) {
            match (part, &self.words) {
                (Part::Token(token), _) => out.push(token),
                (Part::Text(text), Words::Bytes(pairs)) => pairs.encode(text, &self.pieces, &mut out),
                (Part::Text(text), Words::Sentences(sentences)) => sentences.encode(text, starts, &mut out),
            }
            starts = matches!(part, Part::Token(_));
        }
        out
    }

    /// The token in front of every text, where the model wants one.
    #[must_use]
    pub fn prefix(&self) -> Option<u32> {
        self.bos.filter(|_| self.adds_bos)
    }

    /// Text of the beginning and end tokens, for templates; empty where there is none.
    #[must_use]
    pub fn marks(&self) -> (String, String) {
        let text = |id: Option<u32>| {
            id.map(|id| String::from_utf8_lossy(self.piece(id)).into_owned()).unwrap_or_default()
        };
        (text(self.bos), text(self.eos))
    }

    /// The bytes a token stands for; none outside the vocabulary.
    ///
    /// They may be part of a character. A word's space is part of it, also of the first word of an answer.
    #[must_use]
    pub fn piece(&self, token: u32) -> &[u8] {
        self.pieces.text(token)
    }

    /// Shows control tokens that are written in one of these texts, as if they were text: marks that a model says and a
    /// program reads. In what clients write they stay unread.
    pub fn show(&mut self, texts: &[&str]) {
        let tokens = (0_u32..).zip(&self.kinds).filter(|(_, kind)| kind.is_hidden());
        let is_written = |token: &u32| {
            let name = core::str::from_utf8(self.pieces.text(*token)).unwrap_or_default();
            !name.is_empty() && !self.ends.contains(token) && texts.iter().any(|text| text.contains(name))
        };
        self.shown = tokens.map(|(token, _)| token).filter(is_written).collect();
    }

    /// Number of tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Vocabulary for Tokenizer {
    fn append_bytes(&self, token: u32, out: &mut Vec<u8>) {
        let is_text = self.kinds.get(token as usize).is_some_and(|kind| !kind.is_hidden());
        if is_text || self.shown.contains(&token) {
            out.extend_from_slice(self.piece(token));
        }
    }

    fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }
}
