//! The table at OVMF's end: which pages a launch measures beside it, and where other cpus start.
//!
//! Spec: EDK II `OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm` and `OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm`. Crate `sev`
//! reads it from a path, with std; this is read where there is neither.

use alloc::vec::Vec;

use gpt_disk_types::{Guid, guid};

const FOOTER: Guid = guid!("96b582de-1fb2-45f7-baea-a366c55a082d");
const RESET: Guid = guid!("00f771de-1a7e-4fcb-890e-68c77e2fb44e");
const HASHES: Guid = guid!("7255371f-3a3b-4b04-927b-1da6efa8d454");
const METADATA: Guid = guid!("dc886566-984a-4798-a75e-5585a7bf67cc");
/// Bytes behind the table, up to the reset vector's end.
const BEHIND: usize = 32;
/// Length and identity of an entry, which stand behind its data.
const ENTRY_HEAD: usize = 18;
/// First bytes of the metadata.
const SIGNATURE: &[u8; 4] = b"ASEV";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 16;
const ITEM_BYTES: usize = 12;

/// A field that is missing or malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OvmfError {
    /// Its name.
    pub field: &'static str,
}

impl core::fmt::Display for OvmfError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "OVMF {}: not what its table's layout says", self.field)
    }
}

impl core::error::Error for OvmfError {}

/// What a section is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Memory that firmware uses before it validates more.
    Memory,
    /// Secrets page.
    Secrets,
    /// CPUID page.
    Cpuid,
    /// Calling area of a service module above the guest.
    SvsmCaller,
    /// Digests of kernel, initial file system and command line.
    KernelHashes,
}

impl Kind {
    fn of(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Memory),
            2 => Some(Self::Secrets),
            3 => Some(Self::Cpuid),
            4 => Some(Self::SvsmCaller),
            16 => Some(Self::KernelHashes),
            _ => None,
        }
    }
}

/// Pages that a launch loads beside the firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Where.
    pub gpa: u32,
    /// How many bytes.
    pub bytes: u32,
    /// What for.
    pub kind: Kind,
}

impl Section {
    /// A section of a kind by its number; `None` for kinds that are unknown.
    #[must_use]
    pub fn new(gpa: u32, bytes: u32, kind: u32) -> Option<Self> {
        Kind::of(kind).map(|kind| Self { gpa, bytes, kind })
    }
}

/// What OVMF says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OvmfTable {
    /// Sections, in the order in which they are measured.
    pub sections: Vec<Section>,
    /// Where the table of kernel hashes belongs.
    pub hashes_gpa: Option<u32>,
    /// First instruction of all cpus but one.
    pub reset_eip: u32,
}

impl OvmfTable {
    /// Reads the table of a firmware.
    ///
    /// # Errors
    /// The field that is missing or malformed.
    pub fn parse(firmware: &[u8]) -> Result<Self, OvmfError> {
        let entries = entries(firmware)?;
        let find =
            |guid: Guid| entries.iter().find(|(one, _)| *one == guid.to_bytes()).map(|(_, data)| *data);
        let reset = find(RESET).and_then(|data| number(data, 0)).ok_or(OvmfError { field: "reset block" })?;
        let metadata =
            find(METADATA).and_then(|data| number(data, 0)).ok_or(OvmfError { field: "metadata" })?;
        Ok(Self {
            sections: sections(firmware, metadata)?,
            hashes_gpa: find(HASHES).and_then(|data| number(data, 0)),
            reset_eip: reset,
        })
    }

    /// Where a firmware of that length lies: it ends at 4 GiB.
    #[must_use]
    pub fn gpa(firmware: &[u8]) -> u64 {
        (1_u64 << 32).saturating_sub(u64::try_from(firmware.len()).unwrap_or(u64::MAX))
    }
}

/// Identity and data.
type Entry<'a> = ([u8; 16], &'a [u8]);

/// Each entry, from the last back to the first.
fn entries(firmware: &[u8]) -> Result<Vec<Entry<'_>>, OvmfError> {
    let malformed = OvmfError { field: "table" };
    let end = firmware.len().checked_sub(BEHIND).ok_or(malformed)?;
    let table = firmware.get(..end).ok_or(malformed)?;
    let (guid, bytes, _) = last(table, table.len()).ok_or(malformed)?;
    if guid != FOOTER.to_bytes() {
        return Err(OvmfError { field: "footer" });
    }
    let start = table.len().checked_sub(bytes).ok_or(malformed)?;
    let end = table.len().checked_sub(ENTRY_HEAD).ok_or(malformed)?;
    let mut rest = table.get(start..end).ok_or(malformed)?;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (guid, bytes, data) = last(rest, rest.len()).ok_or(malformed)?;
        entries.push((guid, data));
        rest = rest.len().checked_sub(bytes).and_then(|len| rest.get(..len)).ok_or(malformed)?;
    }
    Ok(entries)
}

/// The entry that ends at `end`: its identity, its length with the head, and its data.
fn last(table: &[u8], end: usize) -> Option<([u8; 16], usize, &[u8])> {
    let head = end.checked_sub(ENTRY_HEAD)?;
    let (length, guid) = table.get(head..end)?.split_first_chunk::<2>()?;
    let bytes = usize::from(u16::from_le_bytes(*length));
    let data = table.get(end.checked_sub(bytes)?..head)?;
    Some((guid.try_into().ok()?, bytes, data))
}

/// The sections, `back` bytes before the firmware's end.
fn sections(firmware: &[u8], back: u32) -> Result<Vec<Section>, OvmfError> {
    let malformed = OvmfError { field: "metadata" };
    let start =
        usize::try_from(back).ok().and_then(|back| firmware.len().checked_sub(back)).ok_or(malformed)?;
    let metadata = firmware.get(start..).ok_or(malformed)?;
    let (size, version, count) =
        (number(metadata, 4).ok_or(malformed)?, number(metadata, 8), number(metadata, 12).ok_or(malformed)?);
    let items =
        usize::try_from(count).ok().and_then(|count| count.checked_mul(ITEM_BYTES)).ok_or(malformed)?;
    let whole = items.checked_add(HEADER_BYTES).ok_or(malformed)?;
    if !metadata.starts_with(SIGNATURE) || version != Some(VERSION) || usize::try_from(size) != Ok(whole) {
        return Err(malformed);
    }
    let items = metadata.get(HEADER_BYTES..whole).ok_or(malformed)?;
    let section =
        |item: &[u8; ITEM_BYTES]| Section::new(number(item, 0)?, number(item, 4)?, number(item, 8)?);
    let sections: Option<Vec<_>> = items.as_chunks::<ITEM_BYTES>().0.iter().map(section).collect();
    sections.ok_or(OvmfError { field: "kind of a section" })
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}
