//! Reads the firmware ELF: its loadable segments and its PVH entry.
//!
//! Spec: System V ABI ELF-64; Xen `elfnote.h` (`XEN_ELFNOTE_PHYS32_ENTRY` = 18).

use alloc::vec::Vec;

use elf::ElfBytes;
use elf::abi::{PT_LOAD, PT_NOTE};
use elf::endian::LittleEndian;
use elf::note::Note;
use elf::segment::ProgramHeader;
use vial_abi::memory::{BOOT_STACK_TOP_PA, PAGE, ROM_TEXT_PA};

use crate::plan::{PlanError, Range, padded};

const PHYS32_ENTRY: u64 = 18;

type Elf<'a> = ElfBytes<'a, LittleEndian>;

/// Firmware as the plan needs it.
#[derive(Debug)]
pub(crate) struct Firmware {
    pub(crate) ranges: Vec<Range>,
    pub(crate) entry: u32,
}

impl Firmware {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, PlanError> {
        let elf = Elf::minimal_parse(bytes).map_err(|_| PlanError::Form { field: "ELF header" })?;
        let headers = elf.segments().ok_or(PlanError::Form { field: "program headers" })?;
        let ranges =
            headers.iter().filter(|header| header.p_type == PT_LOAD).map(|header| range(&elf, &header));
        let ranges = ranges.filter(|range| range.as_ref().map_or(true, |range| !range.bytes.is_empty()));
        let ranges = ranges.collect::<Result<Vec<_>, _>>()?;
        let mut notes = headers.iter().filter(|header| header.p_type == PT_NOTE);
        let entry = notes.find_map(|header| pvh_entry(&elf, &header));
        Ok(Self { ranges, entry: entry.ok_or(PlanError::Form { field: "PVH entry note" })? })
    }
}

/// The pages of one segment that hold file bytes. The rest of it is zero memory, which every start has.
fn range(elf: &Elf<'_>, header: &ProgramHeader) -> Result<Range, PlanError> {
    let end = header.p_paddr.saturating_add(header.p_memsz);
    if header.p_paddr < ROM_TEXT_PA || end > BOOT_STACK_TOP_PA || !header.p_paddr.is_multiple_of(PAGE) {
        return Err(PlanError::Place { gpa: header.p_paddr, bytes: header.p_memsz });
    }
    let bytes = elf.segment_data(header).map_err(|_| PlanError::Form { field: "segment" })?;
    Ok(Range { gpa: header.p_paddr, bytes: padded(bytes) })
}

fn pvh_entry(elf: &Elf<'_>, header: &ProgramHeader) -> Option<u32> {
    let mut notes = elf.segment_data_as_notes(header).ok()?;
    notes.find_map(|note| match note {
        Note::Unknown(any) if any.n_type == PHYS32_ENTRY => {
            any.desc.first_chunk().copied().map(u32::from_le_bytes)
        }
        _ => None,
    })
}
