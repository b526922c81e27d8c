//! Chaining values of BLAKE3 subtrees, with the vector width the caller knows to be there.
//!
//! The crate's hasher finds vector units through the standard library, which the guest does not have; there it would
//! be several times slower. So whole leaves are hashed by its per-platform functions, which give the same values.
//!
//! Spec: BLAKE3 paper §2.1 (modes), §2.4 (chunks), §2.5 (tree).

use blake3::IncrementCounter;
use blake3::hazmat::HasherExt as _;
use blake3::platform::Platform;

/// Bytes of one BLAKE3 chunk.
const CHUNK_BYTES: usize = 1024;
/// Bytes of a parent: two chaining values.
const PARENT_BYTES: usize = 64;
/// Most chunks of what is hashed here: a leaf's.
const CHUNKS_MAX: usize = 128;
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
const PARENT: u8 = 4;

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
    let is_whole = rest.is_empty() && chunks.len().is_power_of_two();
    if lanes == Lanes::Baseline || !is_whole || !(GROUP..=CHUNKS_MAX).contains(&chunks.len()) {
        return blake3::Hasher::new().set_input_offset(offset).update(bytes).finalize_non_root();
    }
    let first = offset.checked_div(1024).unwrap_or_default();
    let (platform, mut values) = (lanes.platform(), [[0; 32]; CHUNKS_MAX]);
    let values = values.get_mut(..chunks.len()).unwrap_or_default();
    chunk_values(platform, first, chunks, values);
    merged(platform, values)
}

/// Writes the chaining value of each chunk, the first of which has that number.
fn chunk_values(platform: Platform, first: u64, chunks: &[[u8; CHUNK_BYTES]], values: &mut [Value]) {
    let groups = chunks.as_chunks::<GROUP>().0.iter().zip(values.as_chunks_mut::<GROUP>().0);
    for (counter, (group, out)) in (first..).step_by(GROUP).zip(groups) {
        let inputs = group.each_ref();
        let out = out.as_flattened_mut();
        platform.hash_many(&inputs, &KEY, counter, IncrementCounter::Yes, 0, CHUNK_START, CHUNK_END, out);
    }
}

/// The root of a complete binary tree over `values`, which are a power of two many and are overwritten.
fn merged(platform: Platform, mut values: &mut [Value]) -> Value {
    let mut room = [[0; 32]; CHUNKS_MAX];
    while values.len() > 1 {
        let half = values.len().checked_div(2).unwrap_or_default();
        let parents = room.get_mut(..half).unwrap_or_default();
        parent_values(platform, values, parents);
        values = values.get_mut(..half).unwrap_or_default();
        values.copy_from_slice(parents);
    }
    values.first().copied().unwrap_or_default()
}

/// Writes the chaining value of each two neighbours' parent: many at once, as chunks are, which one by one would take a third
/// of a leaf's time.
fn parent_values(platform: Platform, values: &[Value], parents: &mut [Value]) {
    let pairs = values.as_flattened().as_chunks::<PARENT_BYTES>().0;
    for (group, out) in pairs.chunks(GROUP).zip(parents.chunks_mut(GROUP)) {
        let mut inputs = [&[0; PARENT_BYTES]; GROUP];
        inputs.iter_mut().zip(group).for_each(|(input, pair)| *input = pair);
        let inputs = inputs.get(..group.len()).unwrap_or_default();
        platform.hash_many(inputs, &KEY, 0, IncrementCounter::No, PARENT, 0, 0, out.as_flattened_mut());
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use alloc::vec::Vec;

    fn lanes() -> Vec<Lanes> {
        let mut all = std::vec![Lanes::Baseline];
        all.extend(std::is_x86_feature_detected!("avx2").then_some(Lanes::Avx2));
        all.extend(std::is_x86_feature_detected!("avx512vl").then_some(Lanes::Avx512));
        all
    }

    #[test]
    fn a_leaf_has_as_many_chunks_as_there_is_room_for() {
        assert_eq!(CHUNKS_MAX * CHUNK_BYTES, usize::try_from(crate::LEAF_BYTES).unwrap());
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
