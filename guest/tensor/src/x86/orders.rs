//! Orders of bytes and lanes, masks and signs, as instructions on words take them.

use crate::simd::Unit;
use crate::words::UNIT;

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
/// The first of two numbers in the lower half, the second in the upper half.
pub(super) const HALVES: [u8; UNIT] = halves(4);
/// The same of their lower words.
pub(super) const HALVES_AS_WORDS: [u8; UNIT] = halves(2);

/// The first `len` bytes of each of two numbers, as often as they fit a half.
const fn halves(len: u8) -> [u8; UNIT] {
    let mut bytes = [0; UNIT];
    let (mut at, mut next) = (0, 0);
    while at < UNIT {
        bytes[at] = if at < UNIT / 2 { next } else { 4 + next };
        (at, next) = (at + 1, (next + 1) % len);
    }
    bytes
}

/// Of eight the first and the fifth, the second and the sixth, and so on.
pub(super) const IN_TURN: [u32; 8] = [0, 4, 1, 5, 2, 6, 3, 7];
/// Six bits of each byte, the upper two of these, and a nibble.
pub(super) const SIX: u32 = 0x3F3F_3F3F;
pub(super) const UPPER_TWO: u32 = 0x3030_3030;
pub(super) const NIBBLE: u32 = 0x0F0F_0F0F;
/// Minima are taken off.
pub(super) const SIGNS: Unit = [0., -0., 0., -0., 0., -0., 0., -0., 0., -0., 0., -0., 0., -0., 0., -0.];
