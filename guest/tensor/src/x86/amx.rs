//! Products of sixteen by sixteen numbers in tile registers: AMX, halves of the BF16 kind.
//!
//! Source: Intel SDM vol. 1 §18 (tiles), vol. 2 `LDTILECFG`, `TDPBF16PS`.
#![expect(unsafe_code, reason = "instructions without intrinsics, behind a token that proves their support")]

use core::arch::asm;
use core::arch::x86_64::{
    __m512, __m512i, _mm512_add_epi32, _mm512_and_si512, _mm512_castps_si512, _mm512_castsi512_ps,
    _mm512_mask_blend_epi16, _mm512_set1_epi32, _mm512_srli_epi32, _mm512_sub_ps,
};
use core::marker::PhantomData;

use super::instruction::lanes;
use super::{Avx512, detect};
use crate::simd::{Line, Simd as _};

/// Proves that cpu and system support AMX (TILE, BF16, INT8), and what [`Avx512`] proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Amx(Avx512);

/// Tiles of sixteen lines each.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Quad(pub(crate) [[Line; 16]; 4]);

impl Quad {
    pub(crate) const ZERO: Self = Self([[Line::ZERO; 16]; 4]);
}

/// What `LDTILECFG` reads: eight tiles of sixteen rows of 64 bytes.
#[repr(C, align(64))]
struct Shape {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

static SHAPE: Shape = {
    let (mut row_bytes, mut rows, mut tile) = ([0; 16], [0; 16], 0);
    while tile < 8 {
        (row_bytes[tile], rows[tile]) = (64, 16);
        tile += 1;
    }
    Shape { palette: 1, start_row: 0, reserved: [0; 14], row_bytes, rows }
};

impl Amx {
    pub(crate) fn detect() -> Option<Self> {
        Avx512::detect().filter(|_| detect::amx()).map(Self)
    }

    /// What it contains.
    #[inline(always)]
    pub(crate) const fn avx512(self) -> Avx512 {
        self.0
    }

    /// Each float as the sum of two BF16 halves, which leaves out 2^-16 of it at most: the upper ones, then the lower ones.
    /// A lane has the half of `even` in its lower bits and that of `odd` in its upper ones.
    #[inline(always)]
    pub(crate) fn split(self, even: &Line, odd: &Line) -> [Line; 2] {
        let (even, odd) = (self.0.load(&even.0), self.0.load(&odd.0));
        let (even_bits, odd_bits) = (self.raised(even), self.raised(odd));
        let even_rest = lanes!(_mm512_sub_ps(even, self.upper(even_bits)));
        let odd_rest = lanes!(_mm512_sub_ps(odd, self.upper(odd_bits)));
        [self.joined(even_bits, odd_bits), self.joined(self.raised(even_rest), self.raised(odd_rest))]
    }

    /// The bits of floats and half a step of a BF16 half: the upper half is then the nearest, ties away from zero.
    #[inline(always)]
    fn raised(self, value: __m512) -> __m512i {
        let bits = lanes!(_mm512_castps_si512(value));
        let half_step = lanes!(_mm512_set1_epi32(0x8000));
        lanes!(_mm512_add_epi32(bits, half_step))
    }

    /// The upper half of each as a float.
    #[inline(always)]
    fn upper(self, bits: __m512i) -> __m512 {
        let mask = lanes!(_mm512_set1_epi32(0xFFFF_0000_u32.cast_signed()));
        let upper = lanes!(_mm512_and_si512(bits, mask));
        lanes!(_mm512_castsi512_ps(upper))
    }

    /// The upper halves of both.
    #[inline(always)]
    fn joined(self, even: __m512i, odd: __m512i) -> Line {
        let even = lanes!(_mm512_srli_epi32::<16>(even));
        let both = lanes!(_mm512_mask_blend_epi16(0xAAAA_AAAA, even, odd));
        let mut line = Line::ZERO;
        self.0.store(lanes!(_mm512_castsi512_ps(both)), &mut line.0);
        line
    }

    /// This cpu's tile registers, until the value is dropped.
    pub(crate) fn tiles(self) -> Tiles {
        // SAFETY: the token proves that the instruction is supported; it reads 64 bytes.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const SHAPE, options(nostack, readonly)) };
        Tiles { registers: PhantomData }
    }
}

/// Tile registers in use by the cpu that made it: it stays there.
pub(crate) struct Tiles {
    registers: PhantomData<*mut ()>,
}

impl Tiles {
    /// Adds to `sums` what `rows` and `inputs` have, which are as long; `is_first`: to nothing.
    ///
    /// Tiles of `rows`, and of `inputs`: the upper halves of the first sixteen and of the next, then their lower halves.
    /// A line of `rows` has pairs of columns of one row, a line of `inputs` has one pair of sixteen inputs. Products of two
    /// lower halves are left out: they are below the last bit of the others. Tiles of `sums`: the first sixteen rows times
    /// the first inputs, and times the next, then so of the next rows; a line has one row.
    #[inline(always)]
    pub(crate) fn multiply(&self, rows: &[Quad], inputs: &[Quad], sums: &mut Quad, is_first: bool) {
        assert!(rows.len() == inputs.len() && !rows.is_empty(), "{} and {} quads", rows.len(), inputs.len());
        // SAFETY: `self` proves that the instructions are supported and that tiles are sixteen rows of 64 bytes; from `rows`
        // and `inputs` on 4096 bytes are read `len` times, and those of `sums` are read and written.
        unsafe {
            asm!(
                "test {is_first}, {is_first}",
                "jnz 3f",
                "tileloadd tmm0, [{sums} + {stride}]",
                "tileloadd tmm1, [{sums} + {stride} + 1024]",
                "tileloadd tmm2, [{sums} + {stride} + 2048]",
                "tileloadd tmm3, [{sums} + {stride} + 3072]",
                "jmp 2f",
                "3:",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{rows} + {stride}]",
                "tileloadd tmm6, [{inputs} + {stride} + 2048]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{inputs} + {stride} + 3072]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{rows} + {stride} + 1024]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "tileloadd tmm6, [{inputs} + {stride}]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{inputs} + {stride} + 1024]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "tileloadd tmm4, [{rows} + {stride} + 2048]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{rows} + {stride} + 3072]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {rows}, 4096",
                "add {inputs}, 4096",
                "dec {left}",
                "jnz 2b",
                "tilestored [{sums} + {stride}], tmm0",
                "tilestored [{sums} + {stride} + 1024], tmm1",
                "tilestored [{sums} + {stride} + 2048], tmm2",
                "tilestored [{sums} + {stride} + 3072], tmm3",
                sums = in(reg) sums,
                rows = inout(reg) rows.as_ptr() => _,
                inputs = inout(reg) inputs.as_ptr() => _,
                left = inout(reg) rows.len() => _,
                is_first = in(reg) u64::from(is_first),
                stride = in(reg) 64_usize,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: a `Tiles` is made with the instruction's support proven.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}
