//! SentencePiece's BPE: characters are joined into the token with the best score, and what has no token is written
//! in bytes. A space is `▁`.
//!
//! Source: Kudo and Richardson, "SentencePiece" (2018); llama.cpp `llm_tokenizer_spm`. Unlike there, text is never
//! joined into control or byte tokens: as SentencePiece has it, those are not found in text.

use alloc::string::String;
use alloc::vec::Vec;
use hashbrown::HashSet;

use super::TokenizerError;
use super::chain::{Chain, Pairs, Symbol};
use super::kind::Kind;
use super::memo::encode_each;
use super::texts::{Index, Texts};

/// Characters, and how they join.
#[derive(Clone, Debug)]
pub(super) struct Sentences {
    texts: Texts,
    /// Tokens that text is joined into.
    index: Index,
    /// By token: the lower the sooner it is joined.
    ranks: Vec<u32>,
    /// The token of each of the 256 bytes.
    bytes: Vec<u32>,
    /// Characters that are neighbours in some token. Nothing joins across any others.
    neighbours: HashSet<(char, char)>,
    /// Whether text after a special token starts with a space of its own.
    adds_space: bool,
}

impl Sentences {
    /// `texts` are the tokens as the file writes them, `scores` and `kinds` have one item each; `unknown` stands for a
    /// byte without a token.
    pub(super) fn new(
        tokens: &[&str],
        kinds: &[Kind],
        scores: &[f32],
        unknown: Option<u32>,
        adds_space: bool,
    ) -> Result<Self, TokenizerError> {
        let (mut texts, mut index) = (Texts::default(), Index::with_capacity(tokens.len()));
        let mut neighbours = HashSet::new();
        for (number, (text, kind)) in (0..).zip(tokens.iter().zip(kinds)) {
            texts.push(|bytes| bytes.extend_from_slice(text.as_bytes()));
            if !text.is_empty() && !kind.is_hidden() && *kind != Kind::Byte {
                index.insert(&texts, number);
                neighbours.extend(text.chars().zip(text.chars().skip(1)));
            }
        }
        let bytes = byte_tokens(tokens, kinds, unknown)?;
        let ranks = scores.iter().map(|&score| rank(score)).collect();
        Ok(Self { texts, index, ranks, bytes, neighbours, adds_space })
    }

    /// Appends the tokens of `text`, which `starts` it or follows a special token.
    pub(super) fn encode(&self, text: &str, starts: bool, out: &mut Vec<u32>) {
        let mut written = String::with_capacity(text.len() + text.len() / 2);
        if starts && self.adds_space {
            written.push(SPACE);
        }
        written.extend(text.chars().map(|character| if character == ' ' { SPACE } else { character }));
        let mut chain = Chain::default();
        encode_each(self.pieces(&written), out, |piece, out| self.join(piece, &mut chain, out));
    }

    /// Parts of `text` that nothing joins across.
    fn pieces<'a>(&self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let mut rest = text;
        core::iter::from_fn(move || {
            let neighbours = rest.chars().zip(rest.char_indices().skip(1));
            let mut cuts = neighbours.filter(|&(left, (_, right))| !self.neighbours.contains(&(left, right)));
            let length = cuts.next().map_or(rest.len(), |(_, (at, _))| at);
            let (piece, after) = rest.split_at_checked(length).filter(|(piece, _)| !piece.is_empty())?;
            rest = after;
            Some(piece)
        })
    }

    fn join(&self, piece: &str, chain: &mut Chain, out: &mut Vec<u32>) {
        let symbol = |(at, character): (usize, char)| {
            let bytes = at..at + character.len_utf8();
            Symbol { token: self.index.find(&self.texts, &piece.as_bytes()[bytes.clone()]), bytes }
        };
        chain.join(piece.char_indices().map(symbol), &Joiner { sentences: self, piece });
        for symbol in chain.symbols() {
            match symbol.token {
                Some(token) => out.push(token),
                None => {
                    out.extend(piece[symbol.bytes.clone()].bytes().map(|byte| self.bytes[usize::from(byte)]))
                }
            }
        }
    }
}

/// How SentencePiece writes a space.
pub(super) const SPACE: char = '▁';

struct Joiner<'a> {
    sentences: &'a Sentences,
    piece: &'a str,
}

impl Pairs for Joiner<'_> {
    fn join(&self, left: &Symbol, right: &Symbol) -> Option<(u32, u32)> {
        let text = self.piece.as_bytes().get(left.bytes.start..right.bytes.end)?;
        let token = self.sentences.index.find(&self.sentences.texts, text)?;
        Some((*self.sentences.ranks.get(token as usize)?, token))
    }
}

/// A rank that is lower where the score is higher.
fn rank(score: f32) -> u32 {
    // Adding nothing makes one zero of two.
    let bits = (score + 0.0).to_bits();
    if bits >> 31 == 0 { !(bits | 1 << 31) } else { bits }
}

/// The byte that a token's text names: `<0x41>`.
pub(super) fn byte(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    let is_hex = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

fn byte_tokens(tokens: &[&str], kinds: &[Kind], unknown: Option<u32>) -> Result<Vec<u32>, TokenizerError> {
    let mut bytes = [unknown; 256];
    for (number, (text, kind)) in (0..).zip(tokens.iter().zip(kinds)) {
        if let Some(byte) = byte(text).filter(|_| *kind == Kind::Byte) {
            bytes[usize::from(byte)] = Some(number);
        }
    }
    let token = |(at, token): (usize, &Option<u32>)| {
        token.ok_or(TokenizerError::Token { at, what: "neither this byte nor what is unknown has a token" })
    };
    bytes.iter().enumerate().map(token).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_score_has_a_lower_rank() {
        let scores = [f32::INFINITY, 1e9, 1.0, 0.0, -1.0, -2.5, -1e9, f32::NEG_INFINITY];
        assert!(scores.map(rank).is_sorted_by(|one, other| one < other));
        assert_eq!(rank(0.0), rank(-0.0));
    }

    #[test]
    fn a_byte_is_named_by_two_digits() {
        let bytes = ["<0x41>", "<0x0a>", "<0xFF>", "<0x4>", "<0x041>", "<0x+4>", "0x41"].map(byte);
        assert_eq!(bytes, [Some(0x41), Some(10), Some(255), None, None, None, None]);
    }
}
