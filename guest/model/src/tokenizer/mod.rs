//! Byte-level BPE as the file describes it: text to tokens and back.
//!
//! Source: Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units" (2016); the byte alphabet is
//! GPT-2's. Pre-tokenizers are written by hand after the patterns that `tokenizer.ggml.pre` names.
//!
//! Trust: metadata is hostile; every refusal is named. Text is content and never leaves in an error.

mod alphabet;
mod merge;
mod split;
#[cfg(test)]
mod tests;

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use hashbrown::HashMap;

use crate::generate::Vocabulary;
use crate::gguf::{Array, Gguf, Value};
pub(crate) use alphabet::character;
use merge::Merges;
pub use split::Splitter;

/// Token types. Spec: ggml `llama_token_type`.
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

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

/// A tokenizer.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    /// The bytes each token stands for.
    pieces: Vec<Vec<u8>>,
    is_control: Vec<bool>,
    /// Control and user-defined tokens, longest first.
    specials: Vec<(Vec<u8>, u32)>,
    /// The token of each byte. A byte without one is dropped, as the models' own tokenizers do.
    bytes: [Option<u32>; 256],
    merges: Merges,
    splitter: Splitter,
    ends: Vec<u32>,
    bos: Option<u32>,
    eos: Option<u32>,
    adds_bos: bool,
}

impl Tokenizer {
    /// The tokenizer of a header.
    ///
    /// # Errors
    /// What is missing or not supported, by name.
    pub fn from_gguf(gguf: &Gguf<'_>) -> Result<Self, TokenizerError> {
        let splitter = splitter(gguf)?;
        let texts = strings(gguf, "tokenizer.ggml.tokens")?;
        let types = types(gguf, texts.len());
        let is_special = |at: usize| matches!(types.get(at), Some(&(CONTROL | USER_DEFINED)));
        let piece = |(at, text): (usize, &&str)| {
            if is_special(at) { text.as_bytes().to_owned() } else { alphabet::bytes(text) }
        };
        let pieces: Vec<Vec<u8>> = texts.iter().enumerate().map(piece).collect();
        let ids = ids(&pieces)?;
        let merges = Merges::new(&strings(gguf, "tokenizer.ggml.merges")?, &ids)?;
        let id = |key: &str| {
            gguf.u64(key).and_then(|id| u32::try_from(id).ok()).filter(|&id| (id as usize) < pieces.len())
        };
        let (bos, eos) = (id("tokenizer.ggml.bos_token_id"), id("tokenizer.ggml.eos_token_id"));
        let turn_ends = [id("tokenizer.ggml.eot_token_id"), id("tokenizer.ggml.eom_token_id"), eos];
        let named = ["<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>"];
        let named = named.iter().filter_map(|name| ids.get(name.as_bytes()).copied());
        let (bytes, named) = (byte_tokens(&ids)?, named.collect::<Vec<_>>());
        let ends = turn_ends.into_iter().flatten().chain(named).collect();
        drop(ids);
        Ok(Self {
            specials: specials(&pieces, is_special),
            is_control: (0..pieces.len()).map(|at| types.get(at) == Some(&CONTROL)).collect(),
            bytes,
            ends,
            adds_bos: gguf.value("tokenizer.ggml.add_bos_token").and_then(Value::as_bool).unwrap_or(false),
            pieces,
            merges,
            splitter,
            bos,
            eos,
        })
    }

    /// Tokens of `text`. With `has_specials`, control tokens written in it become those tokens: for rendered templates.
    #[must_use]
    pub fn encode(&self, text: &str, has_specials: bool) -> Vec<u32> {
        let mut out = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let special = if has_specials { self.next_special(rest) } else { None };
            let (plain, special, after) = match special {
                Some((at, length, id)) => (&rest[..at], Some(id), &rest[at + length..]),
                None => (rest, None, ""),
            };
            for piece in self.splitter.pieces(plain) {
                self.merges.apply(piece.bytes().filter_map(|byte| self.bytes[usize::from(byte)]), &mut out);
            }
            out.extend(special);
            rest = after;
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
    #[must_use]
    pub fn piece(&self, token: u32) -> &[u8] {
        self.pieces.get(token as usize).map(Vec::as_slice).unwrap_or_default()
    }

    /// Number of tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Place, length and token of the first special token in `text`; of several at one place the longest.
    fn next_special(&self, text: &str) -> Option<(usize, usize, u32)> {
        let found = self.specials.iter().filter_map(|(piece, id)| {
            let at = text.find(core::str::from_utf8(piece).ok()?)?;
            Some((at, piece.len(), *id))
        });
        found.min_by_key(|&(at, length, _)| (at, core::cmp::Reverse(length)))
    }
}

impl Vocabulary for Tokenizer {
    fn append_bytes(&self, token: u32, out: &mut Vec<u8>) {
        if self.is_control.get(token as usize) == Some(&false) {
            out.extend_from_slice(self.piece(token));
        }
    }

    fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }
}

fn splitter(gguf: &Gguf<'_>) -> Result<Splitter, TokenizerError> {
    let text = |key: &'static str| gguf.str(key).ok_or(TokenizerError::Metadata { key, expected: "string" });
    let model = text("tokenizer.ggml.model")?;
    if model != "gpt2" {
        let (key, found) = ("tokenizer.ggml.model", model.to_owned());
        return Err(TokenizerError::Unknown { key, found, known: "gpt2" });
    }
    let pre = text("tokenizer.ggml.pre")?;
    let unknown =
        || TokenizerError::Unknown { key: "tokenizer.ggml.pre", found: pre.to_owned(), known: split::KNOWN };
    Splitter::named(pre).ok_or_else(unknown)
}

fn strings<'a>(gguf: &'a Gguf<'_>, key: &'static str) -> Result<Vec<&'a str>, TokenizerError> {
    let found = gguf.value(key).and_then(Value::as_strings).map(<[&str]>::to_vec);
    found.ok_or(TokenizerError::Metadata { key, expected: "array of strings" })
}

fn types(gguf: &Gguf<'_>, count: usize) -> Vec<i64> {
    let numbers = match gguf.value("tokenizer.ggml.token_type") {
        Some(Value::Array(Array::Numbers(numbers))) if numbers.len() == count => Some(numbers),
        _ => None,
    };
    numbers.map(|numbers| numbers.integers().map(|number| number.unwrap_or(1)).collect()).unwrap_or_default()
}

fn ids(pieces: &[Vec<u8>]) -> Result<HashMap<&[u8], u32>, TokenizerError> {
    let mut ids = HashMap::with_capacity(pieces.len());
    for (at, piece) in pieces.iter().enumerate() {
        let id = u32::try_from(at)
            .map_err(|_| TokenizerError::Token { at, what: "more tokens than there can be" })?;
        // Files repeat unused tokens; the first one counts, as it does elsewhere.
        ids.entry(piece.as_slice()).or_insert(id);
    }
    Ok(ids)
}

/// The token of each byte, where it has one.
///
/// # Errors
/// Not even the space has one: such a vocabulary is not of bytes.
fn byte_tokens(ids: &HashMap<&[u8], u32>) -> Result<[Option<u32>; 256], TokenizerError> {
    let mut tokens = [None; 256];
    for (byte, token) in (0..=u8::MAX).zip(&mut tokens) {
        *token = ids.get([byte].as_slice()).copied();
    }
    match tokens[usize::from(b' ')] {
        Some(_) => Ok(tokens),
        None => Err(TokenizerError::Token { at: b' '.into(), what: "the space has no token" }),
    }
}

fn specials(pieces: &[Vec<u8>], is_special: impl Fn(usize) -> bool) -> Vec<(Vec<u8>, u32)> {
    let special = |(at, piece): (usize, &Vec<u8>)| {
        let id = u32::try_from(at).ok()?;
        (is_special(at) && !piece.is_empty()).then(|| (piece.clone(), id))
    };
    pieces.iter().enumerate().filter_map(special).collect()
}
