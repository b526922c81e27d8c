//! Words come again: the tokens of a piece met before are copied instead of made.

use alloc::vec::Vec;
use core::ops::Range;
use hashbrown::HashMap;

/// Longest piece that is remembered, in bytes: longer ones hardly come again.
const BYTES_MAX: usize = 64;

/// Appends the tokens of every piece; `encode` is asked once for each that differs.
pub(super) fn encode_each<'a>(
    pieces: impl Iterator<Item = &'a str>,
    out: &mut Vec<u32>,
    mut encode: impl FnMut(&'a str, &mut Vec<u32>),
) {
    let mut known: HashMap<&str, Range<usize>> = HashMap::new();
    for piece in pieces {
        if let Some(tokens) = known.get(piece) {
            out.extend_from_within(tokens.clone());
            continue;
        }
        let start = out.len();
        encode(piece, out);
        if piece.len() <= BYTES_MAX {
            known.insert(piece, start..out.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_encoded_once_and_given_each_time() {
        let (mut asked, mut out) = (Vec::new(), [7].to_vec());
        encode_each(["a", "bb", "a", "bb"].into_iter(), &mut out, |piece, out| {
            asked.push(piece);
            out.extend((0..piece.len()).map(|_| 1));
        });
        assert_eq!((asked, out), (["a", "bb"].to_vec(), [7, 1, 1, 1, 1, 1, 1].to_vec()));
    }
}
