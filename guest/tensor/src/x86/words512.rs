//! Words in one 512-bit register: AVX-512 with VNNI.
#![expect(unsafe_code, reason = "vector instructions behind a token that proves their support")]

use core::arch::x86_64::{
    __m256, __m256i, __m512, __m512i, _mm_loadu_si128, _mm_set_epi64x, _mm256_add_epi32, _mm256_cvtph_ps,
    _mm256_loadu_ps, _mm256_mul_ps, _mm256_set1_ps, _mm512_add_epi32, _mm512_add_ps, _mm512_and_si512,
    _mm512_broadcast_i32x4, _mm512_broadcast_i64x4, _mm512_castps512_ps256, _mm512_castsi512_ps,
    _mm512_castsi512_si256, _mm512_cvtepi32_ps, _mm512_cvtps_epi32, _mm512_cvtsepi32_epi16,
    _mm512_extractf32x8_ps, _mm512_extracti64x4_epi64, _mm512_fmadd_ps, _mm512_inserti64x4,
    _mm512_loadu_si512, _mm512_madd_epi16, _mm512_maskz_set1_epi16, _mm512_mullo_epi16, _mm512_or_si512,
    _mm512_permutexvar_epi16, _mm512_permutexvar_ps, _mm512_reduce_add_ps, _mm512_set1_epi16,
    _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_shuffle_epi8,
    _mm512_sllv_epi16, _mm512_srai_epi16, _mm512_srlv_epi16, _mm512_storeu_si512, _mm512_sub_epi16,
    _mm512_zextps256_ps512, _mm512_zextsi256_si512, _pext_u32,
};

use super::Avx512;
use super::instruction::{lanes, memory};
use super::orders::{EVEN_THEN_ODD, PLACES, by_halves, by_quarters, lower_word};
use crate::simd::{Simd as _, Unit};
use crate::words::{Numbers, STRETCH, UNIT, WordLanes};

/// Words as a constant: of what is read from memory, the compiler does not know that all counts are below sixteen.
pub(super) const fn constant(words: [i16; UNIT]) -> __m512i {
    // SAFETY: both are 64 plain bytes.
    unsafe { core::mem::transmute(words) }
}

/// How far words that lie twice or four times are moved, so that another part of them is lowest in each.
const QUARTERS: __m512i = constant(by_quarters(0, 4, 8, 12));
const LOW: __m512i = constant(by_halves(0, 8));
const HIGH: __m512i = constant(by_halves(4, 12));
const RAISED: __m512i = constant(by_halves(8, 0));

/// Gives what it was given, by an instruction that is none; see the same of AVX2.
#[inline]
#[target_feature(enable = "avx512f")]
fn kept(mut sums: __m512i) -> __m512i {
    // SAFETY: a comment touches nothing.
    unsafe { core::arch::asm!("/* {0} */", inout(zmm_reg) sums, options(nomem, nostack, preserves_flags)) };
    sums
}

/// `sums` and the products of pairs of words. Of the intrinsic the compiler makes two instructions, so that a sum waits less for
/// the one before; here what counts is how many there are.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn added_products(mut sums: __m512i, a: __m512i, x: __m512i) -> __m512i {
    // SAFETY: the instruction touches its registers alone.
    unsafe {
        core::arch::asm!("vpdpwssd {0}, {1}, {2}", inout(zmm_reg) sums, in(zmm_reg) a, in(zmm_reg) x,
            options(pure, nomem, nostack, preserves_flags));
    }
    sums
}

impl Avx512 {
    #[inline(always)]
    fn all_words(self, from: &[i16; UNIT]) -> __m512i {
        memory!(_mm512_loadu_si512(from.as_ptr().cast()))
    }

    /// Each word moved down by its count.
    #[inline(always)]
    fn moved(self, a: __m512i, counts: __m512i) -> __m512i {
        lanes!(_mm512_srlv_epi16(a, counts))
    }

    #[inline(always)]
    fn masked(self, a: __m512i, mask: i16) -> __m512i {
        let mask = lanes!(_mm512_set1_epi16(mask));
        lanes!(_mm512_and_si512(a, mask))
    }

    /// The bytes in both halves.
    #[inline(always)]
    fn twice(self, a: __m256i) -> __m512i {
        lanes!(_mm512_broadcast_i64x4(a))
    }

    /// Eight floats, and eight zeros.
    #[inline(always)]
    fn eight(self, from: &[f32; STRETCH]) -> __m512 {
        let eight = memory!(_mm256_loadu_ps(from.as_ptr()));
        lanes!(_mm512_zextps256_ps512(eight))
    }

    /// Eight halves as floats. They are joined in general registers, since what inserts a word into a vector computes, too.
    #[inline(always)]
    fn eight_halves(self, halves: [u16; STRETCH]) -> __m256 {
        let [a, b, c, d, e, f, g, h] = halves.map(u64::from);
        let (low, high) = (a | b << 16 | c << 32 | d << 48, e | f << 16 | g << 32 | h << 48);
        let halves = lanes!(_mm_set_epi64x(high.cast_signed(), low.cast_signed()));
        lanes!(_mm256_cvtph_ps(halves))
    }

    #[inline(always)]
    fn rounded(self, x: &Unit, factor: __m512) -> __m256i {
        let integers = lanes!(_mm512_cvtps_epi32(self.mul(self.load(x), factor)));
        lanes!(_mm512_cvtsepi32_epi16(integers))
    }
}

impl WordLanes for Avx512 {
    type B = __m256i;
    /// Even places, odd places.
    type W = __m512i;
    type Integers = __m512i;
    type Sums = __m512;

    #[inline(always)]
    fn load_bytes(self, from: &[u8; UNIT]) -> __m256i {
        self.avx2().load_bytes(from)
    }
    #[inline(always)]
    fn nibble_bytes(self, from: &[u8; 16]) -> __m256i {
        self.avx2().nibble_bytes(from)
    }
    #[inline(always)]
    fn fifth_bytes(self, bits: u32) -> __m256i {
        self.avx2().fifth_bytes(bits)
    }
    #[inline(always)]
    fn and_bytes(self, a: __m256i, mask: u8) -> __m256i {
        self.avx2().and_bytes(a, mask)
    }
    #[inline(always)]
    fn lookup_bytes(self, a: __m256i, values: &[i8; 16]) -> __m256i {
        self.avx2().lookup_bytes(a, values)
    }
    #[inline(always)]
    fn or_bytes(self, a: __m256i, b: __m256i) -> __m256i {
        self.avx2().or_bytes(a, b)
    }
    #[inline(always)]
    fn down_bytes<const N: i32>(self, a: __m256i) -> __m256i {
        self.avx2().down_bytes::<N>(a)
    }
    #[inline(always)]
    fn up_bytes<const N: i32>(self, a: __m256i) -> __m256i {
        self.avx2().up_bytes::<N>(a)
    }
    #[inline(always)]
    fn bytes_around(self, a: __m256i, middle: u8) -> __m256i {
        self.avx2().bytes_around(a, middle)
    }
    #[inline(always)]
    fn store_bytes(self, a: __m256i, to: &mut [u8; UNIT]) {
        self.avx2().store_bytes(a, to);
    }
    #[inline(always)]
    fn nibble_words(self, from: &[u8; 16]) -> __m512i {
        let packed = memory!(_mm_loadu_si128(from.as_ptr().cast()));
        let packed = lanes!(_mm512_broadcast_i32x4(packed));
        self.masked(self.moved(packed, QUARTERS), 15)
    }
    #[inline(always)]
    fn five_bit_words(self, from: &[u8; 16], bits: u32) -> __m512i {
        let even = lanes!(_pext_u32(bits, 0x5555_5555));
        let odd = lanes!(_pext_u32(bits, 0xAAAA_AAAA));
        let fifths = lanes!(_mm512_maskz_set1_epi16(even | odd << 16, 16));
        lanes!(_mm512_or_si512(self.nibble_words(from), fifths))
    }
    #[inline(always)]
    fn low_nibbles(self, a: __m256i) -> __m512i {
        self.masked(self.moved(self.twice(a), LOW), 15)
    }
    #[inline(always)]
    fn high_nibbles(self, a: __m256i) -> __m512i {
        self.masked(self.moved(self.twice(a), HIGH), 15)
    }
    #[inline(always)]
    fn unsigned_words(self, a: __m256i) -> __m512i {
        self.masked(self.moved(self.twice(a), LOW), 0xFF)
    }
    #[inline(always)]
    fn words_around(self, a: __m256i, middle: i16) -> __m512i {
        let middle = lanes!(_mm512_set1_epi16(middle));
        lanes!(_mm512_sub_epi16(self.unsigned_words(a), middle))
    }
    #[inline(always)]
    fn signed_words(self, a: __m256i) -> __m512i {
        let raised = lanes!(_mm512_sllv_epi16(self.twice(a), RAISED));
        lanes!(_mm512_srai_epi16::<8>(raised))
    }
    #[inline(always)]
    fn rounded_words(self, x: &[f32; UNIT], factor: f32) -> __m512i {
        let ([low, high], factor) = (x.as_chunks::<16>().0, self.splat(factor)) else {
            unreachable!("a unit is two times sixteen");
        };
        let (low, high) = (self.rounded(low, factor), self.rounded(high, factor));
        let low = lanes!(_mm512_zextsi256_si512(low));
        let both = lanes!(_mm512_inserti64x4::<1>(low, high));
        lanes!(_mm512_permutexvar_epi16(self.all_words(&PLACES), both))
    }
    #[inline(always)]
    fn half_sums(self, a: __m512i) -> [i32; 2] {
        let one = lanes!(_mm512_set1_epi16(1));
        let pairs = lanes!(_mm512_madd_epi16(a, one));
        let (even, odd) =
            (lanes!(_mm512_castsi512_si256(pairs)), lanes!(_mm512_extracti64x4_epi64::<1>(pairs)));
        self.avx2().sums_of_fours(lanes!(_mm256_add_epi32(even, odd)))
    }
    #[inline(always)]
    fn store_words(self, a: __m512i, to: &mut [i16; UNIT]) {
        memory!(_mm512_storeu_si512(to.as_mut_ptr().cast(), a));
    }
    #[inline(always)]
    fn load_words(self, from: &[i16; UNIT]) -> __m512i {
        self.all_words(from)
    }
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "multipliers fit words")]
    fn times(self, a: __m512i, multiplier: i32) -> __m512i {
        let multiplier = lanes!(_mm512_set1_epi16(multiplier as i16));
        lanes!(_mm512_mullo_epi16(a, multiplier))
    }
    #[inline(always)]
    fn times_halves(self, a: __m512i, multipliers: &[i32; 8], at: usize) -> __m512i {
        let orders = const { [lower_word(0), lower_word(1), lower_word(2), lower_word(3)] };
        let order = self.twice(self.load_bytes(&orders[at]));
        let multipliers = self.twice(self.avx2().eight_signed(multipliers));
        let own = lanes!(_mm512_shuffle_epi8(multipliers, order));
        lanes!(_mm512_mullo_epi16(a, own))
    }
    #[inline(always)]
    fn six_bits(self, header: &[u8; 16], to: &mut Numbers) {
        self.avx2().six_bits(header, to);
    }
    #[inline(always)]
    fn word_bits(self, a: __m512i) -> __m512 {
        lanes!(_mm512_castsi512_ps(a))
    }
    #[inline(always)]
    fn no_pairs(self) -> __m512i {
        lanes!(_mm512_setzero_si512())
    }
    #[inline(always)]
    fn load_pairs(self, from: &Unit) -> __m512i {
        memory!(_mm512_loadu_si512(from.as_ptr().cast()))
    }
    #[inline(always)]
    fn splat_pair(self, [low, high]: &[i16; 2]) -> __m512i {
        let bits = u32::from(low.cast_unsigned()) | u32::from(high.cast_unsigned()) << 16;
        lanes!(_mm512_set1_epi32(bits.cast_signed()))
    }
    #[inline(always)]
    fn add_pairs(self, sums: __m512i, a: __m512i, x: __m512i) -> __m512i {
        // Not as one instruction: the compiler then knows what it is to add to nothing.
        let products = lanes!(_mm512_madd_epi16(a, x));
        lanes!(_mm512_add_epi32(sums, products))
    }
    #[inline(always)]
    fn kept_pairs(self, sums: __m512i) -> __m512i {
        lanes!(kept(sums))
    }
    #[inline(always)]
    fn scales(self, halves: [u16; STRETCH], to: &mut Numbers) {
        self.avx2().store_eight(self.eight_halves(halves), &mut to.scales);
    }
    #[inline(always)]
    fn scales_around(self, halves: [u16; STRETCH], middle: f32, to: &mut Numbers) {
        let scales = self.eight_halves(halves);
        self.avx2().store_eight(scales, &mut to.scales);
        let factor = lanes!(_mm256_set1_ps(-middle));
        self.avx2().store_eight(lanes!(_mm256_mul_ps(scales, factor)), &mut to.offsets[0]);
    }
    #[inline(always)]
    fn deal(self, pairs: __m512, to: &mut Numbers) {
        let order = memory!(_mm512_loadu_si512(EVEN_THEN_ODD.as_ptr().cast()));
        let both = lanes!(_mm512_permutexvar_ps(order, pairs));
        self.avx2().store_eight(lanes!(_mm512_castps512_ps256(both)), &mut to.scales);
        self.avx2().store_eight(lanes!(_mm512_extractf32x8_ps::<1>(both)), &mut to.offsets[0]);
    }
    #[inline(always)]
    fn multipliers(self, bytes: &[u8; 2 * STRETCH], to: &mut Numbers) {
        self.avx2().multipliers(bytes, to);
    }
    #[inline(always)]
    fn no_integers(self) -> __m512i {
        self.no_pairs()
    }
    #[inline(always)]
    fn add_products(self, sums: __m512i, a: __m512i, x: &[i16; UNIT]) -> __m512i {
        lanes!(added_products(sums, a, self.all_words(x)))
    }
    #[inline(always)]
    fn kept(self, sums: __m512i) -> __m512i {
        lanes!(kept(sums))
    }
    #[inline(always)]
    fn add_times(self, sums: __m512i, a: __m512i, x: &[i16; UNIT], multiplier: i32) -> __m512i {
        self.add_products(sums, self.times(a, multiplier), x)
    }
    #[inline(always)]
    fn add_times_halves(
        self,
        sums: __m512i,
        a: __m512i,
        x: &[i16; UNIT],
        multipliers: &[i32; 8],
        at: usize,
    ) -> __m512i {
        self.add_products(sums, self.times_halves(a, multipliers, at), x)
    }
    #[inline(always)]
    fn no_sums(self) -> __m512 {
        lanes!(_mm512_setzero_ps())
    }
    #[inline(always)]
    fn add_integers(self, sums: __m512, integers: __m512i, scale: f32) -> __m512 {
        self.add_scaled(sums, lanes!(_mm512_cvtepi32_ps(integers)), scale)
    }
    #[inline(always)]
    fn add_scaled(self, sums: __m512, part: __m512, scale: f32) -> __m512 {
        let scale = lanes!(_mm512_set1_ps(scale));
        lanes!(_mm512_fmadd_ps(part, scale, sums))
    }
    #[inline(always)]
    fn add_offsets(self, sums: __m512, offsets: &[f32; STRETCH], x: &[f32; STRETCH]) -> __m512 {
        lanes!(_mm512_fmadd_ps(self.eight(offsets), self.eight(x), sums))
    }
    #[inline(always)]
    fn join(self, a: __m512, b: __m512) -> __m512 {
        lanes!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn total(self, sums: __m512) -> f32 {
        lanes!(_mm512_reduce_add_ps(sums))
    }
}
