//! The generator behind sampling: small, seeded, the same on every machine. Not for keys.

/// xoshiro256++ with its state filled by SplitMix64.
///
/// Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators" (2021), algorithm
/// xoshiro256++; <https://prng.di.unimi.it/xoshiro256plusplus.c> and `splitmix64.c`.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// The sequence of that seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut mixer = seed;
        Self { state: core::array::from_fn(|_| split_mix(&mut mixer)) }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let next = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        next
    }

    /// The next number in `[0, 1)`: 53 bits, evenly spaced.
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
    pub fn next_unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_the_published_sequence() {
        let mut random = Random { state: [1, 2, 3, 4] };
        let first: [u64; 4] = core::array::from_fn(|_| random.next_u64());
        assert_eq!(first, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    #[test]
    fn units_stay_below_one_and_differ_by_seed() {
        let (mut one, mut two) = (Random::from_seed(1), Random::from_seed(2));
        assert_ne!(one.next_u64(), two.next_u64());
        for _ in 0..1000 {
            let unit = one.next_unit();
            assert!((0.0..1.0).contains(&unit), "{unit}");
        }
    }
}
