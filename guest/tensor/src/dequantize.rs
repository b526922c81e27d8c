//! Weights as floats, in ggml's order of operations: the reference for every fused kernel.
//!
//! The formulas are compiled once for each instruction set. Rust joins no multiplication with an addition, so
//! all give the same bits.
//!
//! Source: `ggml-quants.c` `dequantize_row_*`; the `gguf` Python package gives the same bits, see
//! `tests/vectors`.

use crate::codebook::{FOUR_BIT_FLOATS, IQ4_VALUES, half_of_power};
use crate::half::{bf16_to_f32, f16_to_f32};
use crate::simd::{Op, Simd};
use crate::{Isa, Quant};

/// Writes the floats of one row (or of any whole number of blocks).
///
/// Every instruction set gives the same bits as ggml's reference.
///
/// # Panics
/// If `bytes` is not exactly `out.len()` elements of `quant`.
pub fn dequantize_row(isa: Isa, quant: Quant, bytes: &[u8], out: &mut [f32]) {
    assert_eq!(quant.row_bytes(out.len()), Some(bytes.len()), "{} elements of {quant}", out.len());
    isa.run(Row { quant, bytes, out });
}

struct Row<'a> {
    quant: Quant,
    bytes: &'a [u8],
    out: &'a mut [f32],
}

impl Op for Row<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { quant, bytes, out } = self;
        match quant {
            Quant::F32 => blocks(bytes, out, |b, out: &mut [f32; 1]| *out = [f32::from_le_bytes(*b)]),
            Quant::F16 => blocks(bytes, out, |b, out: &mut [f32; 1]| *out = [s.half(u16::from_le_bytes(*b))]),
            Quant::BF16 => {
                blocks(bytes, out, |b, out: &mut [f32; 1]| *out = [bf16_to_f32(u16::from_le_bytes(*b))]);
            }
            Quant::Q8_0 => blocks(bytes, out, q8_0),
            Quant::Q4_0 => blocks(bytes, out, q4_0),
            Quant::Q4_1 => blocks(bytes, out, q4_1),
            Quant::Q5_0 => blocks(bytes, out, q5_0),
            Quant::Q5_1 => blocks(bytes, out, q5_1),
            Quant::Q2_K => blocks(bytes, out, q2_k),
            Quant::Q3_K => blocks(bytes, out, q3_k),
            Quant::Q4_K => blocks(bytes, out, q4_k),
            Quant::Q5_K => blocks(bytes, out, q5_k),
            Quant::Q6_K => blocks(bytes, out, q6_k),
            Quant::IQ4_NL => blocks(bytes, out, iq4_nl),
            Quant::IQ4_XS => blocks(bytes, out, iq4_xs),
            Quant::MXFP4 => blocks(bytes, out, mxfp4),
        }
    }
}

#[inline(always)]
fn blocks<const B: usize, const N: usize>(
    bytes: &[u8],
    out: &mut [f32],
    one: impl Fn(&[u8; B], &mut [f32; N]),
) {
    for (block, out) in bytes.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        one(block, out);
    }
}

/// The half at `at`.
#[inline(always)]
fn half_at(block: &[u8], at: usize) -> f32 {
    f16_to_f32(u16::from_le_bytes([block[at], block[at + 1]]))
}

#[inline(always)]
fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    for (out, &byte) in out.iter_mut().zip(&block[2..]) {
        *out = f32::from(byte.cast_signed()) * scale;
    }
}

#[inline(always)]
fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    for (i, &byte) in block[2..].iter().enumerate() {
        out[i] = scale * (f32::from(byte & 15) - 8.0);
        out[i + 16] = scale * (f32::from(byte >> 4) - 8.0);
    }
}

#[inline(always)]
fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    for (i, &byte) in block[4..].iter().enumerate() {
        out[i] = scale * f32::from(byte & 15) + minimum;
        out[i + 16] = scale * f32::from(byte >> 4) + minimum;
    }
}

/// The 32 five-bit values of a block whose upper bits begin at `at`, its nibbles four bytes on.
#[inline(always)]
fn five_bits(block: &[u8], at: usize) -> [u8; 32] {
    let upper = u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    let mut out = [0; 32];
    for (i, &byte) in block[at + 4..].iter().enumerate() {
        out[i] = byte & 15 | if upper >> i & 1 == 1 { 16 } else { 0 };
        out[i + 16] = byte >> 4 | if upper >> (i + 16) & 1 == 1 { 16 } else { 0 };
    }
    out
}

#[inline(always)]
fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    for (out, value) in out.iter_mut().zip(five_bits(block, 2)) {
        *out = scale * (f32::from(value) - 16.0);
    }
}

#[inline(always)]
fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    for (out, value) in out.iter_mut().zip(five_bits(block, 4)) {
        *out = scale * f32::from(value) + minimum;
    }
}

/// Where the sixteen elements of group `group` (0 to 15) lie: which half of the block, which bits of its bytes,
/// and where in each run of 32 bytes they begin.
#[inline(always)]
const fn place_of(group: usize) -> (usize, usize, usize) {
    (group / 8, group % 8 / 2, group % 2 * 16)
}

#[inline(always)]
fn q2_k(block: &[u8; 84], out: &mut [f32; 256]) {
    let (scale, minimum) = (half_at(block, 80), half_at(block, 82));
    for (group, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let scale = scale * f32::from(block[group] & 15);
        let minimum = minimum * f32::from(block[group] >> 4);
        let (half, quarter, start) = place_of(group);
        for (i, out) in out.iter_mut().enumerate() {
            let value = block[16 + half * 32 + start + i] >> (quarter * 2) & 3;
            *out = scale * f32::from(value) - minimum;
        }
    }
}

#[inline(always)]
fn q3_k(block: &[u8; 110], out: &mut [f32; 256]) {
    let scale = half_at(block, 108);
    for (group, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let lower = block[96 + group % 8] >> (group / 8 * 4) & 15;
        let upper = block[104 + group % 4] >> (group / 4 * 2) & 3;
        let scale = scale * (f32::from(lower | upper << 4) - 32.0);
        let (half, quarter, start) = place_of(group);
        for (i, out) in out.iter_mut().enumerate() {
            let pair = block[32 + half * 32 + start + i] >> (quarter * 2) & 3;
            let third = block[start + i] >> (half * 4 + quarter) & 1;
            *out = scale * (f32::from(pair | third << 2) - 4.0);
        }
    }
}

/// The 6-bit scale and minimum of group `group` (0 to 7) of a K-quant.
///
/// Source: `get_scale_min_k4` of `ggml-quants.c`.
#[inline(always)]
const fn scale_and_minimum(packed: &[u8; 12], group: usize) -> (u8, u8) {
    if group < 4 {
        (packed[group] & 63, packed[group + 4] & 63)
    } else {
        let low = packed[group + 4];
        (low & 15 | packed[group - 4] >> 6 << 4, low >> 4 | packed[group] >> 6 << 4)
    }
}

/// Scale and minimum of each group, as floats.
#[inline(always)]
fn groups(block: &[u8]) -> [(f32, f32); 8] {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    let mut packed = [0; 12];
    packed.copy_from_slice(&block[4..16]);
    core::array::from_fn(|group| {
        let (s, m) = scale_and_minimum(&packed, group);
        (scale * f32::from(s), minimum * f32::from(m))
    })
}

#[inline(always)]
fn q4_k(block: &[u8; 144], out: &mut [f32; 256]) {
    let groups = groups(block);
    for (group, (scale, minimum)) in groups.into_iter().enumerate() {
        for i in 0..32 {
            let byte = block[16 + group / 2 * 32 + i];
            let nibble = byte >> (group % 2 * 4) & 15;
            out[group * 32 + i] = scale * f32::from(nibble) - minimum;
        }
    }
}

#[inline(always)]
fn q5_k(block: &[u8; 176], out: &mut [f32; 256]) {
    let groups = groups(block);
    for (group, (scale, minimum)) in groups.into_iter().enumerate() {
        for i in 0..32 {
            let nibble = block[48 + group / 2 * 32 + i] >> (group % 2 * 4) & 15;
            let value = nibble | (block[16 + i] >> group & 1) << 4;
            out[group * 32 + i] = scale * f32::from(value) - minimum;
        }
    }
}

#[inline(always)]
fn q6_k(block: &[u8; 210], out: &mut [f32; 256]) {
    let scale = half_at(block, 208);
    for (group, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let scale = scale * f32::from(block[192 + group].cast_signed());
        // Each half of 128 elements has 64 bytes of nibbles and 32 bytes of bit pairs.
        let (half, quarter, start) = place_of(group);
        for (i, out) in out.iter_mut().enumerate() {
            let nibble = block[half * 64 + quarter % 2 * 32 + start + i] >> (quarter / 2 * 4) & 15;
            let upper = block[128 + half * 32 + start + i] >> (quarter * 2) & 3;
            *out = scale * (f32::from(nibble | upper << 4) - 32.0);
        }
    }
}

/// 32 nibbles through a table, the lower ones first.
#[inline(always)]
fn looked_up(values: &[i8; 16], scale: f32, packed: &[u8], out: &mut [f32; 32]) {
    for (i, &byte) in packed.iter().enumerate() {
        out[i] = scale * f32::from(values[usize::from(byte & 15)]);
        out[i + 16] = scale * f32::from(values[usize::from(byte >> 4)]);
    }
}

#[inline(always)]
fn iq4_nl(block: &[u8; 18], out: &mut [f32; 32]) {
    looked_up(&IQ4_VALUES, half_at(block, 0), &block[2..], out);
}

#[inline(always)]
fn iq4_xs(block: &[u8; 136], out: &mut [f32; 256]) {
    let (scale, uppers) = (half_at(block, 0), u16::from_le_bytes([block[2], block[3]]));
    for (group, out) in out.as_chunks_mut().0.iter_mut().enumerate() {
        let lower = block[4 + group / 2] >> (group % 2 * 4) & 15;
        let [upper, _] = (uppers >> (group * 2) & 3).to_le_bytes();
        let scale = scale * (f32::from(lower | upper << 4) - 32.0);
        looked_up(&IQ4_VALUES, scale, &block[8 + group * 16..][..16], out);
    }
}

#[inline(always)]
fn mxfp4(block: &[u8; 17], out: &mut [f32; 32]) {
    looked_up(&FOUR_BIT_FLOATS, half_of_power(block[0]), &block[1..], out);
}
