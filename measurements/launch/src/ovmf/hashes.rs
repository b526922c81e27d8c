//! The page of digests of what a VMM boots directly.
//!
//! Spec: QEMU `target/i386/sev.c`, `SevHashTable`; OVMF `BlobVerifierLibSevHashes`.

use sha2::{Digest as _, Sha256};
use vial_abi::memory::PAGE;

use super::table::Guid;

const TABLE: Guid = Guid::new(0x9438_D606, 0x4F22, 0x4CC9, [0xB4, 0x79, 0xA7, 0x93, 0xD4, 0x11, 0xFD, 0x21]);
const KERNEL: Guid = Guid::new(0x4DE7_9437, 0xABD2, 0x427F, [0xB8, 0x35, 0xD5, 0xB1, 0x72, 0xD2, 0x04, 0x5B]);
const INITRD: Guid = Guid::new(0x44BA_F731, 0x3A2F, 0x4BD7, [0x9A, 0xF1, 0x41, 0xE2, 0x91, 0x69, 0x78, 0x1D]);
const CMDLINE: Guid =
    Guid::new(0x97D0_2DD8, 0xBD20, 0x4C94, [0xAA, 0x78, 0xE7, 0x71, 0x4D, 0x36, 0xAB, 0x2A]);
/// Bytes of an entry: identity, length, digest.
const ENTRY_BYTES: u16 = 50;
/// Bytes of the table: identity, length, three entries.
const TABLE_BYTES: u16 = 168;

/// SHA-256 of what is booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelHashes {
    /// Kernel.
    pub kernel: [u8; 32],
    /// Initial file system; that of nothing if there is none.
    pub initrd: [u8; 32],
    /// Command line with the zero at its end; that of a zero if there is none.
    pub cmdline: [u8; 32],
}

impl KernelHashes {
    /// The digests of a kernel with these, and a command line.
    #[must_use]
    pub fn new(kernel: [u8; 32], initrd: [u8; 32], cmdline: &str) -> Self {
        let cmdline = Sha256::new().chain_update(cmdline).chain_update([0]).finalize().into();
        Self { kernel, initrd, cmdline }
    }

    /// The page that has the table at this address.
    pub(crate) fn page(&self, table_gpa: u32) -> [u8; 4096] {
        let mut page = [0; 4096];
        let start = u64::from(table_gpa).checked_rem(PAGE).and_then(|at| usize::try_from(at).ok());
        let entry = |guid: Guid, digest: &[u8; 32]| {
            guid.bytes()
                .into_iter()
                .chain(ENTRY_BYTES.to_le_bytes())
                .chain(*digest)
                .collect::<alloc::vec::Vec<u8>>()
        };
        let head = TABLE.bytes().into_iter().chain(TABLE_BYTES.to_le_bytes());
        let entries =
            [entry(CMDLINE, &self.cmdline), entry(INITRD, &self.initrd), entry(KERNEL, &self.kernel)];
        let table = head.chain(entries.into_iter().flatten());
        page.iter_mut().skip(start.unwrap_or(0)).zip(table).for_each(|(to, from)| *to = from);
        page
    }
}
