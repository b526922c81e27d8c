//! Sixteen lanes in one 512-bit register.
#![expect(unsafe_code, reason = "vector instructions behind a token that proves their support")]

use core::arch::x86_64::{
    __m512, __m512i, _CMP_NLT_UQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm_cvtph_ps,
    _mm_cvtsi32_si128, _mm_cvtss_f32, _mm_loadu_si128, _mm256_loadu_si256, _mm256_set_epi32,
    _mm256_storeu_si256, _mm512_add_epi32, _mm512_add_ps, _mm512_and_si512, _mm512_castpd_ps,
    _mm512_castps_pd, _mm512_castps_si512, _mm512_castsi512_ps, _mm512_cmp_ps_mask, _mm512_cvtepi8_epi32,
    _mm512_cvtepi32_ps, _mm512_cvtepu8_epi32, _mm512_cvtepu16_epi32, _mm512_cvtph_ps, _mm512_cvtps_ph,
    _mm512_div_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_maskz_mov_ps, _mm512_maskz_set1_epi32,
    _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_or_si512, _mm512_permutexvar_ps,
    _mm512_reduce_add_ps, _mm512_reduce_max_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_shuffle_f32x4,
    _mm512_slli_epi32, _mm512_srli_epi32, _mm512_storeu_ps, _mm512_sub_ps, _mm512_unpackhi_pd,
    _mm512_unpackhi_ps, _mm512_unpacklo_pd, _mm512_unpacklo_ps,
};

use super::instruction::{lanes, memory};
use super::{Avx2, detect};
use crate::simd::{Line, Op, Registers, Simd, Unit};

/// Proves that cpu and system support AVX-512 (F, BW, VL, DQ, VNNI), AVX2, FMA, F16C and BMI2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx512(Avx2);

impl Avx512 {
    pub(crate) fn detect() -> Option<Self> {
        Avx2::detect().filter(|_| detect::avx512()).map(Self)
    }

    /// What it contains.
    #[inline(always)]
    pub(super) const fn avx2(self) -> Avx2 {
        self.0
    }
}

/// 0.0 to 15.0.
const COUNT: Unit = [0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12., 13., 14., 15.];

impl Simd for Avx512 {
    type Words = Self;
    type V = __m512;
    type I = __m512i;
    /// Values of the sixteen nibbles.
    type Table = __m512;

    const REGISTERS: Registers = Registers::Many;

    #[inline(always)]
    fn words(self) -> Self {
        self
    }
    #[inline(always)]
    fn enter<O: Op>(self, op: O) -> O::Out {
        // All kernels in one function would share its registers badly.
        #[inline(never)]
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c,bmi2")]
        fn inner<O: Op>(s: Avx512, op: O) -> O::Out {
            op.run(s)
        }
        // SAFETY: the token proves that all these features are supported.
        unsafe { inner(self, op) }
    }
    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        lanes!(_mm512_set1_ps(value))
    }
    #[inline(always)]
    fn load(self, from: &Unit) -> __m512 {
        memory!(_mm512_loadu_ps(from.as_ptr()))
    }
    #[inline(always)]
    fn store(self, value: __m512, to: &mut Unit) {
        memory!(_mm512_storeu_ps(to.as_mut_ptr(), value));
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        lanes!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        lanes!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        lanes!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        lanes!(_mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        lanes!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        lanes!(_mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        lanes!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn zero_below(self, value: __m512, probe: __m512, floor: __m512) -> __m512 {
        let kept = lanes!(_mm512_cmp_ps_mask::<_CMP_NLT_UQ>(probe, floor));
        lanes!(_mm512_maskz_mov_ps(kept, value))
    }
    #[inline(always)]
    fn sum(self, value: __m512) -> f32 {
        lanes!(_mm512_reduce_add_ps(value))
    }
    #[inline(always)]
    fn top(self, value: __m512) -> f32 {
        lanes!(_mm512_reduce_max_ps(value))
    }
    #[inline(always)]
    fn half(self, bits: u16) -> f32 {
        let wide = lanes!(_mm_cvtsi32_si128(i32::from(bits)));
        let value = lanes!(_mm_cvtph_ps(wide));
        lanes!(_mm_cvtss_f32(value))
    }
    #[inline(always)]
    fn widen(self, bits: &[u16; 16]) -> __m512 {
        let bits = memory!(_mm256_loadu_si256(bits.as_ptr().cast()));
        lanes!(_mm512_cvtph_ps(bits))
    }
    #[inline(always)]
    fn narrow(self, value: __m512, to: &mut [u16; 16]) {
        let bits = lanes!(_mm512_cvtps_ph::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(value));
        memory!(_mm256_storeu_si256(to.as_mut_ptr().cast(), bits));
    }
    #[inline(always)]
    fn halves(self, from: &[u8; 32]) -> __m512 {
        let bits = memory!(_mm256_loadu_si256(from.as_ptr().cast()));
        lanes!(_mm512_cvtph_ps(bits))
    }
    #[inline(always)]
    fn eight_pairs(self, pairs: [u32; 8]) -> __m512 {
        let p = pairs.map(u32::cast_signed);
        let pairs = lanes!(_mm256_set_epi32(p[7], p[6], p[5], p[4], p[3], p[2], p[1], p[0]));
        lanes!(_mm512_cvtph_ps(pairs))
    }
    #[inline(always)]
    fn half_pairs(self, pairs: [u32; 16]) -> [__m512; 2] {
        let p = pairs.map(u32::cast_signed);
        let first = lanes!(_mm256_set_epi32(p[7], p[6], p[5], p[4], p[3], p[2], p[1], p[0]));
        let second = lanes!(_mm256_set_epi32(p[15], p[14], p[13], p[12], p[11], p[10], p[9], p[8]));
        [lanes!(_mm512_cvtph_ps(first)), lanes!(_mm512_cvtph_ps(second))]
    }
    #[inline(always)]
    fn bytes(self, from: &[u8; 16]) -> __m512i {
        let bytes = memory!(_mm_loadu_si128(from.as_ptr().cast()));
        lanes!(_mm512_cvtepu8_epi32(bytes))
    }
    #[inline(always)]
    fn signed_bytes(self, from: &[u8; 16]) -> __m512 {
        let bytes = memory!(_mm_loadu_si128(from.as_ptr().cast()));
        let lanes = lanes!(_mm512_cvtepi8_epi32(bytes));
        self.float(lanes)
    }
    #[inline(always)]
    fn upper_halves(self, from: &[u8; 32]) -> __m512 {
        let halves = memory!(_mm256_loadu_si256(from.as_ptr().cast()));
        let lanes = lanes!(_mm512_cvtepu16_epi32(halves));
        let lanes = self.up::<16>(lanes);
        lanes!(_mm512_castsi512_ps(lanes))
    }
    #[inline(always)]
    fn fifth_bits(self, bits: u16) -> __m512i {
        lanes!(_mm512_maskz_set1_epi32(bits, 16))
    }
    #[inline(always)]
    fn and(self, a: __m512i, mask: i32) -> __m512i {
        let mask = lanes!(_mm512_set1_epi32(mask));
        lanes!(_mm512_and_si512(a, mask))
    }
    #[inline(always)]
    fn or(self, a: __m512i, b: __m512i) -> __m512i {
        lanes!(_mm512_or_si512(a, b))
    }
    #[inline(always)]
    fn down<const N: u32>(self, a: __m512i) -> __m512i {
        lanes!(_mm512_srli_epi32::<N>(a))
    }
    #[inline(always)]
    fn up<const N: u32>(self, a: __m512i) -> __m512i {
        lanes!(_mm512_slli_epi32::<N>(a))
    }
    #[inline(always)]
    fn float(self, a: __m512i) -> __m512 {
        lanes!(_mm512_cvtepi32_ps(a))
    }
    #[inline(always)]
    fn scale_by_power(self, value: __m512, shifted: __m512) -> __m512 {
        let power = lanes!(_mm512_castps_si512(shifted));
        let bits = lanes!(_mm512_castps_si512(value));
        let power = self.up::<23>(power);
        let bits = lanes!(_mm512_add_epi32(bits, power));
        lanes!(_mm512_castsi512_ps(bits))
    }
    #[inline(always)]
    fn table(self, scale: __m512, offset: __m512) -> __m512 {
        self.fma(self.load(&COUNT), scale, offset)
    }
    #[inline(always)]
    fn low(self, table: __m512, bytes: __m512i) -> __m512 {
        // The instruction looks at four bits of each index only.
        lanes!(_mm512_permutexvar_ps(bytes, table))
    }
    #[inline(always)]
    fn high(self, table: __m512, bytes: __m512i) -> __m512 {
        self.low(table, self.down::<4>(bytes))
    }
    #[inline(always)]
    fn lookup(self, values: &[i8; 16], packed: &[u8; 16]) -> [__m512; 2] {
        let values = memory!(_mm_loadu_si128(values.as_ptr().cast()));
        let table = self.float(lanes!(_mm512_cvtepi8_epi32(values)));
        let bytes = self.bytes(packed);
        [self.low(table, bytes), self.high(table, bytes)]
    }
    #[inline(always)]
    fn prefetch<T>(self, from: &[T], ahead_bytes: usize) {
        self.avx2().prefetch(from, ahead_bytes);
    }
    #[inline(always)]
    fn prefetch_far<T>(self, from: &[T], ahead_bytes: usize) {
        self.avx2().prefetch_far(from, ahead_bytes);
    }
    #[inline(always)]
    fn transpose(self, rows: &[Line; 16], to: &mut [Line], stride: usize) {
        let mut lanes = [self.splat(0.0); 16];
        for (lanes, row) in lanes.iter_mut().zip(rows) {
            *lanes = self.load(&row.0);
        }
        let lanes = self.quarters(self.quads(self.twos(lanes)));
        for (column, out) in lanes.iter().zip(to.iter_mut().step_by(stride)) {
            self.store(*column, &mut out.0);
        }
    }
}

/// The three steps of a transposition; each joins twice as many rows as the one before.
impl Avx512 {
    /// Rows `2i` and `2i + 1` interleaved by elements within each 128 bits.
    #[inline(always)]
    fn twos(self, rows: [__m512; 16]) -> [__m512; 16] {
        let mut out = rows;
        for i in 0..8 {
            out[2 * i] = lanes!(_mm512_unpacklo_ps(rows[2 * i], rows[2 * i + 1]));
            out[2 * i + 1] = lanes!(_mm512_unpackhi_ps(rows[2 * i], rows[2 * i + 1]));
        }
        out
    }

    /// In quarter `q` of `out[4i + c]`: elements `4q + c` of rows `4i` to `4i + 3`.
    #[inline(always)]
    fn quads(self, twos: [__m512; 16]) -> [__m512; 16] {
        let mut out = twos;
        for i in 0..4 {
            let at = 4 * i;
            out[at] = self.lower_pairs(twos[at], twos[at + 2]);
            out[at + 1] = self.upper_pairs(twos[at], twos[at + 2]);
            out[at + 2] = self.lower_pairs(twos[at + 1], twos[at + 3]);
            out[at + 3] = self.upper_pairs(twos[at + 1], twos[at + 3]);
        }
        out
    }

    /// Column `4q + c` out of the quarters `q` of the four that hold it.
    #[inline(always)]
    fn quarters(self, quads: [__m512; 16]) -> [__m512; 16] {
        let mut out = quads;
        for c in 0..4 {
            let even_low = lanes!(_mm512_shuffle_f32x4::<0b10_00_10_00>(quads[c], quads[4 + c]));
            let odd_low = lanes!(_mm512_shuffle_f32x4::<0b11_01_11_01>(quads[c], quads[4 + c]));
            let even_high = lanes!(_mm512_shuffle_f32x4::<0b10_00_10_00>(quads[8 + c], quads[12 + c]));
            let odd_high = lanes!(_mm512_shuffle_f32x4::<0b11_01_11_01>(quads[8 + c], quads[12 + c]));
            out[c] = lanes!(_mm512_shuffle_f32x4::<0b10_00_10_00>(even_low, even_high));
            out[8 + c] = lanes!(_mm512_shuffle_f32x4::<0b11_01_11_01>(even_low, even_high));
            out[4 + c] = lanes!(_mm512_shuffle_f32x4::<0b10_00_10_00>(odd_low, odd_high));
            out[12 + c] = lanes!(_mm512_shuffle_f32x4::<0b11_01_11_01>(odd_low, odd_high));
        }
        out
    }

    #[inline(always)]
    fn lower_pairs(self, a: __m512, b: __m512) -> __m512 {
        let (a, b) = (lanes!(_mm512_castps_pd(a)), lanes!(_mm512_castps_pd(b)));
        let pairs = lanes!(_mm512_unpacklo_pd(a, b));
        lanes!(_mm512_castpd_ps(pairs))
    }

    #[inline(always)]
    fn upper_pairs(self, a: __m512, b: __m512) -> __m512 {
        let (a, b) = (lanes!(_mm512_castps_pd(a)), lanes!(_mm512_castps_pd(b)));
        let pairs = lanes!(_mm512_unpackhi_pd(a, b));
        lanes!(_mm512_castpd_ps(pairs))
    }
}
