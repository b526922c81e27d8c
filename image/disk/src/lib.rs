//! Disk bytes of a sealed image: protective MBR, partition table, backup table. Pure: plans and bytes, no files.
//!
//! Identifiers come from the manifest digest, so that two builds give equal bytes.
//! Spec: UEFI 2.10 §5.2 (MBR), §5.3 (GPT).
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions)
)]

extern crate alloc;

use alloc::vec::Vec;
use gpt_disk_types::{
    GptHeader, GptPartitionAttributes, GptPartitionEntry, GptPartitionName, GptPartitionType, Guid, LbaLe,
    MasterBootRecord, U32Le,
};
use vial_weights::gpt::{BLOCK_BYTES, Partition, SEALED_TYPE};

/// Where the sealed partition starts: where every partitioning tool would put it.
pub const PARTITION_START: u64 = 1 << 20;
/// Entries of the table, and their bytes.
const ENTRIES: u32 = 128;
const TABLE_BLOCKS: u64 = 32;
/// Sizes of disks are multiples of this, so that direct reads reach the last byte.
const DISK_ALIGN: u64 = 4096;

/// The layout of a disk with one sealed partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskPlan {
    partition_bytes: u64,
    guids: [[u8; 16]; 2],
}

impl DiskPlan {
    /// The disk for a partition of `partition_bytes`, a multiple of 4096.
    #[must_use]
    pub fn new(partition_bytes: u64, manifest_digest: &[u8; 48]) -> Self {
        let (ids, _) = manifest_digest.as_chunks::<16>();
        let mut ids = ids.iter().copied().map(custom_guid);
        Self { partition_bytes, guids: [ids.next().unwrap_or_default(), ids.next().unwrap_or_default()] }
    }

    /// The sealed partition.
    #[must_use]
    pub fn partition(&self) -> Partition {
        Partition { start: PARTITION_START, bytes: self.partition_bytes }
    }

    /// Bytes of the disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let used =
            self.partition_end().saturating_add(TABLE_BLOCKS.saturating_add(1).saturating_mul(BLOCK_BYTES));
        used.checked_next_multiple_of(DISK_ALIGN).unwrap_or(u64::MAX)
    }

    /// What stands before the partition: MBR and primary table.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        let mbr = MasterBootRecord::protective_mbr(blocks(self.bytes()));
        let mut bytes = bytemuck::bytes_of(&mbr).to_vec();
        bytes.extend(padded(bytemuck::bytes_of(&self.header(Side::Primary))));
        bytes.extend(self.entries());
        bytes
    }

    /// What stands at the disk's end: backup table and header; [`Self::tail_offset`] says where.
    #[must_use]
    pub fn tail(&self) -> Vec<u8> {
        let mut bytes = self.entries();
        bytes.extend(padded(bytemuck::bytes_of(&self.header(Side::Backup))));
        bytes
    }

    /// Where [`Self::tail`] starts.
    #[must_use]
    pub fn tail_offset(&self) -> u64 {
        self.bytes().saturating_sub(TABLE_BLOCKS.saturating_add(1).saturating_mul(BLOCK_BYTES))
    }

    fn partition_end(&self) -> u64 {
        PARTITION_START.saturating_add(self.partition_bytes)
    }

    fn header(&self, side: Side) -> GptHeader {
        let last = blocks(self.bytes()).saturating_sub(1);
        let tail = blocks(self.tail_offset());
        let (own, other, entries) = match side {
            Side::Primary => (1, last, 2),
            Side::Backup => (last, 1, tail),
        };
        let mut header = GptHeader {
            my_lba: LbaLe::from_u64(own),
            alternate_lba: LbaLe::from_u64(other),
            first_usable_lba: LbaLe::from_u64(TABLE_BLOCKS.saturating_add(2)),
            last_usable_lba: LbaLe::from_u64(tail.saturating_sub(1)),
            disk_guid: Guid::from_bytes(self.guids[0]),
            partition_entry_lba: LbaLe::from_u64(entries),
            number_of_partition_entries: U32Le::from_u32(ENTRIES),
            partition_entry_array_crc32: gpt_disk_types::Crc32(U32Le::from_u32(crc32fast::hash(
                &self.entries(),
            ))),
            ..GptHeader::default()
        };
        header.update_header_crc32();
        header
    }

    /// The table: one entry, the rest zero.
    fn entries(&self) -> Vec<u8> {
        let entry = GptPartitionEntry {
            partition_type_guid: GptPartitionType(Guid::from_bytes(SEALED_TYPE)),
            unique_partition_guid: Guid::from_bytes(self.guids[1]),
            starting_lba: LbaLe::from_u64(blocks(PARTITION_START)),
            ending_lba: LbaLe::from_u64(blocks(self.partition_end()).saturating_sub(1)),
            attributes: GptPartitionAttributes::default(),
            name: "vial sealed".parse::<GptPartitionName>().unwrap_or_default(),
        };
        let mut bytes = bytemuck::bytes_of(&entry).to_vec();
        bytes.resize(usize::try_from(TABLE_BLOCKS.saturating_mul(BLOCK_BYTES)).unwrap_or_default(), 0);
        bytes
    }
}

/// Which of the two tables.
#[derive(Clone, Copy)]
enum Side {
    Primary,
    Backup,
}

fn blocks(bytes: u64) -> u64 {
    bytes.div_euclid(BLOCK_BYTES)
}

/// A block that starts with `bytes`.
fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut block = bytes.to_vec();
    block.resize(512, 0);
    block
}

/// A version 8 identifier. Spec: RFC 9562 §5.8; the first three fields are little endian on the disk.
fn custom_guid(mut bytes: [u8; 16]) -> [u8; 16] {
    bytes[7] = bytes[7] & 0x0F | 0x80;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use vial_weights::gpt::{GptError, find};

    fn disk(plan: &DiskPlan) -> Vec<u8> {
        let mut disk = plan.head();
        disk.resize(usize::try_from(plan.tail_offset()).unwrap(), 0);
        disk.extend(plan.tail());
        disk
    }

    fn plan() -> DiskPlan {
        DiskPlan::new(3 << 20, &core::array::from_fn(|at| at.try_into().unwrap()))
    }

    #[test]
    fn the_reader_finds_the_partition() {
        let disk = disk(&plan());
        assert_eq!(disk.len() as u64, plan().bytes());
        assert_eq!(find(&mut &disk[..]), Ok(plan().partition()));
    }

    #[test]
    fn a_damaged_table_is_refused_by_name() {
        for (at, field) in
            [(512, "signature"), (512 + 12, "size"), (512 + 56, "checksum"), (1024, "entries' checksum")]
        {
            let mut disk = disk(&plan());
            disk[at] ^= 1;
            assert_eq!(find(&mut &disk[..]), Err(GptError::Table { field }));
        }
        assert!(matches!(find(&mut &disk(&plan())[..600]), Err(GptError::Read(_))));
    }

    #[test]
    fn the_backup_table_is_the_primary_ones_mirror() {
        let (head, tail) = (plan().head(), plan().tail());
        assert_eq!(head[1024..], tail[..32 * 512]);
        assert_eq!(head[512 + 24..512 + 32], tail[32 * 512 + 32..32 * 512 + 40]);
    }
}
