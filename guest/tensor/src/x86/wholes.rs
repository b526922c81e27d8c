//! Blocks of 256 weights of few bits, and planes of bytes: AVX-512 with VNNI.
#![expect(unsafe_code, reason = "vector instructions behind a token that proves their support")]

use core::arch::x86_64::{
    __m512, __m512i, _mm_loadu_si128, _mm_shuffle_epi8, _mm256_loadu_si256, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm512_and_si512, _mm512_broadcast_i64x4, _mm512_cvtepi32_ps, _mm512_cvtepu8_epi32,
    _mm512_cvtph_ps, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_or_si512, _mm512_permutexvar_ps,
    _mm512_set1_epi8, _mm512_setzero_si512, _mm512_slli_epi32, _mm512_sllv_epi16, _mm512_srli_epi16,
    _mm512_srlv_epi16, _mm512_storeu_si512, _mm512_sub_epi8,
};

use super::Avx512;
use super::instruction::{lanes, memory};
use super::orders::{IN_PAIRS, by_halves};
use super::words512::constant;
use crate::matmul::Whole;
use crate::simd::Simd as _;
use crate::words::cut;

/// A block in registers.
#[derive(Clone, Copy)]
pub(crate) struct WholeBlock {
    /// 64 columns after 64 columns, the bits as they lie.
    weights: [__m512i; 4],
    /// Scales and what else there is.
    pub(crate) numbers: __m512,
}

/// How far the bits of the first 32 of 64 columns are moved, and those of the others.
const NIBBLES: __m512i = constant(by_halves(0, 4));
/// So that the fifth bits of four times 64 columns are fifth; of the first two times up, of the others down.
const FIFTHS: [__m512i; 4] = [
    constant(by_halves(4, 3)),
    constant(by_halves(2, 1)),
    constant(by_halves(0, 1)),
    constant(by_halves(2, 3)),
];
/// So that pairs of bits are the upper two of six; up and down.
const PAIRS: [__m512i; 2] = [constant(by_halves(4, 2)), constant(by_halves(0, 2))];

impl Avx512 {
    /// Reads a block of `Q4_K`. Numbers are scales and minima in turn.
    ///
    /// Source, as of the others: `ggml-quants.c`, `dequantize_row_q4_K` and so on.
    #[inline(always)]
    pub(crate) fn four_bits_block(self, block: &[u8; 144]) -> WholeBlock {
        let weights = [
            self.nibbles_at(block, 16),
            self.nibbles_at(block, 48),
            self.nibbles_at(block, 80),
            self.nibbles_at(block, 112),
        ];
        WholeBlock { weights, numbers: self.scales_and_minima(cut(block, 0)) }
    }

    /// Reads a block of `Q5_K`. Numbers are scales and minima in turn.
    #[inline(always)]
    pub(crate) fn five_bits_block(self, block: &[u8; 176]) -> WholeBlock {
        let bits = self.both_halves(cut(block, 16));
        let fifths = [
            lanes!(_mm512_sllv_epi16(bits, FIFTHS[0])),
            lanes!(_mm512_sllv_epi16(bits, FIFTHS[1])),
            lanes!(_mm512_srlv_epi16(bits, FIFTHS[2])),
            lanes!(_mm512_srlv_epi16(bits, FIFTHS[3])),
        ];
        let mut weights = fifths;
        for (at, weights) in weights.iter_mut().enumerate() {
            let nibbles = self.nibbles_at(block, 48 + 32 * at);
            *weights = lanes!(_mm512_or_si512(nibbles, self.bits(fifths[at], 0x10)));
        }
        WholeBlock { weights, numbers: self.scales_and_minima(cut(block, 0)) }
    }

    /// Reads a block of `Q6_K`. Numbers are scales of each sixteen columns.
    #[inline(always)]
    pub(crate) fn six_bits_block(self, block: &[u8; 210]) -> WholeBlock {
        let [a, b] = self.half_of_six_bits(cut(block, 0), cut(block, 128));
        let [c, d] = self.half_of_six_bits(cut(block, 64), cut(block, 160));
        let scale = lanes!(_mm256_set1_epi16(i16::from_le_bytes(*cut(block, 208))));
        let scale = lanes!(_mm512_cvtph_ps(scale));
        WholeBlock { weights: [a, b, c, d], numbers: self.mul(self.signed_bytes(cut(block, 192)), scale) }
    }

    /// 128 columns: 64 bytes of nibbles, 32 of pairs of bits.
    #[inline(always)]
    fn half_of_six_bits(self, nibbles: &[u8; 64], pairs: &[u8; 32]) -> [__m512i; 2] {
        let nibbles = memory!(_mm512_loadu_si512(nibbles.as_ptr().cast()));
        let pairs = self.both_halves(pairs);
        let upper = lanes!(_mm512_srli_epi16::<4>(nibbles));
        let first = self.bits(lanes!(_mm512_sllv_epi16(pairs, PAIRS[0])), 0x30);
        let second = self.bits(lanes!(_mm512_srlv_epi16(pairs, PAIRS[1])), 0x30);
        [
            lanes!(_mm512_or_si512(self.bits(nibbles, 15), first)),
            lanes!(_mm512_or_si512(self.bits(upper, 15), second)),
        ]
    }

    /// 64 columns: the lower nibbles of 32 bytes, then the upper ones.
    #[inline(always)]
    fn nibbles_at(self, block: &[u8], at: usize) -> __m512i {
        let twice = self.both_halves(cut(block, at));
        self.bits(lanes!(_mm512_srlv_epi16(twice, NIBBLES)), 15)
    }

    #[inline(always)]
    fn both_halves(self, bytes: &[u8; 32]) -> __m512i {
        let bytes = memory!(_mm256_loadu_si256(bytes.as_ptr().cast()));
        lanes!(_mm512_broadcast_i64x4(bytes))
    }

    #[inline(always)]
    fn bits(self, bytes: __m512i, mask: i8) -> __m512i {
        let mask = lanes!(_mm512_set1_epi8(mask));
        lanes!(_mm512_and_si512(bytes, mask))
    }

    /// Of each 32 columns the scale and the minimum, out of the first sixteen bytes of a block.
    #[inline(always)]
    fn scales_and_minima(self, header: &[u8; 16]) -> __m512 {
        let bytes = self.avx2().six_bit_bytes(header);
        let order = memory!(_mm_loadu_si128(IN_PAIRS.as_ptr().cast()));
        let bytes = lanes!(_mm_shuffle_epi8(bytes, order));
        let integers = lanes!(_mm512_cvtepu8_epi32(bytes));
        let factors = lanes!(_mm256_set1_epi32(i32::from_le_bytes(*cut(header, 0))));
        let factors = lanes!(_mm512_cvtph_ps(factors));
        self.mul(lanes!(_mm512_cvtepi32_ps(integers)), factors)
    }

    /// Adds the products of a block: sums of four weights and words are 23 bits.
    #[inline(always)]
    pub(crate) fn add_whole(
        self,
        sums: __m512,
        block: &WholeBlock,
        scales: &[[u32; 16]; 4],
        x: &Whole,
    ) -> __m512 {
        let mut part = self.splat(0.0);
        for ((weights, scales), (upper, lower)) in
            block.weights.iter().zip(scales).zip(x.upper.iter().zip(&x.lower))
        {
            let upper = self.add_bytes(lanes!(_mm512_setzero_si512()), *weights, upper);
            let products = self.add_bytes(lanes!(_mm512_slli_epi32::<8>(upper)), *weights, lower);
            let scales = self.ordered(scales, block.numbers);
            part = self.fma(lanes!(_mm512_cvtepi32_ps(products)), scales, part);
        }
        self.fma(part, self.splat(x.scale), sums)
    }

    /// Numbers at these places.
    #[inline(always)]
    pub(crate) fn ordered(self, places: &[u32; 16], numbers: __m512) -> __m512 {
        let places = memory!(_mm512_loadu_si512(places.as_ptr().cast()));
        lanes!(_mm512_permutexvar_ps(places, numbers))
    }

    /// Writes the weights of a block as bytes, each less `middle`, 64 columns after 64.
    #[inline(always)]
    pub(crate) fn store_whole(self, block: &WholeBlock, middle: i8, to: [&mut [u8; 64]; 4]) {
        let middle = lanes!(_mm512_set1_epi8(middle));
        for (weights, to) in block.weights.iter().zip(to) {
            let weights = lanes!(_mm512_sub_epi8(*weights, middle));
            memory!(_mm512_storeu_si512(to.as_mut_ptr().cast(), weights));
        }
    }

    /// Adds products of 64 weights and bytes of a plane, four in a lane.
    #[inline(always)]
    pub(super) fn add_bytes(self, sums: __m512i, weights: __m512i, plane: &[[u16; 8]; 4]) -> __m512i {
        let plane = memory!(_mm512_loadu_si512(plane.as_ptr().cast()));
        lanes!(_mm512_dpbusd_epi32(sums, weights, plane))
    }
}
