//! What operations on words are made of: eight numbers in a register.
#![expect(unsafe_code, reason = "vector instructions behind a token that proves their support")]

use core::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_and_si128, _mm_extract_epi32, _mm_hadd_epi32, _mm_loadu_si128,
    _mm_or_si128, _mm_set_epi16, _mm_shuffle_epi32, _mm_srlv_epi32, _mm256_add_epi32, _mm256_castpd_ps,
    _mm256_castps_pd, _mm256_castsi256_si128, _mm256_cvtepi32_ps, _mm256_cvtepu8_epi32, _mm256_cvtph_ps,
    _mm256_cvtps_epi32, _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_packs_epi32,
    _mm256_permute4x64_pd, _mm256_permutevar8x32_epi32, _mm256_shuffle_epi32, _mm256_shuffle_ps,
    _mm256_storeu_ps, _mm256_storeu_si256,
};

use super::Avx2;
use super::instruction::{lanes, memory};
use super::orders::{IN_TURN, NIBBLE, SIX, UPPER_TWO};
use crate::words::{Numbers, UNIT, WordLanes as _};

/// Gives what it was given, by an instruction that is none. Not `pure`: such may change places, and their order is the use.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn kept(mut sums: __m256i) -> __m256i {
    // SAFETY: a comment touches nothing.
    unsafe { core::arch::asm!("/* {0} */", inout(ymm_reg) sums, options(nomem, nostack, preserves_flags)) };
    sums
}

impl Avx2 {
    #[inline(always)]
    pub(super) fn eight_integers(self, from: &[u32; 8]) -> __m256i {
        memory!(_mm256_loadu_si256(from.as_ptr().cast()))
    }

    #[inline(always)]
    pub(super) fn eight_signed(self, from: &[i32; 8]) -> __m256i {
        memory!(_mm256_loadu_si256(from.as_ptr().cast()))
    }

    /// Of each 32 bits of `a` the two products, of even and of odd places, summed up.
    #[inline(always)]
    pub(super) fn products(self, a: [__m256i; 2], x: &[i16; UNIT]) -> __m256i {
        let [even, odd] = self.load_words(x);
        let (even, odd) = (lanes!(_mm256_madd_epi16(a[0], even)), lanes!(_mm256_madd_epi16(a[1], odd)));
        lanes!(_mm256_add_epi32(even, odd))
    }

    /// What the first four lanes sum up to, and the other four.
    #[inline(always)]
    pub(super) fn sums_of_fours(self, a: __m256i) -> [i32; 2] {
        let (low, high) = (lanes!(_mm256_castsi256_si128(a)), lanes!(_mm256_extracti128_si256::<1>(a)));
        let twos = lanes!(_mm_hadd_epi32(low, high));
        let fours = lanes!(_mm_hadd_epi32(twos, twos));
        [lanes!(_mm_extract_epi32::<0>(fours)), lanes!(_mm_extract_epi32::<1>(fours))]
    }

    /// In each half the number at `at` of its four.
    #[inline(always)]
    pub(super) fn spread(self, numbers: &[i32; 8], at: usize) -> __m256i {
        let numbers = self.eight_signed(numbers);
        match at {
            0 => lanes!(_mm256_shuffle_epi32::<0b00_00_00_00>(numbers)),
            1 => lanes!(_mm256_shuffle_epi32::<0b01_01_01_01>(numbers)),
            2 => lanes!(_mm256_shuffle_epi32::<0b10_10_10_10>(numbers)),
            _ => lanes!(_mm256_shuffle_epi32::<0b11_11_11_11>(numbers)),
        }
    }

    /// Each lane of `a` moved down by its count of bits, and its mask.
    #[inline(always)]
    fn moved_and_masked(self, a: __m128i, counts: &[u32; 4], masks: &[u32; 4]) -> __m128i {
        let counts = memory!(_mm_loadu_si128(counts.as_ptr().cast()));
        let masks = memory!(_mm_loadu_si128(masks.as_ptr().cast()));
        let moved = lanes!(_mm_srlv_epi32(a, counts));
        lanes!(_mm_and_si128(moved, masks))
    }

    /// Eight scales, then eight minima, out of the first sixteen bytes of a block of `Q4_K` or `Q5_K`.
    #[inline(always)]
    pub(super) fn six_bit_bytes(self, header: &[u8; 16]) -> __m128i {
        let all = memory!(_mm_loadu_si128(header.as_ptr().cast()));
        let own = lanes!(_mm_shuffle_epi32::<0b10_10_01_01>(all));
        let own = self.moved_and_masked(own, &[0, 2, 0, 2], &[SIX, UPPER_TWO, SIX, UPPER_TWO]);
        let shared = lanes!(_mm_shuffle_epi32::<0b11_11_11_11>(all));
        let shared = self.moved_and_masked(shared, &[0, 0, 0, 4], &[0, NIBBLE, 0, NIBBLE]);
        lanes!(_mm_or_si128(own, shared))
    }

    /// Rounded to words. Twos of the one and of the other lie in turn in each half; twos of both halves then lie in turn.
    #[inline(always)]
    pub(super) fn packed(self, first: __m256, second: __m256) -> __m256i {
        let (first, second) = (lanes!(_mm256_cvtps_epi32(first)), lanes!(_mm256_cvtps_epi32(second)));
        let words = lanes!(_mm256_packs_epi32(first, second));
        lanes!(_mm256_permutevar8x32_epi32(words, self.eight_integers(&IN_TURN)))
    }

    /// Of four twos the first, the third, the second, the fourth.
    #[inline(always)]
    pub(super) fn twos_in_order(self, a: __m256) -> __m256 {
        let twos = lanes!(_mm256_castps_pd(a));
        let twos = lanes!(_mm256_permute4x64_pd::<0b11_01_10_00>(twos));
        lanes!(_mm256_castpd_ps(twos))
    }

    /// Every second of both.
    #[inline(always)]
    pub(super) fn odd(self, a: __m256, b: __m256) -> __m256 {
        self.twos_in_order(lanes!(_mm256_shuffle_ps::<0b11_01_11_01>(a, b)))
    }

    #[inline(always)]
    pub(super) fn store_eight(self, value: __m256, to: &mut [f32; 8]) {
        memory!(_mm256_storeu_ps(to.as_mut_ptr(), value));
    }

    /// The `number`th eight of the multipliers.
    #[inline(always)]
    pub(super) fn store_multipliers(self, pairs: __m256i, to: &mut Numbers, number: usize) {
        let eight = &mut to.multipliers.as_chunks_mut::<8>().0[number];
        memory!(_mm256_storeu_si256(eight.as_mut_ptr().cast(), pairs));
    }

    #[inline(always)]
    pub(super) fn halves_as_floats(self, halves: [u16; 8]) -> __m256 {
        let h = halves.map(u16::cast_signed);
        let halves = lanes!(_mm_set_epi16(h[7], h[6], h[5], h[4], h[3], h[2], h[1], h[0]));
        lanes!(_mm256_cvtph_ps(halves))
    }

    /// The first eight bytes as floats.
    #[inline(always)]
    pub(super) fn eight_floats(self, bytes: __m128i) -> __m256 {
        let integers = lanes!(_mm256_cvtepu8_epi32(bytes));
        lanes!(_mm256_cvtepi32_ps(integers))
    }
}
