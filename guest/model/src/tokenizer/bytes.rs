//! Byte-level BPE: text is cut by a pattern, and bytes are joined by the file's list of merges.

use alloc::vec::Vec;
use hashbrown::HashMap;

use super::chain::{Chain, Pairs, Symbol};
use super::kind::Kind;
use super::memo::encode_each;
use super::texts::{Index, Texts};
use super::{Splitter, TokenizerError, alphabet};

/// Bytes, how they join, and where they never do.
#[derive(Clone, Debug)]
pub(super) struct BytePairs {
    splitter: Splitter,
    merges: Merges,
    /// The token of each of the 256 bytes. A byte without one is dropped after joining, as the models' own tokenizers do.
    bytes: Vec<Option<u32>>,
    /// Pieces that stay whole.
    whole: Option<Index>,
}

/// Rank and token of each pair of tokens that join.
#[derive(Clone, Debug)]
struct Merges(HashMap<(u32, u32), (u32, u32)>);

impl BytePairs {
    /// `pieces` holds the bytes of each token, `is_written` whether its text is in the byte alphabet.
    pub(super) fn new(
        splitter: Splitter,
        pieces: &Texts,
        kinds: &[Kind],
        is_written: &[bool],
        merges: &[&str],
    ) -> Result<Self, TokenizerError> {
        let index = |is_wanted: &dyn Fn(Kind) -> bool| {
            let mut index = Index::with_capacity(pieces.len());
            let tokens = (0..).zip(kinds.iter().zip(is_written));
            let wanted = tokens.filter(|&(_, (&kind, &is_written))| is_written && is_wanted(kind));
            wanted.for_each(|(token, _)| index.insert(pieces, token));
            index
        };
        let all = index(&|_| true);
        Ok(Self {
            splitter,
            merges: Merges::new(merges, pieces, kinds, &all)?,
            bytes: byte_tokens(pieces, &all)?,
            whole: splitter.keeps_tokens.then(|| index(&|kind| !kind.is_hidden())),
        })
    }

    /// Appends the tokens of `text`. `pieces` is that of [`BytePairs::new`].
    pub(super) fn encode(&self, text: &str, pieces: &Texts, out: &mut Vec<u32>) {
        let mut chain = Chain::default();
        encode_each(self.splitter.pieces(text), out, |piece, out| {
            let whole = self.whole.as_ref().and_then(|whole| whole.find(pieces, piece.as_bytes()));
            match whole {
                Some(token) => out.push(token),
                None => self.join(piece, &mut chain, out),
            }
        });
    }

    fn join(&self, piece: &str, chain: &mut Chain, out: &mut Vec<u32>) {
        let symbol =
            |(at, byte): (usize, u8)| Symbol { token: self.bytes[usize::from(byte)], bytes: at..at + 1 };
        chain.join(piece.bytes().enumerate().map(symbol), &self.merges);
        out.extend(chain.symbols().filter_map(|symbol| symbol.token));
    }
}

impl Merges {
    /// Reads the lines `left right`. Control tokens are not made by joining text.
    fn new(lines: &[&str], pieces: &Texts, kinds: &[Kind], all: &Index) -> Result<Self, TokenizerError> {
        let mut ranks = HashMap::with_capacity(lines.len());
        let mut bytes = Vec::new();
        for (rank, (at, line)) in (0..).zip(lines.iter().enumerate()) {
            let [left, right, joined] =
                tokens(line, pieces, all, &mut bytes).ok_or(TokenizerError::Merge { at })?;
            if kinds.get(joined as usize).is_some_and(|kind| !kind.is_hidden()) {
                ranks.entry((left, right)).or_insert((rank, joined));
            }
        }
        Ok(Self(ranks))
    }
}

impl Pairs for Merges {
    fn join(&self, left: &Symbol, right: &Symbol) -> Option<(u32, u32)> {
        self.0.get(&(left.token?, right.token?)).copied()
    }
}

/// Tokens of a line and the one they join into. The separator is the first space that leaves something on its left.
fn tokens(line: &str, pieces: &Texts, all: &Index, bytes: &mut Vec<u8>) -> Option<[u32; 3]> {
    let (left, right) = line.split_once(' ')?;
    bytes.clear();
    alphabet::append_bytes(left, bytes);
    let middle = bytes.len();
    alphabet::append_bytes(right, bytes);
    let token = |part: &[u8]| all.find(pieces, part);
    Some([token(&bytes[..middle])?, token(&bytes[middle..])?, token(bytes)?])
}

/// The token of each byte, where it has one.
///
/// # Errors
/// Not even the space has one: such a vocabulary is not of bytes.
fn byte_tokens(pieces: &Texts, all: &Index) -> Result<Vec<Option<u32>>, TokenizerError> {
    let tokens: Vec<_> = (0..=u8::MAX).map(|byte| all.find(pieces, &[byte])).collect();
    match tokens[usize::from(b' ')] {
        Some(_) => Ok(tokens),
        None => Err(TokenizerError::Token { at: b' '.into(), what: "the space has no token" }),
    }
}
