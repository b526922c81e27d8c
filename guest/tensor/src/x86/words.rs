//! Words in two 256-bit registers: AVX2.
#![expect(unsafe_code, reason = "vector instructions behind a token that proves their support")]

use core::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_and_si128, _mm_broadcastd_epi32, _mm_loadu_si128, _mm_or_si128,
    _mm_shuffle_epi8, _mm_shuffle_epi32, _mm_srlv_epi32, _mm_unpackhi_epi64, _mm256_add_epi32, _mm256_add_ps,
    _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_castpd_ps, _mm256_castsi256_ps, _mm256_cmpeq_epi8,
    _mm256_cvtepi32_ps, _mm256_cvtepu8_epi32, _mm256_cvtph_ps, _mm256_cvtps_epi32, _mm256_fmadd_ps,
    _mm256_loadu_si256, _mm256_madd_epi16, _mm256_or_si256, _mm256_packs_epi32, _mm256_permutevar_ps,
    _mm256_permutevar8x32_epi32, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_pd,
    _mm256_set1_ps, _mm256_setzero_ps, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_shuffle_ps,
    _mm256_slli_epi16, _mm256_srai_epi16, _mm256_srli_epi16, _mm256_srlv_epi32, _mm256_storeu_si256,
    _mm256_sub_epi8, _mm256_xor_ps,
};

use super::Avx2;
use crate::simd::{Simd as _, Unit};
use crate::words::{UNIT, WordLanes};

/// One instruction that touches no memory.
macro_rules! lanes {
    ($call:expr) => {{
        // SAFETY: the token in `self` proves that the instruction is supported; it touches no memory.
        unsafe { $call }
    }};
}

/// One instruction on memory behind a reference.
macro_rules! memory {
    ($call:expr) => {{
        // SAFETY: the token in `self` proves that the instruction is supported; it needs no alignment, and
        // touches just the bytes of the array that the pointer was made of.
        unsafe { $call }
    }};
}

/// The byte of 32 bits that has the bit of each of 32 bytes.
const BYTE_OF_BIT: [u8; UNIT] = {
    let mut bytes = [0; UNIT];
    let mut at = 8;
    while at < UNIT {
        bytes[at] = bytes[at - 8] + 1;
        at += 1;
    }
    bytes
};

/// The bit in that byte.
const BIT: [u8; UNIT] = {
    let mut bits = [1; UNIT];
    let mut at = 0;
    while at < UNIT {
        bits[at] = 1 << (at % 8);
        at += 1;
    }
    bits
};

/// Upper nibbles are moved down in the upper half.
const NIBBLES: [u32; 8] = [0, 0, 0, 0, 4, 4, 4, 4];
/// The first of two numbers in the lower half, the second in the upper half.
const HALVES: [u32; 8] = [0, 0, 0, 0, 1, 1, 1, 1];

/// Of eight the first and the fifth, the second and the sixth, and so on.
const IN_TURN: [u32; 8] = [0, 4, 1, 5, 2, 6, 3, 7];
/// Six bits of each byte, the upper two of these, and a nibble.
const SIX: u32 = 0x3F3F_3F3F;
const UPPER_TWO: u32 = 0x3030_3030;
const NIBBLE: u32 = 0x0F0F_0F0F;
/// Four scales, four minima, and the same again, to scale and minimum.
const SIDE_BY_SIDE: [u8; 16] = [0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15];
/// Minima are taken off.
const SIGNS: Unit = [0., -0., 0., -0., 0., -0., 0., -0., 0., -0., 0., -0., 0., -0., 0., -0.];

impl Avx2 {
    #[inline(always)]
    fn eight_integers(self, from: &[u32; 8]) -> __m256i {
        memory!(_mm256_loadu_si256(from.as_ptr().cast()))
    }

    /// Of each 32 bits of `a` the two products, summed up.
    #[inline(always)]
    fn products(self, a: [__m256i; 2], x: &[i16; UNIT]) -> __m256i {
        let halves = x.as_chunks::<16>().0;
        let even = memory!(_mm256_loadu_si256(halves[0].as_ptr().cast()));
        let odd = memory!(_mm256_loadu_si256(halves[1].as_ptr().cast()));
        let (even, odd) = (lanes!(_mm256_madd_epi16(a[0], even)), lanes!(_mm256_madd_epi16(a[1], odd)));
        lanes!(_mm256_add_epi32(even, odd))
    }

    /// Each lane of `a` moved down by its count of bits, and its mask.
    #[inline(always)]
    fn moved_and_masked(self, a: __m128i, counts: &[u32; 4], masks: &[u32; 4]) -> __m128i {
        let counts = memory!(_mm_loadu_si128(counts.as_ptr().cast()));
        let masks = memory!(_mm_loadu_si128(masks.as_ptr().cast()));
        let moved = lanes!(_mm_srlv_epi32(a, counts));
        lanes!(_mm_and_si128(moved, masks))
    }

    /// Rounded to words. Twos of the one and of the other lie in turn in each half; twos of both halves then lie in turn.
    #[inline(always)]
    fn packed(self, first: __m256, second: __m256) -> __m256i {
        let (first, second) = (lanes!(_mm256_cvtps_epi32(first)), lanes!(_mm256_cvtps_epi32(second)));
        let words = lanes!(_mm256_packs_epi32(first, second));
        lanes!(_mm256_permutevar8x32_epi32(words, self.eight_integers(&IN_TURN)))
    }

    /// The first eight bytes as floats.
    #[inline(always)]
    fn eight_floats(self, bytes: __m128i) -> __m256 {
        let integers = lanes!(_mm256_cvtepu8_epi32(bytes));
        lanes!(_mm256_cvtepi32_ps(integers))
    }

    #[inline(always)]
    fn add_scaled(self, sums: __m256, products: __m256i, scales: __m256) -> __m256 {
        let products = lanes!(_mm256_cvtepi32_ps(products));
        lanes!(_mm256_fmadd_ps(products, scales, sums))
    }
}

impl WordLanes for Avx2 {
    type B = __m256i;
    /// Even places, odd places.
    type W = [__m256i; 2];
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
    fn or_bytes(self, a: __m256i, b: __m256i) -> __m256i {
        lanes!(_mm256_or_si256(a, b))
    }
    #[inline(always)]
    fn less_bytes(self, a: __m256i, number: u8) -> __m256i {
        let number = lanes!(_mm256_set1_epi8(number.cast_signed()));
        lanes!(_mm256_sub_epi8(a, number))
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
    fn store_words(self, a: [__m256i; 2], to: &mut [i16; UNIT]) {
        for (half, to) in a.into_iter().zip(to.as_chunks_mut::<16>().0) {
            memory!(_mm256_storeu_si256(to.as_mut_ptr().cast(), half));
        }
    }
    #[inline(always)]
    fn word_bits(self, a: [__m256i; 2]) -> [__m256; 2] {
        [lanes!(_mm256_castsi256_ps(a[0])), lanes!(_mm256_castsi256_ps(a[1]))]
    }
    #[inline(always)]
    fn six_bits(self, header: &[u8; 16]) -> [__m256; 2] {
        let all = memory!(_mm_loadu_si128(header.as_ptr().cast()));
        let own = lanes!(_mm_shuffle_epi32::<0b10_01_10_01>(all));
        let own = self.moved_and_masked(own, &[0, 0, 2, 2], &[SIX, SIX, UPPER_TWO, UPPER_TWO]);
        let shared = lanes!(_mm_shuffle_epi32::<0b11_11_11_11>(all));
        let shared = self.moved_and_masked(shared, &[0, 0, 0, 4], &[0, 0, NIBBLE, NIBBLE]);
        let bytes = lanes!(_mm_or_si128(own, shared));
        let order = memory!(_mm_loadu_si128(SIDE_BY_SIDE.as_ptr().cast()));
        let bytes = lanes!(_mm_shuffle_epi8(bytes, order));
        let upper = lanes!(_mm_unpackhi_epi64(bytes, bytes));
        let factors = lanes!(_mm_broadcastd_epi32(all));
        let factors = lanes!(_mm256_cvtph_ps(factors));
        let factors = lanes!(_mm256_xor_ps(factors, self.load(&SIGNS)[0]));
        self.mul([factors; 2], [self.eight_floats(bytes), self.eight_floats(upper)])
    }
    #[inline(always)]
    fn no_sums(self) -> __m256 {
        lanes!(_mm256_setzero_ps())
    }
    #[inline(always)]
    fn add_dot(self, sums: __m256, a: [__m256i; 2], x: &[i16; UNIT], scale: f32) -> __m256 {
        let scales = lanes!(_mm256_set1_ps(scale));
        self.add_scaled(sums, self.products(a, x), scales)
    }
    #[inline(always)]
    fn add_dots(self, sums: __m256, a: [__m256i; 2], x: &[i16; UNIT], scales: &[f32; 2]) -> __m256 {
        let both = u64::from(scales[1].to_bits()) << 32 | u64::from(scales[0].to_bits());
        let both = lanes!(_mm256_set1_pd(f64::from_bits(both)));
        let both = lanes!(_mm256_castpd_ps(both));
        let scales = lanes!(_mm256_permutevar_ps(both, self.eight_integers(&HALVES)));
        self.add_scaled(sums, self.products(a, x), scales)
    }
    #[inline(always)]
    fn no_integers(self) -> [__m256i; 2] {
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
    fn add_products(self, sums: [__m256i; 2], a: [__m256i; 2], x: [__m256i; 2]) -> [__m256i; 2] {
        let (low, high) = (lanes!(_mm256_madd_epi16(a[0], x[0])), lanes!(_mm256_madd_epi16(a[1], x[1])));
        [lanes!(_mm256_add_epi32(sums[0], low)), lanes!(_mm256_add_epi32(sums[1], high))]
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
