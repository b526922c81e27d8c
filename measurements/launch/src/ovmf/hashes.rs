//! The page of digests of what a VMM boots directly.
//!
//! Spec: QEMU `target/i386/sev.c`, `SevHashTable`; OVMF `BlobVerifierLibSevHashes`.

use gpt_disk_types::{Guid, guid};
use sha2::{Digest as _, Sha256};
use vial_abi::memory::PAGE;

const TABLE: Guid = guid!("9438d606-4f22-4cc9-b479-a793d411fd21");
const KERNEL: Guid = guid!("4de79437-abd2-427f-b835-d5b172d2045b");
const INITRD: Guid = guid!("44baf731-3a2f-4bd7-9af1-41e29169781d");
const CMDLINE: Guid = guid!("97d02dd8-bd20-4c94-aa78-e7714d36ab2a");
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
            guid.to_bytes()
                .into_iter()
                .chain(ENTRY_BYTES.to_le_bytes())
                .chain(*digest)
                .collect::<alloc::vec::Vec<u8>>()
        };
        let head = TABLE.to_bytes().into_iter().chain(TABLE_BYTES.to_le_bytes());
        let entries =
            [entry(CMDLINE, &self.cmdline), entry(INITRD, &self.initrd), entry(KERNEL, &self.kernel)];
        let table = head.chain(entries.into_iter().flatten());
        page.iter_mut().skip(start.unwrap_or(0)).zip(table).for_each(|(to, from)| *to = from);
        page
    }
}
