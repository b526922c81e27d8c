//! Nibbles of four blocks, as they lie, and planes of bytes: AVX-512 with VNNI.
#![expect(unsafe_code, reason = "vector instructions behind a token that proves their support")]

use core::arch::x86_64::{
    __m128i, __m512, __m512i, _mm_add_ps, _mm_loadu_si128, _mm_storeu_ps, _mm256_add_ps,
    _mm256_castps256_ps128, _mm256_extractf128_ps, _mm512_and_si512, _mm512_castps512_ps256,
    _mm512_castsi512_si256, _mm512_cvtepi32_ps, _mm512_cvtph_ps, _mm512_extractf32x8_ps, _mm512_loadu_si512,
    _mm512_mask_broadcast_i32x4, _mm512_maskz_loadu_epi8, _mm512_permutexvar_epi16, _mm512_set1_epi8,
    _mm512_setzero_si512, _mm512_shuffle_ps, _mm512_slli_epi32, _mm512_srli_epi16, _mm512_unpackhi_ps,
    _mm512_unpacklo_ps, _mm512_zextsi128_si512,
};

use super::Avx512;
use super::instruction::{lanes, memory};
use crate::matmul::{GROUP, Group};
use crate::simd::Simd as _;

/// Four blocks in registers.
#[derive(Clone, Copy)]
pub(crate) struct FourBlocks {
    /// The lower ones, and the upper ones.
    nibbles: [__m512i; 2],
    scales: __m512,
    /// Scales, too, where blocks have no offset.
    offsets: __m512,
}

/// Bytes of a block that begins with scale and offset: `Q4_1`. Of `Q4_0`, which has a scale alone, it has two less.
const WITH_MINIMUM: usize = 20;

/// Words of a block.
#[expect(clippy::cast_possible_truncation, reason = "blocks of nibbles are short")]
const fn words<const B: usize>() -> u16 {
    B as u16 / 2
}

/// Where in blocks of `B` bytes lane after lane finds word `at` of its block, four lanes for each.
const fn halves_of<const B: usize>(at: u16) -> [u16; 32] {
    let (mut out, mut lane) = ([0; 32], 0);
    while lane < 16 {
        out[lane as usize] = lane / 4 * words::<B>() + at;
        lane += 1;
    }
    out
}

/// Where in blocks of `B` bytes, of which the last sixteen are nibbles, these lie.
const fn nibbles_of<const B: usize>() -> [u16; 32] {
    let (mut out, mut at) = ([0; 32], 0);
    while at < 32 {
        out[at as usize] = (at / 8 + 1) * words::<B>() - 8 + at % 8;
        at += 1;
    }
    out
}

impl Avx512 {
    /// Four blocks whose last sixteen bytes are nibbles. Before these there is their scale, and in blocks [`WITH_MINIMUM`] their
    /// offset.
    #[inline(always)]
    pub(crate) fn four_blocks<const B: usize>(self, blocks: &[[u8; B]; GROUP]) -> FourBlocks {
        let [a, b, c, d] = blocks.each_ref().map(|block| self.sixteen(block));
        let all = lanes!(_mm512_zextsi128_si512(a));
        let all = lanes!(_mm512_mask_broadcast_i32x4(all, 0x00F0, b));
        let all = lanes!(_mm512_mask_broadcast_i32x4(all, 0x0F00, c));
        let all = lanes!(_mm512_mask_broadcast_i32x4(all, 0xF000, d));
        let Some(first) = blocks.as_flattened().first_chunk::<64>() else {
            unreachable!("four blocks of nibbles")
        };
        self.apart::<B>(all, memory!(_mm512_loadu_si512(first.as_ptr().cast())))
    }

    /// Up to three blocks, and zeros.
    #[inline(always)]
    pub(crate) fn some_blocks<const B: usize>(self, blocks: &[[u8; B]]) -> FourBlocks {
        let bytes = blocks.as_flattened();
        assert!(bytes.len() < 64, "{} blocks are no rest", blocks.len());
        let mask = (1 << bytes.len()) - 1;
        let all = memory!(_mm512_maskz_loadu_epi8(mask, bytes.as_ptr().cast()));
        let places = const { nibbles_of::<B>() };
        self.apart::<B>(self.words_at(all, &places), all)
    }

    /// Nibbles apart, and what `first`, the first 64 bytes of all blocks, has of numbers.
    #[inline(always)]
    fn apart<const B: usize>(self, nibbles: __m512i, first: __m512i) -> FourBlocks {
        let scales = self.halves_at(first, &const { halves_of::<B>(0) });
        let offsets =
            if B == WITH_MINIMUM { self.halves_at(first, &const { halves_of::<B>(1) }) } else { scales };
        let (mask, upper) = (lanes!(_mm512_set1_epi8(15)), lanes!(_mm512_srli_epi16::<4>(nibbles)));
        let nibbles = [lanes!(_mm512_and_si512(nibbles, mask)), lanes!(_mm512_and_si512(upper, mask))];
        FourBlocks { nibbles, scales, offsets }
    }

    #[inline(always)]
    fn sixteen<const B: usize>(self, block: &[u8; B]) -> __m128i {
        let Some(bytes) = block.last_chunk::<16>() else { unreachable!("a block of nibbles") };
        memory!(_mm_loadu_si128(bytes.as_ptr().cast()))
    }

    #[inline(always)]
    fn words_at(self, words: __m512i, places: &[u16; 32]) -> __m512i {
        let places = memory!(_mm512_loadu_si512(places.as_ptr().cast()));
        lanes!(_mm512_permutexvar_epi16(places, words))
    }

    /// Halves at the first sixteen places as floats.
    #[inline(always)]
    fn halves_at(self, words: __m512i, places: &[u16; 32]) -> __m512 {
        let halves = lanes!(_mm512_castsi512_si256(self.words_at(words, places)));
        lanes!(_mm512_cvtph_ps(halves))
    }

    /// Sums of the lanes of each.
    #[inline(always)]
    pub(crate) fn sums(self, [a, b, c, d]: [__m512; 4]) -> [f32; 4] {
        let (ab, cd) = (self.pairs(a, b), self.pairs(c, d));
        let low = lanes!(_mm512_shuffle_ps::<0b01_00_01_00>(ab, cd));
        let high = lanes!(_mm512_shuffle_ps::<0b11_10_11_10>(ab, cd));
        let fours = self.add(low, high);
        let (low, high) = (lanes!(_mm512_castps512_ps256(fours)), lanes!(_mm512_extractf32x8_ps::<1>(fours)));
        let eights = lanes!(_mm256_add_ps(low, high));
        let (low, high) =
            (lanes!(_mm256_castps256_ps128(eights)), lanes!(_mm256_extractf128_ps::<1>(eights)));
        let mut out = [0.0; 4];
        let all = lanes!(_mm_add_ps(low, high));
        memory!(_mm_storeu_ps(out.as_mut_ptr(), all));
        out
    }

    /// Of each four lanes sums of two and two: of the first and of the second in turn.
    #[inline(always)]
    fn pairs(self, a: __m512, b: __m512) -> __m512 {
        self.add(lanes!(_mm512_unpacklo_ps(a, b)), lanes!(_mm512_unpackhi_ps(a, b)))
    }

    /// Adds the products of four blocks. Without an offset nibbles stand for eight less than they are; sums of so few bits are
    /// exact with that taken off.
    #[inline(always)]
    pub(crate) fn add_blocks<const B: usize>(self, sums: __m512, blocks: &FourBlocks, x: &Group) -> __m512 {
        let (products, all) = (self.plane_products(blocks.nibbles, x), self.load(&x.sums));
        if B == WITH_MINIMUM {
            let part = self.fma(blocks.offsets, all, self.mul(products, blocks.scales));
            return self.fma(part, self.splat(x.scale), sums);
        }
        let around = self.fma(all, self.splat(-8.0), products);
        self.fma(around, self.mul(blocks.scales, self.splat(x.scale)), sums)
    }

    /// What nibbles and words have, each four columns and those sixteen further on in a lane: at most 23 bits.
    #[inline(always)]
    fn plane_products(self, [low, high]: [__m512i; 2], x: &Group) -> __m512 {
        let add = |sums, plane: &[[[u16; 8]; GROUP]; 2]| {
            self.add_bytes(self.add_bytes(sums, low, &plane[0]), high, &plane[1])
        };
        let upper = add(lanes!(_mm512_setzero_si512()), &x.upper);
        let products = add(lanes!(_mm512_slli_epi32::<8>(upper)), &x.lower);
        lanes!(_mm512_cvtepi32_ps(products))
    }
}
