//! Ranges of characters as sequences of ranges of bytes.
//!
//! Source: RFC 3629 §4. The splits are those of R. Cox, "Regular Expression Matching in the Wild", §Step 3.

use alloc::vec::Vec;

/// Ranges of bytes, one a byte of the character; both ends included.
pub(crate) type Sequence = Vec<(u8, u8)>;

/// Last code point of each length in bytes.
const LAST: [u32; 4] = [0x7F, 0x7FF, 0xFFFF, 0x0010_FFFF];

/// The sequences whose texts are exactly the characters of a range without surrogates.
pub(crate) fn sequences(from: u32, to: u32) -> Vec<Sequence> {
    let mut found = Vec::new();
    let mut first = from;
    for last in LAST {
        if first <= last.min(to) {
            split(first, last.min(to), &mut found);
        }
        first = first.max(last + 1);
    }
    found
}

/// Splits a range of characters of one length until each byte's range is free of the others.
fn split(from: u32, to: u32, found: &mut Vec<Sequence>) {
    for bits in [6, 12, 18] {
        let mask = (1 << bits) - 1;
        if from >> bits == to >> bits {
            break;
        }
        if from & mask != 0 {
            split(from, from | mask, found);
            return split((from | mask) + 1, to, found);
        }
        if to & mask != mask {
            split(from, (to & !mask) - 1, found);
            return split(to & !mask, to, found);
        }
    }
    let (mut low, mut high) = ([0; 4], [0; 4]);
    let ends = char::from_u32(from).zip(char::from_u32(to));
    let Some((low, high)) = ends.map(|(from, to)| (from.encode_utf8(&mut low), to.encode_utf8(&mut high)))
    else {
        return;
    };
    found.push(low.bytes().zip(high.bytes()).collect());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(sequences: &[Sequence], text: &[u8]) -> bool {
        let fits = |sequence: &Sequence| {
            let mut pairs = sequence.iter().zip(text);
            sequence.len() == text.len() && pairs.all(|(range, byte)| (range.0..=range.1).contains(byte))
        };
        sequences.iter().any(fits)
    }

    #[test]
    fn sequences_hold_the_characters_of_a_range_and_no_other() {
        for (from, to) in
            [(0, 0x7F), (0x61, 0x7A5), (0x7FF, 0x800), (0x20, 0xD7FF), (0xE000, 0x10_FFFF), (0xFFF, 0x2_0001)]
        {
            let sequences = sequences(from, to);
            for point in (0..0x11_0000).step_by(7).chain([from, to, from.saturating_sub(1), to + 1]) {
                let Some(character) = char::from_u32(point) else { continue };
                let mut bytes = [0; 4];
                let is_inside = (from..=to).contains(&point);
                assert_eq!(
                    has(&sequences, character.encode_utf8(&mut bytes).as_bytes()),
                    is_inside,
                    "{point:x}"
                );
            }
        }
    }

    #[test]
    fn a_character_of_many_bytes_needs_few_sequences() {
        assert!(sequences(0x80, 0xD7FF).len() + sequences(0xE000, 0x10_FFFF).len() <= 10);
    }
}
