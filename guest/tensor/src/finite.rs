//! Scales that are no numbers, looked for once when weights are loaded.
//!
//! A finite scale gives finite weights, whatever the other bytes of its block: so scales alone are looked at.
//! Formats without scales are looked at element by element. The exception is `MXFP4`, whose two largest scales
//! are numbers but have products beyond the range of floats; they are left to the check of the logits.

use crate::simd::{Op, Simd};
use crate::{Isa, Quant};

/// Blocks looked at between two branches.
const STRIDE: usize = 64;

/// The first block of `bytes` with a scale or a minimum that is infinite or not a number; for formats without
/// scales, the first such element.
///
/// Blocks are counted from the start of `bytes`, which may be any number of rows.
///
/// # Panics
/// If `bytes` is not whole blocks of `quant`.
#[must_use]
pub fn first_not_finite(isa: Isa, quant: Quant, bytes: &[u8]) -> Option<usize> {
    assert!(bytes.len().is_multiple_of(quant.block_bytes()), "{} bytes of {quant}", bytes.len());
    isa.run(Search { quant, bytes })
}

struct Search<'a> {
    quant: Quant,
    bytes: &'a [u8],
}

impl Op for Search<'_> {
    type Out = Option<usize>;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Option<usize> {
        let Self { quant, bytes } = self;
        match quant {
            Quant::F32 => first(bytes, |block: &[u8; 4]| !f32::from_le_bytes(*block).is_finite()),
            Quant::BF16 => first(bytes, |block: &[u8; 2]| u16::from_le_bytes(*block) & 0x7F80 == 0x7F80),
            Quant::F16 => first(bytes, |block: &[u8; 2]| is_bad(block, 0)),
            Quant::Q8_0 => first(bytes, |block: &[u8; 34]| is_bad(block, 0)),
            Quant::Q4_0 | Quant::IQ4_NL => first(bytes, |block: &[u8; 18]| is_bad(block, 0)),
            Quant::Q4_1 => first(bytes, |block: &[u8; 20]| is_bad(block, 0) | is_bad(block, 2)),
            Quant::Q5_0 => first(bytes, |block: &[u8; 22]| is_bad(block, 0)),
            Quant::Q5_1 => first(bytes, |block: &[u8; 24]| is_bad(block, 0) | is_bad(block, 2)),
            Quant::Q2_K => first(bytes, |block: &[u8; 84]| is_bad(block, 80) | is_bad(block, 82)),
            Quant::Q3_K => first(bytes, |block: &[u8; 110]| is_bad(block, 108)),
            Quant::Q4_K => first(bytes, |block: &[u8; 144]| is_bad(block, 0) | is_bad(block, 2)),
            Quant::Q5_K => first(bytes, |block: &[u8; 176]| is_bad(block, 0) | is_bad(block, 2)),
            Quant::Q6_K => first(bytes, |block: &[u8; 210]| is_bad(block, 208)),
            Quant::IQ4_XS => first(bytes, |block: &[u8; 136]| is_bad(block, 0)),
            Quant::MXFP4 => first(bytes, |block: &[u8; 17]| block[0] == u8::MAX),
        }
    }
}

/// Whether the half at `at` is infinite or not a number.
#[inline(always)]
fn is_bad(block: &[u8], at: usize) -> bool {
    u16::from_le_bytes([block[at], block[at + 1]]) & 0x7C00 == 0x7C00
}

/// The first block that `is_bad`. There is no branch for each block, so that lanes can share the work.
#[inline(always)]
fn first<const B: usize>(bytes: &[u8], is_bad: impl Fn(&[u8; B]) -> bool) -> Option<usize> {
    let mut strides = bytes.as_chunks::<B>().0.chunks(STRIDE).enumerate();
    strides.find_map(|(number, stride)| {
        let found = stride.iter().fold(false, |found, block| found | is_bad(block));
        let place = if found { stride.iter().position(&is_bad) } else { None };
        place.map(|place| number * STRIDE + place)
    })
}
