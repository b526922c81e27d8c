//! Words in two 256-bit registers: AVX2, and AVX-512 by the same instructions.
#![expect(unsafe_code, reason = "vector instructions behind a token that proves their support")]

use core::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_loadu_si128, _mm_movehdup_ps,
    _mm_movehl_ps, _mm256_add_epi32, _mm256_add_ps, _mm256_and_si256, _mm256_castps256_ps128,
    _mm256_cmpeq_epi16, _mm256_cvtepi8_epi16, _mm256_cvtepi32_ps, _mm256_cvtepu8_epi16,
    _mm256_extractf128_ps, _mm256_fmadd_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_or_si256,
    _mm256_set1_epi16, _mm256_set1_ps, _mm256_setzero_ps, _mm256_slli_epi16, _mm256_srli_epi16,
    _mm256_sub_epi16,
};

use super::{Avx2, Avx512};
use crate::words::{UNIT, WordLanes};

/// One instruction that touches no memory.
macro_rules! lanes {
    ($call:expr) => {{
        // SAFETY: the token in `self` proves that the instruction is supported; it touches no memory.
        unsafe { $call }
    }};
}

/// The same instruction on both halves.
macro_rules! both {
    ($name:path, $($x:expr),+) => {
        [lanes!($name($($x[0]),+)), lanes!($name($($x[1]),+))]
    };
}

/// One instruction on memory behind a reference.
macro_rules! memory {
    ($call:expr) => {{
        // SAFETY: the token in `self` proves that the instruction is supported; it needs no alignment, and
        // touches just the bytes of the array that the pointer was made of.
        unsafe { $call }
    }};
}

/// The bit of each of sixteen words.
const BITS: [u16; 16] = {
    let mut bits = [0; 16];
    let mut at = 0;
    while at < 16 {
        bits[at] = 1 << at;
        at += 1;
    }
    bits
};

impl Avx2 {
    #[inline(always)]
    fn sixteen_bytes(self, from: &[u8; UNIT], half: usize) -> __m128i {
        memory!(_mm_loadu_si128(from.as_chunks::<16>().0[half].as_ptr().cast()))
    }

    #[inline(always)]
    fn products(self, a: [__m256i; 2], x: &[i16; UNIT]) -> [__m256i; 2] {
        let halves = x.as_chunks::<16>().0;
        let low = memory!(_mm256_loadu_si256(halves[0].as_ptr().cast()));
        let high = memory!(_mm256_loadu_si256(halves[1].as_ptr().cast()));
        both!(_mm256_madd_epi16, a, [low, high])
    }

    #[inline(always)]
    fn add_scaled(self, sums: __m256, products: __m256i, scale: f32) -> __m256 {
        let scale = lanes!(_mm256_set1_ps(scale));
        let products = lanes!(_mm256_cvtepi32_ps(products));
        lanes!(_mm256_fmadd_ps(products, scale, sums))
    }
}

impl WordLanes for Avx2 {
    type W = [__m256i; 2];
    type Sums = __m256;

    #[inline(always)]
    fn byte_words(self, from: &[u8; UNIT]) -> [__m256i; 2] {
        let halves = [self.sixteen_bytes(from, 0), self.sixteen_bytes(from, 1)];
        both!(_mm256_cvtepu8_epi16, halves)
    }
    #[inline(always)]
    fn signed_words(self, from: &[u8; UNIT]) -> [__m256i; 2] {
        let halves = [self.sixteen_bytes(from, 0), self.sixteen_bytes(from, 1)];
        both!(_mm256_cvtepi8_epi16, halves)
    }
    #[inline(always)]
    fn nibble_words(self, from: &[u8; 16]) -> [__m256i; 2] {
        let bytes = memory!(_mm_loadu_si128(from.as_ptr().cast()));
        let words = lanes!(_mm256_cvtepu8_epi16(bytes));
        let mask = lanes!(_mm256_set1_epi16(15));
        [lanes!(_mm256_and_si256(words, mask)), lanes!(_mm256_srli_epi16::<4>(words))]
    }
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
    fn fifth_words(self, bits: u32) -> [__m256i; 2] {
        let own = memory!(_mm256_loadu_si256(BITS.as_ptr().cast()));
        let low = lanes!(_mm256_set1_epi16((bits as u16).cast_signed()));
        let high = lanes!(_mm256_set1_epi16(((bits >> 16) as u16).cast_signed()));
        let kept = both!(_mm256_and_si256, [low, high], [own; 2]);
        self.and_words(both!(_mm256_cmpeq_epi16, kept, [own; 2]), 16)
    }
    #[inline(always)]
    fn and_words(self, a: [__m256i; 2], mask: i16) -> [__m256i; 2] {
        let mask = lanes!(_mm256_set1_epi16(mask));
        both!(_mm256_and_si256, a, [mask; 2])
    }
    #[inline(always)]
    fn or_words(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        both!(_mm256_or_si256, a, b)
    }
    #[inline(always)]
    fn less_words(self, a: [__m256i; 2], number: i16) -> [__m256i; 2] {
        let number = lanes!(_mm256_set1_epi16(number));
        both!(_mm256_sub_epi16, a, [number; 2])
    }
    #[inline(always)]
    fn down_words<const N: i32>(self, a: [__m256i; 2]) -> [__m256i; 2] {
        both!(_mm256_srli_epi16::<N>, a)
    }
    #[inline(always)]
    fn up_words<const N: i32>(self, a: [__m256i; 2]) -> [__m256i; 2] {
        both!(_mm256_slli_epi16::<N>, a)
    }
    #[inline(always)]
    fn no_sums(self) -> __m256 {
        lanes!(_mm256_setzero_ps())
    }
    #[inline(always)]
    fn add_dot(self, sums: __m256, a: [__m256i; 2], x: &[i16; UNIT], scale: f32) -> __m256 {
        let [low, high] = self.products(a, x);
        self.add_scaled(sums, lanes!(_mm256_add_epi32(low, high)), scale)
    }
    #[inline(always)]
    fn add_dots(self, sums: __m256, a: [__m256i; 2], x: &[i16; UNIT], scales: [f32; 2]) -> __m256 {
        let [low, high] = self.products(a, x);
        let sums = self.add_scaled(sums, low, scales[0]);
        self.add_scaled(sums, high, scales[1])
    }
    #[inline(always)]
    fn join(self, a: __m256, b: __m256) -> __m256 {
        lanes!(_mm256_add_ps(a, b))
    }
    #[inline(always)]
    fn total(self, sums: __m256) -> f32 {
        let (lower, upper) = (lanes!(_mm256_castps256_ps128(sums)), lanes!(_mm256_extractf128_ps::<1>(sums)));
        let four = lanes!(_mm_add_ps(lower, upper));
        let upper = lanes!(_mm_movehl_ps(four, four));
        let two = lanes!(_mm_add_ps(four, upper));
        let upper = lanes!(_mm_movehdup_ps(two));
        let one = lanes!(_mm_add_ss(two, upper));
        lanes!(_mm_cvtss_f32(one))
    }
}

/// AVX-512 has AVX2.
impl WordLanes for Avx512 {
    type W = [__m256i; 2];
    type Sums = __m256;

    #[inline(always)]
    fn byte_words(self, from: &[u8; UNIT]) -> [__m256i; 2] {
        self.avx2().byte_words(from)
    }
    #[inline(always)]
    fn signed_words(self, from: &[u8; UNIT]) -> [__m256i; 2] {
        self.avx2().signed_words(from)
    }
    #[inline(always)]
    fn nibble_words(self, from: &[u8; 16]) -> [__m256i; 2] {
        self.avx2().nibble_words(from)
    }
    #[inline(always)]
    fn fifth_words(self, bits: u32) -> [__m256i; 2] {
        self.avx2().fifth_words(bits)
    }
    #[inline(always)]
    fn and_words(self, a: [__m256i; 2], mask: i16) -> [__m256i; 2] {
        self.avx2().and_words(a, mask)
    }
    #[inline(always)]
    fn or_words(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        self.avx2().or_words(a, b)
    }
    #[inline(always)]
    fn less_words(self, a: [__m256i; 2], number: i16) -> [__m256i; 2] {
        self.avx2().less_words(a, number)
    }
    #[inline(always)]
    fn down_words<const N: i32>(self, a: [__m256i; 2]) -> [__m256i; 2] {
        self.avx2().down_words::<N>(a)
    }
    #[inline(always)]
    fn up_words<const N: i32>(self, a: [__m256i; 2]) -> [__m256i; 2] {
        self.avx2().up_words::<N>(a)
    }
    #[inline(always)]
    fn no_sums(self) -> __m256 {
        self.avx2().no_sums()
    }
    #[inline(always)]
    fn add_dot(self, sums: __m256, a: [__m256i; 2], x: &[i16; UNIT], scale: f32) -> __m256 {
        self.avx2().add_dot(sums, a, x, scale)
    }
    #[inline(always)]
    fn add_dots(self, sums: __m256, a: [__m256i; 2], x: &[i16; UNIT], scales: [f32; 2]) -> __m256 {
        self.avx2().add_dots(sums, a, x, scales)
    }
    #[inline(always)]
    fn join(self, a: __m256, b: __m256) -> __m256 {
        self.avx2().join(a, b)
    }
    #[inline(always)]
    fn total(self, sums: __m256) -> f32 {
        self.avx2().total(sums)
    }
}
