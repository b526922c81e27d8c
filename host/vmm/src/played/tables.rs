//! Where a guest's page tables are read.

use vial_kvm::Memory;
use vm_memory::{Bytes as _, GuestAddress};

/// The table at `pa`; `None` where there is no memory.
pub(crate) fn table(memory: &Memory, pa: u64) -> Option<[u64; 512]> {
    let mut bytes = [0; 4096];
    memory.read_slice(&mut bytes, GuestAddress(pa)).ok()?;
    let (words, _) = bytes.as_chunks();
    Some(core::array::from_fn(|at| words.get(at).copied().map_or(0, u64::from_le_bytes)))
}
