//! Every instruction set against the portable reference, and the reference against ggml's numbers.

use alloc::vec::Vec;

use crate::{Isa, Quant};

mod attention;
mod attention_page;
mod attention_q8_0;
mod finite;
mod matmul;
mod vector;
mod vectors;

/// Lengths around the edges of registers and blocks.
const LENGTHS: [usize; 14] = [1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129];

/// Numbers from a fixed sequence.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 32
    }

    /// In -1 to 1.
    #[expect(clippy::cast_precision_loss, reason = "any number will do")]
    fn float(&mut self) -> f32 {
        self.bits() as f32 / 2_147_483_648.0 - 1.0
    }

    fn floats(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.float()).collect()
    }

    /// Blocks with scales of at most one.
    fn blocks(&mut self, quant: Quant, elements: usize) -> Vec<u8> {
        if quant == Quant::F32 {
            return self.floats(elements).into_iter().flat_map(f32::to_le_bytes).collect();
        }
        let len = quant.row_bytes(elements).unwrap();
        let mut bytes: Vec<u8> = (0..len).map(|_| self.bits().to_le_bytes()[1]).collect();
        for block in bytes.chunks_mut(quant.block_bytes()) {
            for &at in halves(quant) {
                block[at + 1] = block[at + 1] & 0xB7 | 0x20;
            }
            if quant == Quant::MXFP4 {
                block[0] = block[0] & 15 | 112;
            }
        }
        bytes
    }
}

/// Places of the upper bytes of a block's halves, less one.
fn halves(quant: Quant) -> &'static [usize] {
    match quant {
        Quant::F32 | Quant::MXFP4 => &[],
        Quant::F16 | Quant::BF16 | Quant::Q8_0 | Quant::Q4_0 | Quant::Q5_0 => &[0],
        Quant::IQ4_NL | Quant::IQ4_XS => &[0],
        Quant::Q4_1 | Quant::Q5_1 | Quant::Q4_K | Quant::Q5_K => &[0, 2],
        Quant::Q2_K => &[80, 82],
        Quant::Q3_K => &[108],
        Quant::Q6_K => &[208],
    }
}

/// Runs `compute` with every instruction set and holds each against the portable result: elements may differ
/// by `tolerance` times the larger of one and the reference.
fn agree(name: &str, tolerance: f32, mut compute: impl FnMut(Isa) -> Vec<f32>) {
    let reference = compute(Isa::PORTABLE);
    for isa in Isa::supported() {
        assert_close(&alloc::format!("{name} by {isa}"), tolerance, &compute(isa), &reference);
    }
}

fn assert_close(name: &str, tolerance: f32, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let is_close = (found - expected).abs() <= tolerance * expected.abs().max(1.0);
        assert!(
            is_close || found.to_bits() == expected.to_bits(),
            "{name}: element {i} is {found}, not {expected}"
        );
    }
}
