//! Chaining values of BLAKE3 subtrees, with the vector width the caller knows to be there.
//!
//! The crate's hasher finds vector units through the standard library, which the guest does not have; there it would
//! be several times slower. So whole leaves are hashed by its per-platform functions, which give the same values.
//!
//! Spec: BLAKE3 paper §2.1 (modes), §2.4 (chunks), §2.5 (tree).

use alloc::vec::Vec;
use blake3::IncrementCounter;
use blake3::hazmat::{HasherExt as _, Mode, merge_subtrees_non_root};
use blake3::platform::Platform;

/// Bytes of one BLAKE3 chunk.
const CHUNK_BYTES: usize = 1024;
/// A chaining value.
pub(crate) type Value = [u8; 32];
/// Chunks hashed by one call: the widest vector unit's lanes.
const GROUP: usize = 16;
/// Spec: BLAKE3 paper table 1.
const KEY: [u32; 8] =
    [0x6A09_E667, 0xBB67_AE85, 0x3C6E_F372, 0xA54F_F53A, 0x510E_527F, 0x9B05_688C, 0x1F83_D9AB, 0x5BE0_CD19];
/// Spec: BLAKE3 paper table 3.
const CHUNK_START: u8 = 1;
const CHUNK_END: u8 = 2;

/// Which vector unit hashes. All give the same values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// What every x86-64 processor has.
    Baseline,
    /// AVX2. Choose it only where the processor has it and ring 0 keeps its registers.
    Avx2,
    /// AVX-512 F and VL, on the same condition.
    Avx512,
}

impl Lanes {
    fn platform(self) -> Platform {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Platform::AVX2,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Platform::AVX512,
            _ => Platform::detect(),
        }
    }
}

/// The chaining value of a subtree that starts at byte `offset` of the file and is not its root.
pub(crate) fn subtree(lanes: Lanes, offset: u64, bytes: &[u8]) -> Value {
    let (chunks, rest) = bytes.as_chunks::<CHUNK_BYTES>();
    let is_whole = rest.is_empty() && chunks.len().is_power_of_two() && chunks.len() >= GROUP;
    if lanes == Lanes::Baseline || !is_whole {
        return blake3::Hasher::new().set_input_offset(offset).update(bytes).finalize_non_root();
    }
    let first = offset.checked_div(1024).unwrap_or_default();
    merged(chunk_values(lanes.platform(), first, chunks))
}

fn chunk_values(platform: Platform, first: u64, chunks: &[[u8; CHUNK_BYTES]]) -> Vec<Value> {
    let mut values = Vec::with_capacity(chunks.len());
    let mut counter = first;
    for group in chunks.chunks(GROUP) {
        let inputs: [&[u8; CHUNK_BYTES]; GROUP] =
            core::array::from_fn(|at| group.get(at).unwrap_or(&[0; CHUNK_BYTES]));
        let mut out = [0; 32 * GROUP];
        platform.hash_many(
            &inputs,
            &KEY,
            counter,
            IncrementCounter::Yes,
            0,
            CHUNK_START,
            CHUNK_END,
            &mut out,
        );
        values.extend(out.as_chunks::<32>().0.iter().take(group.len()));
        counter = counter.saturating_add(16);
    }
    values
}

/// The root of a complete binary tree over `values`, which are a power of two many.
fn merged(mut values: Vec<Value>) -> Value {
    while values.len() > 1 {
        let (pairs, _) = values.as_chunks::<2>();
        values = pairs.iter().map(|[left, right]| merge_subtrees_non_root(left, right, Mode::Hash)).collect();
    }
    values.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    fn lanes() -> Vec<Lanes> {
        let mut all = std::vec![Lanes::Baseline];
        all.extend(std::is_x86_feature_detected!("avx2").then_some(Lanes::Avx2));
        all.extend(std::is_x86_feature_detected!("avx512vl").then_some(Lanes::Avx512));
        all
    }

    #[test]
    fn every_vector_unit_gives_the_hashers_values() {
        let bytes: Vec<u8> = (0..=250_u8).cycle().take(256 * 1024).collect();
        for kib in [1, 15, 16, 17, 32, 64, 100, 128, 256] {
            let bytes = &bytes[..kib * 1024];
            let offset = 1 << 20;
            let expected = blake3::Hasher::new().set_input_offset(offset).update(bytes).finalize_non_root();
            for lanes in lanes() {
                assert_eq!(subtree(lanes, offset, bytes), expected, "{lanes:?} {kib} KiB");
            }
        }
    }
}
