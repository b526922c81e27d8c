//! Products of sixteen rows of bytes and inputs of bytes in tile registers: AMX, the INT8 kind.
//!
//! Source: Intel SDM vol. 2 `TDPBSSD`, `TDPBUSD`.
#![expect(unsafe_code, reason = "instructions without intrinsics, behind a token that proves their support")]

use core::arch::asm;
use core::arch::x86_64::{
    __m512, _mm_loadu_ps, _mm256_loadu_ps, _mm512_broadcast_f32x4, _mm512_broadcast_f32x8,
    _mm512_castps_si512, _mm512_cvtepi32_ps,
};

use super::Amx;
use super::amx::{Quad, Tiles};
use super::instruction::{lanes, memory};
use crate::simd::{Line, Simd as _};

/// A stretch of sixteen rows: tiles of 64 columns, a line has those of one row.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct RowBytes(pub(crate) [[[u8; 64]; 16]; 4]);

/// A stretch of some inputs: tiles of 64 columns, a line has four columns, one after the other, of sixteen kinds.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct InputBytes(pub(crate) [[[u32; 16]; 16]; 4]);

impl RowBytes {
    pub(crate) const ZERO: Self = Self([[[0; 64]; 16]; 4]);
}

impl InputBytes {
    pub(crate) const ZERO: Self = Self([[[0; 16]; 16]; 4]);
}

/// Products of two tiles of inputs, and of as many of each sixteen rows, with one instruction.
macro_rules! multiply {
    ($instruction:literal, $rows:expr, $inputs:expr, $sums:expr) => {
        // SAFETY: `self` of the caller proves that the instructions are supported and that tiles are sixteen rows of 64
        // bytes; from `inputs` on two tiles are read, from `rows` on two, and two that lie 4096 bytes after them, and so is
        // written to `sums`: all of them are within what the caller's references are to.
        unsafe {
            asm!(
                "tileloadd tmm6, [{inputs} + {stride}]",
                "tileloadd tmm4, [{rows} + {stride}]",
                "tilezero tmm0",
                concat!($instruction, " tmm0, tmm4, tmm6"),
                "tileloadd tmm5, [{rows} + {stride} + 4096]",
                "tilezero tmm1",
                concat!($instruction, " tmm1, tmm5, tmm6"),
                "tileloadd tmm7, [{inputs} + {stride} + 1024]",
                "tileloadd tmm4, [{rows} + {stride} + 1024]",
                "tilezero tmm2",
                concat!($instruction, " tmm2, tmm4, tmm7"),
                "tileloadd tmm5, [{rows} + {stride} + 5120]",
                "tilezero tmm3",
                concat!($instruction, " tmm3, tmm5, tmm7"),
                "tilestored [{sums} + {stride}], tmm0",
                "tilestored [{sums} + {stride} + 4096], tmm1",
                "tilestored [{sums} + {stride} + 1024], tmm2",
                "tilestored [{sums} + {stride} + 5120], tmm3",
                rows = in(reg) $rows,
                inputs = in(reg) $inputs,
                sums = in(reg) $sums,
                stride = in(reg) 64_usize,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    };
}

impl Tiles {
    /// Sets half of `sums`, 0 or 1, tile by tile, to what `rows`, two times sixteen, and `inputs` have: integers, a line of a row,
    /// a lane of a kind of inputs.
    ///
    /// # Panics
    /// If there is no such half.
    #[inline(always)]
    pub(crate) fn multiply_bytes(
        &self,
        rows: &[RowBytes; 2],
        is_signed: bool,
        inputs: &InputBytes,
        half: usize,
        sums: &mut [Quad; 2],
    ) {
        assert!(half < 2, "half {half} of two");
        let from = |start: *const u8| start.wrapping_add(2048 * half);
        let (rows, inputs) = (from((&raw const *rows).cast()), from((&raw const *inputs).cast()));
        let sums = (&raw mut *sums).cast::<u8>().wrapping_add(2048 * half);
        if is_signed {
            multiply!("tdpbssd", rows, inputs, sums);
        } else {
            multiply!("tdpbusd", rows, inputs, sums);
        }
    }
}

impl Amx {
    /// `to` and the sums of four tiles, each by scales that all inputs share, all by `factors`.
    ///
    /// `SHARED` scales of a tile, 4 or 8, are repeated.
    #[inline(always)]
    pub(crate) fn add_integers<const SHARED: usize>(
        self,
        to: &Line,
        sums: [&Line; 4],
        scales: &[[f32; SHARED]; 4],
        factors: &Line,
    ) -> Line {
        let s = self.avx512();
        let mut sum = s.mul(self.integers(sums[0]), self.repeated(&scales[0]));
        for tile in 1..4 {
            sum = s.fma(self.integers(sums[tile]), self.repeated(&scales[tile]), sum);
        }
        let mut out = Line::ZERO;
        s.store(s.fma(sum, s.load(&factors.0), s.load(&to.0)), &mut out.0);
        out
    }

    /// Integers as floats.
    #[inline(always)]
    fn integers(self, bits: &Line) -> __m512 {
        let bits = lanes!(_mm512_castps_si512(self.avx512().load(&bits.0)));
        lanes!(_mm512_cvtepi32_ps(bits))
    }

    /// As many as there are, again and again.
    #[inline(always)]
    fn repeated<const SHARED: usize>(self, values: &[f32; SHARED]) -> __m512 {
        if let Some(four) = values.as_array::<4>() {
            let four = memory!(_mm_loadu_ps(four.as_ptr()));
            return lanes!(_mm512_broadcast_f32x4(four));
        }
        let Some(eight) = values.as_array::<8>() else { unreachable!("scales are four or eight") };
        let eight = memory!(_mm256_loadu_ps(eight.as_ptr()));
        lanes!(_mm512_broadcast_f32x8(eight))
    }
}
