//! Words in two 256-bit registers: AVX2.
#![expect(unsafe_code, reason = "vector instructions behind a token that proves their support")]

use core::arch::x86_64::{
    __m256, __m256i, _mm_broadcastd_epi32, _mm_cvtss_f32, _mm_loadu_si128, _mm_shuffle_epi8,
    _mm_unpackhi_epi64, _mm256_add_epi32, _mm256_add_ps, _mm256_and_si256, _mm256_broadcastsi128_si256,
    _mm256_castps256_ps128, _mm256_castsi256_ps, _mm256_cmpeq_epi8, _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps,
    _mm256_cvtepu8_epi32, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_loadu_si256, _mm256_madd_epi16,
    _mm256_movehdup_ps, _mm256_mul_ps, _mm256_mullo_epi16, _mm256_mullo_epi32, _mm256_or_si256,
    _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_shuffle_ps, _mm256_slli_epi16, _mm256_srai_epi16,
    _mm256_srli_epi16, _mm256_srlv_epi32, _mm256_storeu_si256, _mm256_sub_epi8, _mm256_sub_epi16,
    _mm256_xor_ps,
};

use super::Avx2;
use super::eights::kept;
use super::instruction::{lanes, memory};
use super::orders::{APART, BIT, BYTE_OF_BIT, NIBBLES, SIGNS, lower_word};
use crate::simd::{Simd as _, Unit};
use crate::words::{Numbers, STRETCH, UNIT, WordLanes};

impl WordLanes for Avx2 {
    type B = __m256i;
    /// Even places, odd places.
    type W = [__m256i; 2];
    type Integers = __m256i;
    type Sums = __m256;

    #[inline(always)]
    fn load_bytes(self, from: &[u8; UNIT]) -> __m256i {
        memory!(_mm256_loadu_si256(from.as_ptr().cast()))
    }
    #[inline(always)]
    fn nibble_bytes(self, from: &[u8; 16]) -> __m256i {
        let packed = memory!(_mm_loadu_si128(from.as_ptr().cast()));
        let twice = lanes!(_mm256_broadcastsi128_si256(packed));
        let moved = lanes!(_mm256_srlv_epi32(twice, self.eight_integers(&NIBBLES)));
        self.and_bytes(moved, 15)
    }
    #[inline(always)]
    fn fifth_bytes(self, bits: u32) -> __m256i {
        let (places, own) = (self.load_bytes(&BYTE_OF_BIT), self.load_bytes(&BIT));
        let all = lanes!(_mm256_set1_epi32(bits.cast_signed()));
        let bytes = lanes!(_mm256_shuffle_epi8(all, places));
        let kept = lanes!(_mm256_and_si256(bytes, own));
        self.and_bytes(lanes!(_mm256_cmpeq_epi8(kept, own)), 16)
    }
    #[inline(always)]
    fn and_bytes(self, a: __m256i, mask: u8) -> __m256i {
        let mask = lanes!(_mm256_set1_epi8(mask.cast_signed()));
        lanes!(_mm256_and_si256(a, mask))
    }
    #[inline(always)]
    fn lookup_bytes(self, a: __m256i, values: &[i8; 16]) -> __m256i {
        let values = memory!(_mm_loadu_si128(values.as_ptr().cast()));
        let values = lanes!(_mm256_broadcastsi128_si256(values));
        lanes!(_mm256_shuffle_epi8(values, a))
    }
    #[inline(always)]
    fn or_bytes(self, a: __m256i, b: __m256i) -> __m256i {
        lanes!(_mm256_or_si256(a, b))
    }
    #[inline(always)]
    fn down_bytes<const N: i32>(self, a: __m256i) -> __m256i {
        self.and_bytes(lanes!(_mm256_srli_epi16::<N>(a)), u8::MAX >> N)
    }
    #[inline(always)]
    fn up_bytes<const N: i32>(self, a: __m256i) -> __m256i {
        self.and_bytes(lanes!(_mm256_slli_epi16::<N>(a)), u8::MAX << N)
    }
    #[inline(always)]
    fn bytes_around(self, a: __m256i, middle: u8) -> __m256i {
        let middle = lanes!(_mm256_set1_epi8(middle.cast_signed()));
        lanes!(_mm256_sub_epi8(a, middle))
    }
    #[inline(always)]
    fn store_bytes(self, a: __m256i, to: &mut [u8; UNIT]) {
        memory!(_mm256_storeu_si256(to.as_mut_ptr().cast(), a));
    }
    #[inline(always)]
    fn low_nibbles(self, a: __m256i) -> [__m256i; 2] {
        let (mask, odd) = (lanes!(_mm256_set1_epi16(15)), lanes!(_mm256_srli_epi16::<8>(a)));
        [lanes!(_mm256_and_si256(a, mask)), lanes!(_mm256_and_si256(odd, mask))]
    }
    #[inline(always)]
    fn high_nibbles(self, a: __m256i) -> [__m256i; 2] {
        let (mask, even) = (lanes!(_mm256_set1_epi16(15)), lanes!(_mm256_srli_epi16::<4>(a)));
        [lanes!(_mm256_and_si256(even, mask)), lanes!(_mm256_srli_epi16::<12>(a))]
    }
    #[inline(always)]
    fn unsigned_words(self, a: __m256i) -> [__m256i; 2] {
        let mask = lanes!(_mm256_set1_epi16(0xFF));
        [lanes!(_mm256_and_si256(a, mask)), lanes!(_mm256_srli_epi16::<8>(a))]
    }
    #[inline(always)]
    fn words_around(self, a: __m256i, middle: i16) -> [__m256i; 2] {
        let ([even, odd], middle) = (self.unsigned_words(a), lanes!(_mm256_set1_epi16(middle)));
        [lanes!(_mm256_sub_epi16(even, middle)), lanes!(_mm256_sub_epi16(odd, middle))]
    }
    #[inline(always)]
    fn signed_words(self, a: __m256i) -> [__m256i; 2] {
        let raised = lanes!(_mm256_slli_epi16::<8>(a));
        [lanes!(_mm256_srai_epi16::<8>(raised)), lanes!(_mm256_srai_epi16::<8>(a))]
    }
    #[inline(always)]
    fn rounded_words(self, x: &[f32; UNIT], factor: f32) -> [__m256i; 2] {
        let ([low, high], factor) = (x.as_chunks::<16>().0, self.splat(factor)) else {
            unreachable!("a unit is two times sixteen");
        };
        let [a, b] = self.mul(self.load(low), factor);
        let [c, d] = self.mul(self.load(high), factor);
        let even = self.packed(
            lanes!(_mm256_shuffle_ps::<0b10_00_10_00>(a, b)),
            lanes!(_mm256_shuffle_ps::<0b10_00_10_00>(c, d)),
        );
        let odd = self.packed(
            lanes!(_mm256_shuffle_ps::<0b11_01_11_01>(a, b)),
            lanes!(_mm256_shuffle_ps::<0b11_01_11_01>(c, d)),
        );
        [even, odd]
    }
    #[inline(always)]
    fn half_sums(self, a: [__m256i; 2]) -> [i32; 2] {
        let one = lanes!(_mm256_set1_epi16(1));
        let (even, odd) = (lanes!(_mm256_madd_epi16(a[0], one)), lanes!(_mm256_madd_epi16(a[1], one)));
        self.sums_of_fours(lanes!(_mm256_add_epi32(even, odd)))
    }
    #[inline(always)]
    fn store_words(self, a: [__m256i; 2], to: &mut [i16; UNIT]) {
        for (half, to) in a.into_iter().zip(to.as_chunks_mut::<16>().0) {
            memory!(_mm256_storeu_si256(to.as_mut_ptr().cast(), half));
        }
    }
    #[inline(always)]
    fn load_words(self, from: &[i16; UNIT]) -> [__m256i; 2] {
        let halves = from.as_chunks::<16>().0;
        let even = memory!(_mm256_loadu_si256(halves[0].as_ptr().cast()));
        [even, memory!(_mm256_loadu_si256(halves[1].as_ptr().cast()))]
    }
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "multipliers fit words")]
    fn times(self, a: [__m256i; 2], multiplier: i32) -> [__m256i; 2] {
        let multiplier = lanes!(_mm256_set1_epi16(multiplier as i16));
        [lanes!(_mm256_mullo_epi16(a[0], multiplier)), lanes!(_mm256_mullo_epi16(a[1], multiplier))]
    }
    #[inline(always)]
    fn times_halves(self, a: [__m256i; 2], multipliers: &[i32; 8], at: usize) -> [__m256i; 2] {
        let order = const { [lower_word(0), lower_word(1), lower_word(2), lower_word(3)] };
        let multipliers = self.eight_signed(multipliers);
        let multipliers = lanes!(_mm256_shuffle_epi8(multipliers, self.load_bytes(&order[at])));
        [lanes!(_mm256_mullo_epi16(a[0], multipliers)), lanes!(_mm256_mullo_epi16(a[1], multipliers))]
    }
    #[inline(always)]
    fn six_bits(self, header: &[u8; 16], to: &mut Numbers) {
        let all = memory!(_mm_loadu_si128(header.as_ptr().cast()));
        let bytes = self.six_bit_bytes(header);
        self.store_multipliers(lanes!(_mm256_cvtepu8_epi32(bytes)), to, 0);
        let minima = self.eight_floats(lanes!(_mm_unpackhi_epi64(bytes, bytes)));
        let factors = lanes!(_mm_broadcastd_epi32(all));
        let factors = lanes!(_mm256_cvtph_ps(factors));
        let factors = lanes!(_mm256_xor_ps(factors, self.load(&SIGNS)[0]));
        let scale = lanes!(_mm256_castps256_ps128(factors));
        to.scales[0] = lanes!(_mm_cvtss_f32(scale));
        let factor = lanes!(_mm256_movehdup_ps(factors));
        self.store_eight(lanes!(_mm256_mul_ps(minima, factor)), &mut to.offsets[0]);
    }
    #[inline(always)]
    fn word_bits(self, a: [__m256i; 2]) -> [__m256; 2] {
        [lanes!(_mm256_castsi256_ps(a[0])), lanes!(_mm256_castsi256_ps(a[1]))]
    }
    #[inline(always)]
    fn no_pairs(self) -> [__m256i; 2] {
        [lanes!(_mm256_setzero_si256()); 2]
    }
    #[inline(always)]
    fn load_pairs(self, from: &Unit) -> [__m256i; 2] {
        let halves = from.as_chunks::<8>().0;
        let low = memory!(_mm256_loadu_si256(halves[0].as_ptr().cast()));
        [low, memory!(_mm256_loadu_si256(halves[1].as_ptr().cast()))]
    }
    #[inline(always)]
    fn splat_pair(self, [low, high]: &[i16; 2]) -> [__m256i; 2] {
        let bits = u32::from(low.cast_unsigned()) | u32::from(high.cast_unsigned()) << 16;
        [lanes!(_mm256_set1_epi32(bits.cast_signed())); 2]
    }
    #[inline(always)]
    fn add_pairs(self, sums: [__m256i; 2], a: [__m256i; 2], x: [__m256i; 2]) -> [__m256i; 2] {
        let (low, high) = (lanes!(_mm256_madd_epi16(a[0], x[0])), lanes!(_mm256_madd_epi16(a[1], x[1])));
        [lanes!(_mm256_add_epi32(sums[0], low)), lanes!(_mm256_add_epi32(sums[1], high))]
    }
    #[inline(always)]
    fn kept_pairs(self, sums: [__m256i; 2]) -> [__m256i; 2] {
        [lanes!(kept(sums[0])), lanes!(kept(sums[1]))]
    }
    #[inline(always)]
    fn scales(self, halves: [u16; STRETCH], to: &mut Numbers) {
        self.store_eight(self.halves_as_floats(halves), &mut to.scales);
    }
    #[inline(always)]
    fn scales_around(self, halves: [u16; STRETCH], middle: f32, to: &mut Numbers) {
        let scales = self.halves_as_floats(halves);
        self.store_eight(scales, &mut to.scales);
        let factor = lanes!(_mm256_set1_ps(-middle));
        self.store_eight(lanes!(_mm256_mul_ps(scales, factor)), &mut to.offsets[0]);
    }
    #[inline(always)]
    fn deal(self, pairs: [__m256; 2], to: &mut Numbers) {
        // Twos of the one and of the other lie in turn.
        let scales = lanes!(_mm256_shuffle_ps::<0b10_00_10_00>(pairs[0], pairs[1]));
        self.store_eight(self.twos_in_order(scales), &mut to.scales);
        self.store_eight(self.odd(pairs[0], pairs[1]), &mut to.offsets[0]);
    }
    #[inline(always)]
    fn multipliers(self, bytes: &[u8; 2 * STRETCH], to: &mut Numbers) {
        let all = memory!(_mm_loadu_si128(bytes.as_ptr().cast()));
        let order = memory!(_mm_loadu_si128(APART.as_ptr().cast()));
        let all = lanes!(_mm_shuffle_epi8(all, order));
        let upper = lanes!(_mm_unpackhi_epi64(all, all));
        self.store_multipliers(lanes!(_mm256_cvtepi8_epi32(all)), to, 0);
        self.store_multipliers(lanes!(_mm256_cvtepi8_epi32(upper)), to, 1);
    }
    #[inline(always)]
    fn no_integers(self) -> __m256i {
        lanes!(_mm256_setzero_si256())
    }
    #[inline(always)]
    fn add_products(self, sums: __m256i, a: [__m256i; 2], x: &[i16; UNIT]) -> __m256i {
        let [even, odd] = self.load_words(x);
        let (even, odd) = (lanes!(_mm256_madd_epi16(a[0], even)), lanes!(_mm256_madd_epi16(a[1], odd)));
        let sums = lanes!(_mm256_add_epi32(sums, even));
        lanes!(_mm256_add_epi32(sums, odd))
    }
    #[inline(always)]
    fn kept(self, sums: __m256i) -> __m256i {
        lanes!(kept(sums))
    }
    #[inline(always)]
    fn add_times(self, sums: __m256i, a: [__m256i; 2], x: &[i16; UNIT], multiplier: i32) -> __m256i {
        let multiplier = lanes!(_mm256_set1_epi32(multiplier));
        let products = lanes!(_mm256_mullo_epi32(self.products(a, x), multiplier));
        lanes!(_mm256_add_epi32(sums, products))
    }
    #[inline(always)]
    fn add_times_halves(
        self,
        sums: __m256i,
        a: [__m256i; 2],
        x: &[i16; UNIT],
        multipliers: &[i32; 8],
        at: usize,
    ) -> __m256i {
        let multipliers = self.spread(multipliers, at);
        let products = lanes!(_mm256_mullo_epi32(self.products(a, x), multipliers));
        lanes!(_mm256_add_epi32(sums, products))
    }
    #[inline(always)]
    fn no_sums(self) -> __m256 {
        lanes!(_mm256_setzero_ps())
    }
    #[inline(always)]
    fn add_integers(self, sums: __m256, integers: __m256i, scale: f32) -> __m256 {
        let integers = lanes!(_mm256_cvtepi32_ps(integers));
        self.add_scaled(sums, integers, scale)
    }
    #[inline(always)]
    fn add_scaled(self, sums: __m256, part: __m256, scale: f32) -> __m256 {
        let scale = lanes!(_mm256_set1_ps(scale));
        lanes!(_mm256_fmadd_ps(part, scale, sums))
    }
    #[inline(always)]
    fn add_offsets(self, sums: __m256, offsets: &[f32; STRETCH], x: &[f32; STRETCH]) -> __m256 {
        let (offsets, x) = (self.load_eight(offsets), self.load_eight(x));
        lanes!(_mm256_fmadd_ps(offsets, x, sums))
    }
    #[inline(always)]
    fn join(self, a: __m256, b: __m256) -> __m256 {
        lanes!(_mm256_add_ps(a, b))
    }
    #[inline(always)]
    fn total(self, sums: __m256) -> f32 {
        self.sum_eight(sums)
    }
}
