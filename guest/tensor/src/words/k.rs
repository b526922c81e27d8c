//! Formats of 256 elements a block, in groups with small integer scales of their own.

use super::{Multipliers, Numbers, STRETCH, WordFormat, WordLanes, cut};
use crate::codebook::IQ4_VALUES;
use crate::scales::{of_iq4_xs, of_q3_k};

pub(super) struct Q2K;
pub(super) struct Q3K;
pub(super) struct Q4K;
pub(super) struct Q5K;
pub(super) struct Q6K;
pub(super) struct Iq4Xs;

/// The 32 bytes that hold the nibbles of unit `unit` and of its neighbour.
#[inline(always)]
fn packed<S: WordLanes>(s: S, nibbles: &[u8], unit: usize) -> S::B {
    s.load_bytes(cut(nibbles, unit / 2 * 32))
}

/// Lower nibbles of even units, upper ones of odd units, 32 bytes for each two.
#[inline(always)]
fn nibbles<S: WordLanes>(s: S, nibbles: &[u8], unit: usize) -> S::B {
    let packed = packed(s, nibbles, unit);
    if unit.is_multiple_of(2) { s.and_bytes(packed, 15) } else { s.down_bytes::<4>(packed) }
}

#[inline(always)]
fn half_at<S: WordLanes>(s: S, block: &[u8], at: usize) -> f32 {
    s.half(u16::from_le_bytes(*cut(block, at)))
}

/// Pair of bits number `at` of each byte.
#[inline(always)]
fn bit_pairs<S: WordLanes>(s: S, bytes: S::B, at: usize) -> S::B {
    match at {
        0 => s.and_bytes(bytes, 3),
        1 => s.and_bytes(s.down_bytes::<2>(bytes), 3),
        2 => s.and_bytes(s.down_bytes::<4>(bytes), 3),
        _ => s.down_bytes::<6>(bytes),
    }
}

/// Bit `number` of each byte moved to bit `place`, which is 2 or 4.
#[inline(always)]
fn bit_to<S: WordLanes>(s: S, bytes: S::B, number: usize, place: usize) -> S::B {
    let moved = match 8 + place - number {
        12 => s.up_bytes::<4>(bytes),
        11 => s.up_bytes::<3>(bytes),
        10 => s.up_bytes::<2>(bytes),
        9 => s.up_bytes::<1>(bytes),
        8 => bytes,
        7 => s.down_bytes::<1>(bytes),
        6 => s.down_bytes::<2>(bytes),
        5 => s.down_bytes::<3>(bytes),
        4 => s.down_bytes::<4>(bytes),
        _ => s.down_bytes::<5>(bytes),
    };
    s.and_bytes(moved, 1 << place)
}

impl WordFormat<84, 1> for Q2K {
    /// Words are at most 3 · 15.
    const RUN: usize = STRETCH;
    const MULTIPLIERS: Multipliers = Multipliers::OfHalves;
    const OFFSETS: usize = 2;
    const IS_SIGNED: bool = false;

    /// A nibble for the scale and one for the minimum of each half of a unit.
    #[inline(always)]
    fn numbers<S: WordLanes>(s: S, [block]: &[[u8; 84]; 1], to: &mut Numbers) {
        let both: &[u8; 16] = cut(block, 0);
        s.multipliers(&both.map(|byte| byte & 15), to);
        let minima = s.float(s.down::<4>(s.bytes(both)));
        s.store(s.mul(minima, s.splat(-half_at(s, block, 82))), to.of_halves());
        to.scales[0] = half_at(s, block, 80);
    }

    /// Each half of 128 elements has 32 bytes of bit pairs.
    #[inline(always)]
    fn bytes<S: WordLanes>(s: S, [block]: &[[u8; 84]; 1], unit: usize) -> S::B {
        bit_pairs(s, s.load_bytes(cut(block, 16 + unit / 4 * 32)), unit % 4)
    }
}

impl WordFormat<110, 1> for Q3K {
    /// Words are at most 4 · 32.
    const RUN: usize = STRETCH / 2;
    const MULTIPLIERS: Multipliers = Multipliers::OfHalves;
    const OFFSETS: usize = 0;
    const IS_SIGNED: bool = true;

    #[inline(always)]
    fn numbers<S: WordLanes>(s: S, [block]: &[[u8; 110]; 1], to: &mut Numbers) {
        let scale = half_at(s, block, 108);
        (to.scales[0], to.scales[STRETCH / 2]) = (scale, scale);
        s.multipliers(&of_q3_k(cut(block, 96)), to);
        for multiplier in &mut to.multipliers {
            *multiplier -= 32;
        }
    }

    #[inline(always)]
    fn bytes<S: WordLanes>(s: S, [block]: &[[u8; 110]; 1], unit: usize) -> S::B {
        s.bytes_around(three_bits(s, block, unit), 4)
    }

    #[inline(always)]
    fn words<S: WordLanes>(s: S, [block]: &[[u8; 110]; 1], unit: usize) -> S::W {
        s.words_around(three_bits(s, block, unit), 4)
    }
}

/// Bit pairs as in `Q2_K`. The third bit of unit `u` is bit `u` of 32 bytes that all units share.
#[inline(always)]
fn three_bits<S: WordLanes>(s: S, block: &[u8; 110], unit: usize) -> S::B {
    let pairs = bit_pairs(s, s.load_bytes(cut(block, 32 + unit / 4 * 32)), unit % 4);
    s.or_bytes(pairs, bit_to(s, s.load_bytes(cut(block, 0)), unit, 2))
}

impl WordFormat<144, 1> for Q4K {
    /// Words are at most 15 · 63.
    const RUN: usize = STRETCH;
    const MULTIPLIERS: Multipliers = Multipliers::OfUnits;
    const OFFSETS: usize = 1;
    const IS_SIGNED: bool = false;

    #[inline(always)]
    fn numbers<S: WordLanes>(s: S, [block]: &[[u8; 144]; 1], to: &mut Numbers) {
        s.six_bits(cut(block, 0), to);
    }

    #[inline(always)]
    fn bytes<S: WordLanes>(s: S, [block]: &[[u8; 144]; 1], unit: usize) -> S::B {
        nibbles(s, &block[16..], unit)
    }

    #[inline(always)]
    fn words<S: WordLanes>(s: S, [block]: &[[u8; 144]; 1], unit: usize) -> S::W {
        let packed = packed(s, &block[16..], unit);
        if unit.is_multiple_of(2) { s.low_nibbles(packed) } else { s.high_nibbles(packed) }
    }
}

impl WordFormat<176, 1> for Q5K {
    /// Words are at most 31 · 63.
    const RUN: usize = STRETCH;
    const MULTIPLIERS: Multipliers = Multipliers::OfUnits;
    const OFFSETS: usize = 1;
    const IS_SIGNED: bool = false;

    #[inline(always)]
    fn numbers<S: WordLanes>(s: S, [block]: &[[u8; 176]; 1], to: &mut Numbers) {
        s.six_bits(cut(block, 0), to);
    }

    /// Nibbles as in `Q4_K`. The fifth bit of unit `u` is bit `u` of 32 bytes that all units share.
    #[inline(always)]
    fn bytes<S: WordLanes>(s: S, [block]: &[[u8; 176]; 1], unit: usize) -> S::B {
        let fifths = bit_to(s, s.load_bytes(cut(block, 16)), unit, 4);
        s.or_bytes(nibbles(s, &block[48..], unit), fifths)
    }
}

impl WordFormat<210, 1> for Q6K {
    /// Words are at most 32 · 128.
    const RUN: usize = STRETCH / 2;
    const MULTIPLIERS: Multipliers = Multipliers::OfHalves;
    const OFFSETS: usize = 0;
    const IS_SIGNED: bool = true;

    #[inline(always)]
    fn numbers<S: WordLanes>(s: S, [block]: &[[u8; 210]; 1], to: &mut Numbers) {
        let scale = half_at(s, block, 208);
        (to.scales[0], to.scales[STRETCH / 2]) = (scale, scale);
        s.multipliers(cut(block, 192), to);
    }

    #[inline(always)]
    fn bytes<S: WordLanes>(s: S, [block]: &[[u8; 210]; 1], unit: usize) -> S::B {
        s.bytes_around(six_bits(s, block, unit), 32)
    }

    #[inline(always)]
    fn words<S: WordLanes>(s: S, [block]: &[[u8; 210]; 1], unit: usize) -> S::W {
        s.words_around(six_bits(s, block, unit), 32)
    }
}

/// Each half of 128 elements has 64 bytes of nibbles and 32 bytes of bit pairs.
#[inline(always)]
fn six_bits<S: WordLanes>(s: S, block: &[u8; 210], unit: usize) -> S::B {
    let (half, quarter) = (unit / 4, unit % 4);
    let bytes = s.load_bytes(cut(block, half * 64 + quarter % 2 * 32));
    let low = if quarter < 2 { s.and_bytes(bytes, 15) } else { s.down_bytes::<4>(bytes) };
    let upper = s.load_bytes(cut(block, 128 + half * 32));
    let upper = match quarter {
        0 => s.up_bytes::<4>(upper),
        1 => s.up_bytes::<2>(upper),
        2 => upper,
        _ => s.down_bytes::<2>(upper),
    };
    s.or_bytes(low, s.and_bytes(upper, 0x30))
}

impl WordFormat<136, 1> for Iq4Xs {
    /// Words are at most 127 · 32.
    const RUN: usize = STRETCH / 2;
    const MULTIPLIERS: Multipliers = Multipliers::OfUnits;
    const OFFSETS: usize = 0;
    const IS_SIGNED: bool = true;

    #[inline(always)]
    fn numbers<S: WordLanes>(s: S, [block]: &[[u8; 136]; 1], to: &mut Numbers) {
        let scale = half_at(s, block, 0);
        (to.scales[0], to.scales[STRETCH / 2]) = (scale, scale);
        for (multiplier, byte) in to.multipliers.iter_mut().zip(of_iq4_xs(cut(block, 2))) {
            *multiplier = i32::from(byte) - 32;
        }
    }

    #[inline(always)]
    fn bytes<S: WordLanes>(s: S, [block]: &[[u8; 136]; 1], unit: usize) -> S::B {
        s.lookup_bytes(s.nibble_bytes(cut(block, 8 + unit * 16)), &IQ4_VALUES)
    }
}
