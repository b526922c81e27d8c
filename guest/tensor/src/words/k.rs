//! Formats of 256 elements a block, in groups with small integer scales of their own.

use super::{Multipliers, Numbers, STRETCH, WordFormat, WordLanes, cut};

pub(super) struct Q4K;
pub(super) struct Q5K;
pub(super) struct Q6K;

/// The 32 bytes that hold the nibbles of unit `unit` and of its neighbour.
#[inline(always)]
fn packed<S: WordLanes>(s: S, nibbles: &[u8], unit: usize) -> S::B {
    s.load_bytes(cut(nibbles, unit / 2 * 32))
}

impl WordFormat<144, 1> for Q4K {
    /// Words are at most 15 · 63.
    const RUN: usize = STRETCH;
    const MULTIPLIERS: Multipliers = Multipliers::OfUnits;
    const HAS_OFFSETS: bool = true;

    #[inline(always)]
    fn numbers<S: WordLanes>(s: S, [block]: &[[u8; 144]; 1], to: &mut Numbers) {
        s.six_bits(cut(block, 0), to);
    }

    /// Lower nibbles of even units, upper ones of odd units, 32 bytes for each two.
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
    const HAS_OFFSETS: bool = true;

    #[inline(always)]
    fn numbers<S: WordLanes>(s: S, [block]: &[[u8; 176]; 1], to: &mut Numbers) {
        s.six_bits(cut(block, 0), to);
    }

    /// Nibbles as in `Q4_K`. The fifth bit of unit `u` is bit `u` of 32 bytes that all units share.
    #[inline(always)]
    fn words<S: WordLanes>(s: S, [block]: &[[u8; 176]; 1], unit: usize) -> S::W {
        let packed = packed(s, &block[48..], unit);
        let nibbles =
            if unit.is_multiple_of(2) { s.and_bytes(packed, 15) } else { s.down_bytes::<4>(packed) };
        let bits = s.load_bytes(cut(block, 16));
        let fifths = match unit {
            0 => s.up_bytes::<4>(bits),
            1 => s.up_bytes::<3>(bits),
            2 => s.up_bytes::<2>(bits),
            3 => s.up_bytes::<1>(bits),
            4 => bits,
            5 => s.down_bytes::<1>(bits),
            6 => s.down_bytes::<2>(bits),
            _ => s.down_bytes::<3>(bits),
        };
        s.unsigned_words(s.or_bytes(nibbles, s.and_bytes(fifths, 16)))
    }
}

impl WordFormat<210, 1> for Q6K {
    /// Words are at most 32 · 128.
    const RUN: usize = STRETCH / 2;
    const MULTIPLIERS: Multipliers = Multipliers::OfHalves;
    const HAS_OFFSETS: bool = false;

    #[inline(always)]
    fn numbers<S: WordLanes>(s: S, [block]: &[[u8; 210]; 1], to: &mut Numbers) {
        let scale = s.half(u16::from_le_bytes(*cut(block, 208)));
        (to.scales[0], to.scales[STRETCH / 2]) = (scale, scale);
        s.multipliers(cut(block, 192), to);
    }

    /// Each half of 128 elements has 64 bytes of nibbles and 32 bytes of bit pairs.
    #[inline(always)]
    fn words<S: WordLanes>(s: S, [block]: &[[u8; 210]; 1], unit: usize) -> S::W {
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
        s.words_around(s.or_bytes(low, s.and_bytes(upper, 0x30)), 32)
    }
}
