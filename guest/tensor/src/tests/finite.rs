//! Scales that are no numbers.

use alloc::vec;
use alloc::vec::Vec;

use super::vectors::VECTORS;
use super::{Random, halves};
use crate::{Isa, Quant, dequantize_row, first_not_finite};

/// Infinite, quiet and signalling halves.
const BAD_HALVES: [u16; 6] = [0x7C00, 0xFC00, 0x7E00, 0xFFFF, 0x7C01, 0xFDFF];

/// Places and bytes that make a block's scale or minimum, or an element without one, no number.
fn damages(quant: Quant) -> Vec<(usize, Vec<u8>)> {
    let halves_at = |at: usize| BAD_HALVES.map(|bad| (at, bad.to_le_bytes().to_vec()));
    match quant {
        Quant::F32 => {
            [f32::INFINITY, f32::NEG_INFINITY, f32::NAN].map(|bad| (0, bad.to_le_bytes().to_vec())).to_vec()
        }
        Quant::BF16 => {
            [0x7F80_u16, 0xFF80, 0x7FC0, 0xFF81].map(|bad| (0, bad.to_le_bytes().to_vec())).to_vec()
        }
        Quant::MXFP4 => vec![(0, vec![u8::MAX])],
        _ => halves(quant).iter().flat_map(|&at| halves_at(at)).collect(),
    }
}

#[test]
fn a_scale_that_is_no_number_is_found_at_every_edge() {
    const BLOCKS: usize = 130;
    for quant in Quant::ALL {
        let bytes = Random(5).blocks(quant, BLOCKS * quant.block_elements());
        for block in [0, 1, 62, 63, 64, 65, 127, 128, BLOCKS - 1] {
            for (at, bad) in damages(quant) {
                let mut bytes = bytes.clone();
                bytes[block * quant.block_bytes() + at..][..bad.len()].copy_from_slice(&bad);
                for isa in Isa::supported() {
                    let found = first_not_finite(isa, quant, &bytes);
                    assert_eq!(found, Some(block), "{bad:?} in {quant} by {isa}");
                }
            }
        }
    }
}

#[test]
fn the_first_of_several_is_found() {
    for quant in Quant::ALL {
        let mut bytes = Random(6).blocks(quant, 200 * quant.block_elements());
        bytes[100 * quant.block_bytes()..].fill(0xFF);
        assert_eq!(first_not_finite(Isa::detect(), quant, &bytes), Some(100), "{quant}");
        assert_eq!(first_not_finite(Isa::detect(), quant, &[]), None);
    }
}

#[test]
fn edge_blocks_are_finite_and_so_are_their_weights() {
    for (quant, blocks, _) in VECTORS {
        let mut out = vec![0.0; blocks.len() / quant.block_bytes() * quant.block_elements()];
        dequantize_row(Isa::PORTABLE, quant, blocks, &mut out);
        assert!(quant == Quant::MXFP4 || out.iter().all(|weight| weight.is_finite()), "{quant}");
        for isa in Isa::supported() {
            assert_eq!(first_not_finite(isa, quant, blocks), None, "{quant} by {isa}");
        }
    }
}

#[test]
#[should_panic(expected = "19 bytes of Q4_0")]
fn bytes_that_are_not_whole_blocks_are_refused() {
    let _ = first_not_finite(Isa::PORTABLE, Quant::Q4_0, &[0; 19]);
}
