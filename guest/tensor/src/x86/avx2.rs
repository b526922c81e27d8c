//! Sixteen lanes in two 256-bit registers.
#![expect(unsafe_code, reason = "vector instructions behind a token that proves their support")]

use core::arch::x86_64::{
    __m128i, __m256, __m256i, _CMP_NLT_UQ, _MM_FROUND_TO_NEAREST_INT, _MM_HINT_T0, _MM_HINT_T1, _mm_add_ps,
    _mm_add_ss, _mm_and_si128, _mm_cvtph_ps, _mm_cvtsi32_si128, _mm_cvtss_f32, _mm_loadu_si128, _mm_max_ps,
    _mm_max_ss, _mm_movehdup_ps, _mm_movehl_ps, _mm_prefetch, _mm_set_epi32, _mm_set1_epi8, _mm_shuffle_epi8,
    _mm_srli_epi16, _mm_storeu_si128, _mm_unpackhi_epi64, _mm256_add_epi32, _mm256_add_ps, _mm256_and_ps,
    _mm256_and_si256, _mm256_castps_si256, _mm256_castps256_ps128, _mm256_castsi256_ps,
    _mm256_castsi256_si128, _mm256_cmp_ps, _mm256_cmpeq_epi32, _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps,
    _mm256_cvtepu8_epi32, _mm256_cvtepu16_epi32, _mm256_cvtph_ps, _mm256_cvtps_ph, _mm256_div_ps,
    _mm256_extractf128_ps, _mm256_extracti128_si256, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256,
    _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_or_si256, _mm256_permute2f128_ps, _mm256_set1_epi32,
    _mm256_set1_ps, _mm256_shuffle_ps, _mm256_sll_epi32, _mm256_srl_epi32, _mm256_storeu_ps, _mm256_sub_ps,
    _mm256_unpackhi_ps, _mm256_unpacklo_ps,
};

use super::detect;
use super::instruction::{lanes, memory};
use crate::simd::{Line, Op, Registers, Simd, Unit};

/// Proves that cpu and system support AVX2, FMA and F16C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        detect::avx2().then_some(Self(()))
    }
}

/// Lower and upper eight lanes.
type Floats = [__m256; 2];
/// Lower and upper eight lanes.
type Ints = [__m256i; 2];

/// The same instruction on both halves.
macro_rules! both {
    ($name:path, $($x:expr),+) => {
        [lanes!($name($($x[0]),+)), lanes!($name($($x[1]),+))]
    };
}

/// The bit of each of eight lanes.
const BITS: [i32; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// Elements 0 to 7 and 8 to 15.
#[inline(always)]
fn halves<T: Copy>(all: &[T; 16]) -> [&[T; 8]; 2] {
    match all.as_chunks::<8>().0 {
        [low, high] => [low, high],
        _ => unreachable!("sixteen are two eights"),
    }
}

impl Simd for Avx2 {
    type Words = Self;
    type V = Floats;
    type I = Ints;
    /// Scale and offset, each in all eight lanes.
    type Table = Floats;

    const REGISTERS: Registers = Registers::Few;

    #[inline(always)]
    fn words(self) -> Self {
        self
    }
    #[inline(always)]
    fn enter<O: Op>(self, op: O) -> O::Out {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn inner<O: Op>(s: Avx2, op: O) -> O::Out {
            op.run(s)
        }
        // SAFETY: the token proves that all these features are supported.
        unsafe { inner(self, op) }
    }
    #[inline(always)]
    fn splat(self, value: f32) -> Floats {
        [lanes!(_mm256_set1_ps(value)); 2]
    }
    #[inline(always)]
    fn load(self, from: &Unit) -> Floats {
        let [low, high] = halves(from);
        [self.load_eight(low), self.load_eight(high)]
    }
    #[inline(always)]
    fn store(self, value: Floats, to: &mut Unit) {
        for (value, to) in value.into_iter().zip(to.as_chunks_mut::<8>().0) {
            memory!(_mm256_storeu_ps(to.as_mut_ptr(), value));
        }
    }
    #[inline(always)]
    fn add(self, a: Floats, b: Floats) -> Floats {
        both!(_mm256_add_ps, a, b)
    }
    #[inline(always)]
    fn sub(self, a: Floats, b: Floats) -> Floats {
        both!(_mm256_sub_ps, a, b)
    }
    #[inline(always)]
    fn mul(self, a: Floats, b: Floats) -> Floats {
        both!(_mm256_mul_ps, a, b)
    }
    #[inline(always)]
    fn div(self, a: Floats, b: Floats) -> Floats {
        both!(_mm256_div_ps, a, b)
    }
    #[inline(always)]
    fn max(self, a: Floats, b: Floats) -> Floats {
        both!(_mm256_max_ps, a, b)
    }
    #[inline(always)]
    fn min(self, a: Floats, b: Floats) -> Floats {
        both!(_mm256_min_ps, a, b)
    }
    #[inline(always)]
    fn fma(self, a: Floats, b: Floats, c: Floats) -> Floats {
        both!(_mm256_fmadd_ps, a, b, c)
    }
    #[inline(always)]
    fn zero_below(self, value: Floats, probe: Floats, floor: Floats) -> Floats {
        let kept = both!(_mm256_cmp_ps::<_CMP_NLT_UQ>, probe, floor);
        both!(_mm256_and_ps, value, kept)
    }
    #[inline(always)]
    fn sum(self, value: Floats) -> f32 {
        self.sum_eight(lanes!(_mm256_add_ps(value[0], value[1])))
    }
    #[inline(always)]
    fn top(self, value: Floats) -> f32 {
        let eight = lanes!(_mm256_max_ps(value[0], value[1]));
        let upper = lanes!(_mm256_extractf128_ps::<1>(eight));
        let lower = lanes!(_mm256_castps256_ps128(eight));
        let four = lanes!(_mm_max_ps(lower, upper));
        let upper = lanes!(_mm_movehl_ps(four, four));
        let two = lanes!(_mm_max_ps(four, upper));
        let upper = lanes!(_mm_movehdup_ps(two));
        let one = lanes!(_mm_max_ss(two, upper));
        lanes!(_mm_cvtss_f32(one))
    }
    #[inline(always)]
    fn half(self, bits: u16) -> f32 {
        let wide = lanes!(_mm_cvtsi32_si128(i32::from(bits)));
        let value = lanes!(_mm_cvtph_ps(wide));
        lanes!(_mm_cvtss_f32(value))
    }
    #[inline(always)]
    fn widen(self, bits: &[u16; 16]) -> Floats {
        let [low, high] = halves(bits);
        let low = memory!(_mm_loadu_si128(low.as_ptr().cast()));
        let high = memory!(_mm_loadu_si128(high.as_ptr().cast()));
        both!(_mm256_cvtph_ps, [low, high])
    }
    #[inline(always)]
    fn narrow(self, value: Floats, to: &mut [u16; 16]) {
        for (value, to) in value.into_iter().zip(to.as_chunks_mut::<8>().0) {
            let bits = lanes!(_mm256_cvtps_ph::<{ _MM_FROUND_TO_NEAREST_INT }>(value));
            memory!(_mm_storeu_si128(to.as_mut_ptr().cast(), bits));
        }
    }
    #[inline(always)]
    fn halves(self, from: &[u8; 32]) -> Floats {
        let (low, high) = from.split_at(16);
        let low = memory!(_mm_loadu_si128(low.as_ptr().cast()));
        let high = memory!(_mm_loadu_si128(high.as_ptr().cast()));
        both!(_mm256_cvtph_ps, [low, high])
    }
    #[inline(always)]
    fn eight_pairs(self, pairs: [u32; 8]) -> Floats {
        let p = pairs.map(u32::cast_signed);
        let first = lanes!(_mm_set_epi32(p[3], p[2], p[1], p[0]));
        let second = lanes!(_mm_set_epi32(p[7], p[6], p[5], p[4]));
        both!(_mm256_cvtph_ps, [first, second])
    }
    #[inline(always)]
    fn half_pairs(self, pairs: [u32; 16]) -> [Floats; 2] {
        let p = pairs.map(u32::cast_signed);
        let first = lanes!(_mm_set_epi32(p[3], p[2], p[1], p[0]));
        let second = lanes!(_mm_set_epi32(p[7], p[6], p[5], p[4]));
        let third = lanes!(_mm_set_epi32(p[11], p[10], p[9], p[8]));
        let fourth = lanes!(_mm_set_epi32(p[15], p[14], p[13], p[12]));
        [both!(_mm256_cvtph_ps, [first, second]), both!(_mm256_cvtph_ps, [third, fourth])]
    }
    #[inline(always)]
    fn bytes(self, from: &[u8; 16]) -> Ints {
        let all = memory!(_mm_loadu_si128(from.as_ptr().cast()));
        let upper = lanes!(_mm_unpackhi_epi64(all, all));
        both!(_mm256_cvtepu8_epi32, [all, upper])
    }
    #[inline(always)]
    fn signed_bytes(self, from: &[u8; 16]) -> Floats {
        let all = memory!(_mm_loadu_si128(from.as_ptr().cast()));
        let upper = lanes!(_mm_unpackhi_epi64(all, all));
        self.float(both!(_mm256_cvtepi8_epi32, [all, upper]))
    }
    #[inline(always)]
    fn upper_halves(self, from: &[u8; 32]) -> Floats {
        let all = memory!(_mm256_loadu_si256(from.as_ptr().cast()));
        let low = lanes!(_mm256_castsi256_si128(all));
        let high = lanes!(_mm256_extracti128_si256::<1>(all));
        let lanes = self.up::<16>(both!(_mm256_cvtepu16_epi32, [low, high]));
        both!(_mm256_castsi256_ps, lanes)
    }
    #[inline(always)]
    fn fifth_bits(self, bits: u16) -> Ints {
        let own = memory!(_mm256_loadu_si256(BITS.as_ptr().cast()));
        let low = lanes!(_mm256_set1_epi32(i32::from(bits)));
        let shifted = [low, self.down_eight::<8>(low)];
        let kept = both!(_mm256_and_si256, shifted, [own; 2]);
        self.and(both!(_mm256_cmpeq_epi32, kept, [own; 2]), 16)
    }
    #[inline(always)]
    fn and(self, a: Ints, mask: i32) -> Ints {
        let mask = [lanes!(_mm256_set1_epi32(mask)); 2];
        both!(_mm256_and_si256, a, mask)
    }
    #[inline(always)]
    fn or(self, a: Ints, b: Ints) -> Ints {
        both!(_mm256_or_si256, a, b)
    }
    #[inline(always)]
    fn down<const N: u32>(self, a: Ints) -> Ints {
        [self.down_eight::<N>(a[0]), self.down_eight::<N>(a[1])]
    }
    #[inline(always)]
    fn up<const N: u32>(self, a: Ints) -> Ints {
        let count = lanes!(_mm_cvtsi32_si128(N.cast_signed()));
        both!(_mm256_sll_epi32, a, [count; 2])
    }
    #[inline(always)]
    fn float(self, a: Ints) -> Floats {
        both!(_mm256_cvtepi32_ps, a)
    }
    #[inline(always)]
    fn scale_by_power(self, value: Floats, shifted: Floats) -> Floats {
        let power = self.up::<23>(both!(_mm256_castps_si256, shifted));
        let bits = both!(_mm256_castps_si256, value);
        let bits = both!(_mm256_add_epi32, bits, power);
        both!(_mm256_castsi256_ps, bits)
    }
    #[inline(always)]
    fn table(self, scale: Floats, offset: Floats) -> Floats {
        [scale[0], offset[0]]
    }
    #[inline(always)]
    fn low(self, [scale, offset]: Floats, bytes: Ints) -> Floats {
        self.fma(self.float(self.and(bytes, 15)), [scale; 2], [offset; 2])
    }
    #[inline(always)]
    fn high(self, [scale, offset]: Floats, bytes: Ints) -> Floats {
        self.fma(self.float(self.down::<4>(bytes)), [scale; 2], [offset; 2])
    }
    #[inline(always)]
    fn lookup(self, values: &[i8; 16], packed: &[u8; 16]) -> [Floats; 2] {
        let values = memory!(_mm_loadu_si128(values.as_ptr().cast()));
        let low = memory!(_mm_loadu_si128(packed.as_ptr().cast()));
        let high = lanes!(_mm_srli_epi16::<4>(low));
        [self.look_up(values, low), self.look_up(values, high)]
    }
    #[inline(always)]
    fn prefetch<T>(self, from: &[T], ahead_bytes: usize) {
        let line = from.as_ptr().cast::<i8>().wrapping_add(ahead_bytes);
        // SAFETY: the instruction reads nothing into the program and never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line) }
    }
    #[inline(always)]
    fn prefetch_far<T>(self, from: &[T], ahead_bytes: usize) {
        let line = from.as_ptr().cast::<i8>().wrapping_add(ahead_bytes);
        // SAFETY: the instruction reads nothing into the program and never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line) }
    }
    #[inline(always)]
    fn transpose(self, rows: &[Line; 16], to: &mut [Line], stride: usize) {
        // Four tiles of eight by eight.
        for right in 0..2 {
            for lower in 0..2 {
                let mut tile = [self.splat(0.0)[0]; 8];
                for (lanes, row) in tile.iter_mut().zip(&rows[lower * 8..]) {
                    *lanes = self.load_eight(halves(&row.0)[right]);
                }
                let tile = self.eights(tile);
                let columns = to.iter_mut().step_by(stride).skip(right * 8);
                for (lanes, column) in tile.into_iter().zip(columns) {
                    let out = &mut column.0.as_chunks_mut::<8>().0[lower];
                    memory!(_mm256_storeu_ps(out.as_mut_ptr(), lanes));
                }
            }
        }
    }
}

impl Avx2 {
    /// The sum of eight lanes; halves are joined, then quarters.
    #[inline(always)]
    pub(super) fn sum_eight(self, eight: __m256) -> f32 {
        let upper = lanes!(_mm256_extractf128_ps::<1>(eight));
        let lower = lanes!(_mm256_castps256_ps128(eight));
        let four = lanes!(_mm_add_ps(lower, upper));
        let upper = lanes!(_mm_movehl_ps(four, four));
        let two = lanes!(_mm_add_ps(four, upper));
        let upper = lanes!(_mm_movehdup_ps(two));
        let one = lanes!(_mm_add_ss(two, upper));
        lanes!(_mm_cvtss_f32(one))
    }

    #[inline(always)]
    pub(super) fn load_eight(self, from: &[f32; 8]) -> __m256 {
        memory!(_mm256_loadu_ps(from.as_ptr()))
    }

    /// The signed bytes of `values` that the lower nibbles of `bytes` number, as floats.
    #[inline(always)]
    fn look_up(self, values: __m128i, bytes: __m128i) -> Floats {
        let mask = lanes!(_mm_set1_epi8(15));
        let nibbles = lanes!(_mm_and_si128(bytes, mask));
        let all = lanes!(_mm_shuffle_epi8(values, nibbles));
        let upper = lanes!(_mm_unpackhi_epi64(all, all));
        self.float(both!(_mm256_cvtepi8_epi32, [all, upper]))
    }

    #[inline(always)]
    fn down_eight<const N: u32>(self, a: __m256i) -> __m256i {
        let count = lanes!(_mm_cvtsi32_si128(N.cast_signed()));
        lanes!(_mm256_srl_epi32(a, count))
    }

    /// Transposes eight by eight.
    #[inline(always)]
    fn eights(self, rows: [__m256; 8]) -> [__m256; 8] {
        let quads = self.fours(rows);
        let mut out = quads;
        for c in 0..4 {
            out[c] = lanes!(_mm256_permute2f128_ps::<0x20>(quads[c], quads[4 + c]));
            out[4 + c] = lanes!(_mm256_permute2f128_ps::<0x31>(quads[c], quads[4 + c]));
        }
        out
    }

    /// In half `h` of `out[4i + c]`: elements `4h + c` of rows `4i` to `4i + 3`.
    #[inline(always)]
    fn fours(self, rows: [__m256; 8]) -> [__m256; 8] {
        let mut out = rows;
        for i in 0..2 {
            let [a, b, c, d] = [rows[4 * i], rows[4 * i + 1], rows[4 * i + 2], rows[4 * i + 3]];
            let (ab_low, ab_high) = (lanes!(_mm256_unpacklo_ps(a, b)), lanes!(_mm256_unpackhi_ps(a, b)));
            let (cd_low, cd_high) = (lanes!(_mm256_unpacklo_ps(c, d)), lanes!(_mm256_unpackhi_ps(c, d)));
            out[4 * i] = lanes!(_mm256_shuffle_ps::<0b01_00_01_00>(ab_low, cd_low));
            out[4 * i + 1] = lanes!(_mm256_shuffle_ps::<0b11_10_11_10>(ab_low, cd_low));
            out[4 * i + 2] = lanes!(_mm256_shuffle_ps::<0b01_00_01_00>(ab_high, cd_high));
            out[4 * i + 3] = lanes!(_mm256_shuffle_ps::<0b11_10_11_10>(ab_high, cd_high));
        }
        out
    }
}
