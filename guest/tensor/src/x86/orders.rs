//! Orders of bytes and lanes, masks and signs, as instructions on words take them.

use crate::simd::Unit;
use crate::words::{UNIT, place};

/// The byte of 32 bits that has the bit of each of 32 bytes.
pub(super) const BYTE_OF_BIT: [u8; UNIT] = {
    let mut bytes = [0; UNIT];
    let mut at = 8;
    while at < UNIT {
        bytes[at] = bytes[at - 8] + 1;
        at += 1;
    }
    bytes
};

/// The bit in that byte.
pub(super) const BIT: [u8; UNIT] = {
    let mut bits = [1; UNIT];
    let mut at = 0;
    while at < UNIT {
        bits[at] = 1 << (at % 8);
        at += 1;
    }
    bits
};

/// Upper nibbles are moved down in the upper half.
pub(super) const NIBBLES: [u32; 8] = [0, 0, 0, 0, 4, 4, 4, 4];
/// Of four twos the firsts, then the seconds, and so of the next four.
pub(super) const APART: [u8; 16] = [0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15];

/// Of two eights of bytes one of each in turn.
pub(super) const IN_PAIRS: [u8; 16] = [0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15];

/// The lower word of the number at `at` of four, in all places.
pub(super) const fn lower_word(at: u8) -> [u8; UNIT] {
    let mut bytes = [0; UNIT];
    let mut place = 0;
    while place < UNIT {
        bytes[place] = at * 4 + if place % 2 == 0 { 0 } else { 1 };
        place += 1;
    }
    bytes
}

/// Of eight the first and the fifth, the second and the sixth, and so on.
pub(super) const IN_TURN: [u32; 8] = [0, 4, 1, 5, 2, 6, 3, 7];
/// The word of each of the quarters of a register.
pub(super) const fn by_quarters(first: i16, second: i16, third: i16, fourth: i16) -> [i16; UNIT] {
    let (mut words, mut at) = ([first; UNIT], UNIT / 4);
    while at < UNIT {
        words[at] = if at < UNIT / 2 {
            second
        } else if at < UNIT / 4 * 3 {
            third
        } else {
            fourth
        };
        at += 1;
    }
    words
}

/// The word of each of the halves.
pub(super) const fn by_halves(first: i16, second: i16) -> [i16; UNIT] {
    by_quarters(first, first, second, second)
}

/// The place of each word.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "places are below 32")]
pub(super) const PLACES: [i16; UNIT] = {
    let (mut words, mut at) = ([0; UNIT], 0);
    while at < UNIT {
        words[at] = place(at) as i16;
        at += 1;
    }
    words
};
/// Of sixteen the even ones, then the odd ones.
pub(super) const EVEN_THEN_ODD: [u32; 16] = [0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15];
/// Six bits of each byte, the upper two of these, and a nibble.
pub(super) const SIX: u32 = 0x3F3F_3F3F;
pub(super) const UPPER_TWO: u32 = 0x3030_3030;
pub(super) const NIBBLE: u32 = 0x0F0F_0F0F;
/// Minima are taken off.
pub(super) const SIGNS: Unit = [0., -0., 0., -0., 0., -0., 0., -0., 0., -0., 0., -0., 0., -0., 0., -0.];
