//! Dequantisation against the `gguf` Python package: `tests/vectors/quant.py` makes the files.

use alloc::vec;
use alloc::vec::Vec;

use super::{LENGTHS, Random};
use crate::{Isa, Quant, dequantize_row};

macro_rules! vectors {
    ($($quant:ident),*) => {
        [$((
            Quant::$quant,
            include_bytes!(concat!("../../tests/vectors/", stringify!($quant), ".blocks")).as_slice(),
            include_bytes!(concat!("../../tests/vectors/", stringify!($quant), ".floats")).as_slice(),
        )),*]
    };
}

/// Random and edge blocks of each format, with the floats they stand for.
pub(super) const VECTORS: [(Quant, &[u8], &[u8]); 16] = vectors!(
    F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS, MXFP4
);

#[test]
fn every_format_has_a_vector() {
    assert_eq!(VECTORS.map(|(quant, ..)| quant), Quant::ALL);
}

#[test]
fn every_format_has_the_bits_of_ggml() {
    for (quant, blocks, floats) in VECTORS {
        let expected: Vec<u32> =
            floats.as_chunks().0.iter().map(|&bytes| u32::from_le_bytes(bytes)).collect();
        for isa in Isa::supported() {
            let mut out = vec![f32::NAN; expected.len()];
            dequantize_row(isa, quant, blocks, &mut out);
            let found: Vec<u32> = out.into_iter().map(f32::to_bits).collect();
            assert_eq!(found, expected, "{quant} by {isa}");
        }
    }
}

#[test]
fn every_instruction_set_dequantizes_to_the_same_bits() {
    let mut random = Random(1);
    for quant in Quant::ALL {
        for blocks in LENGTHS.into_iter().take(6) {
            let elements = blocks * quant.block_elements();
            let bytes = random.blocks(quant, elements);
            let mut reference = vec![0.0; elements];
            dequantize_row(Isa::PORTABLE, quant, &bytes, &mut reference);
            for isa in Isa::supported() {
                let mut out = vec![0.0; elements];
                dequantize_row(isa, quant, &bytes, &mut out);
                assert!(
                    out.iter().zip(&reference).all(|(a, b)| a.to_bits() == b.to_bits()),
                    "{quant} by {isa}"
                );
            }
        }
    }
}

#[test]
#[should_panic(expected = "elements of Q4_1")]
fn a_row_of_another_length_is_refused() {
    dequantize_row(Isa::PORTABLE, Quant::Q4_1, &[0; 20], &mut [0.0; 64]);
}
