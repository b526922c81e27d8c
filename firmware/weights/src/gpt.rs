//! Finds the sealed partition in a GUID partition table.
//!
//! Spec: UEFI 2.10 §5.3. Reads the primary table only: the backup one is for repair tools, and a table that was changed
//! can only lead to bytes that do not match the manifest.

use alloc::vec;
use alloc::vec::Vec;

use crate::ReadAt;

/// Bytes of a block.
pub const BLOCK_BYTES: u64 = 512;
/// Type of the sealed partition: 7669616C-5EA1-4ED0-9A27-AB1E0F5EA1ED, as it lies on the disk.
pub const SEALED_TYPE: [u8; 16] =
    [0x6C, 0x61, 0x69, 0x76, 0xA1, 0x5E, 0xD0, 0x4E, 0x9A, 0x27, 0xAB, 0x1E, 0x0F, 0x5E, 0xA1, 0xED];
const SIGNATURE: [u8; 8] = *b"EFI PART";
const HEADER_BYTES: u32 = 92;
const CRC_OFFSET: usize = 16;
const ENTRY_BYTES: u32 = 128;
/// The table this reads: as many entries as every tool writes.
const ENTRIES_MAX: u32 = 128;

/// A run of the disk, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// First byte.
    pub start: u64,
    /// Length.
    pub bytes: u64,
}

/// Why there is no sealed partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GptError<E> {
    /// The disk failed.
    Read(E),
    /// No partition table, or a damaged one.
    Table {
        /// What is wrong with it.
        field: &'static str,
    },
    /// A table without a sealed partition.
    NoSealedPartition,
}

impl<E: core::fmt::Display> core::fmt::Display for GptError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Read(error) => write!(f, "partition table: {error}"),
            Self::Table { field } => write!(f, "partition table: its {field} is not what a GPT has"),
            Self::NoSealedPartition => {
                f.write_str("partition table: found no sealed partition, expected one")
            }
        }
    }
}

/// Finds the sealed partition.
///
/// # Errors
/// There is none, or the table is damaged.
pub fn find<R: ReadAt>(disk: &mut R) -> Result<Partition, GptError<R::Error>> {
    let mut header = [0; 512];
    disk.read_at(BLOCK_BYTES, &mut header).map_err(GptError::Read)?;
    let table = Table::parse(&header).map_err(|field| GptError::Table { field })?;
    let mut entries = vec![0; table.bytes()];
    disk.read_at(table.start, &mut entries).map_err(GptError::Read)?;
    if crc32fast::hash(&entries) != table.crc {
        return Err(GptError::Table { field: "entries' checksum" });
    }
    sealed(&entries).ok_or(GptError::NoSealedPartition)
}

/// Where the entries lie.
struct Table {
    start: u64,
    entries: u32,
    crc: u32,
}

impl Table {
    fn parse(header: &[u8; 512]) -> Result<Self, &'static str> {
        let quad = |at: usize| number::<8>(header, at).map(u64::from_le_bytes).unwrap_or_default();
        let word = |at: usize| number::<4>(header, at).map(u32::from_le_bytes).unwrap_or_default();
        if !header.starts_with(&SIGNATURE) {
            return Err("signature");
        }
        if word(12) != HEADER_BYTES || word(84) != ENTRY_BYTES || word(80) > ENTRIES_MAX {
            return Err("size");
        }
        if checksum(header) != word(CRC_OFFSET) {
            return Err("checksum");
        }
        let start = quad(72).checked_mul(BLOCK_BYTES).ok_or("first entry")?;
        Ok(Self { start, entries: word(80), crc: word(88) })
    }

    fn bytes(&self) -> usize {
        usize::try_from(self.entries.saturating_mul(ENTRY_BYTES)).unwrap_or_default()
    }
}

/// CRC-32 of the header with its own field zero.
fn checksum(header: &[u8; 512]) -> u32 {
    let used = header.iter().take(92).enumerate();
    let bytes: Vec<u8> = used.map(|(at, &byte)| if (16..20).contains(&at) { 0 } else { byte }).collect();
    crc32fast::hash(&bytes)
}

fn sealed(entries: &[u8]) -> Option<Partition> {
    let (entries, _) = entries.as_chunks::<128>();
    let entry = entries.iter().find(|entry| entry.starts_with(&SEALED_TYPE))?;
    let first = u64::from_le_bytes(number(entry, 32)?);
    let last = u64::from_le_bytes(number(entry, 40)?);
    let blocks = last.checked_sub(first)?.checked_add(1)?;
    Some(Partition { start: first.checked_mul(BLOCK_BYTES)?, bytes: blocks.checked_mul(BLOCK_BYTES)? })
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
