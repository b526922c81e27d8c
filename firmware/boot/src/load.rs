//! Putting kernel and engine in their places. Their digests have been compared; their form is checked all the same.

use alloc::format;
use elf::ElfBytes;
use elf::abi::PT_LOAD;
use elf::endian::LittleEndian;
use elf::segment::ProgramHeader;
use vial_abi::ExitCode;

use crate::{Machine, Refusal};

type Elf<'a> = ElfBytes<'a, LittleEndian>;

/// Copies every segment to its physical address and clears what the file leaves out.
pub(crate) fn program(machine: &mut impl Machine, name: &str, bytes: &[u8]) -> Result<(), Refusal> {
    let refused = |what: &str| {
        Refusal::new(ExitCode::ElfForm, &format!("{name} ELF {what}: not what loads at its place"))
    };
    let elf = Elf::minimal_parse(bytes).map_err(|_| refused("header"))?;
    let headers = elf.segments().ok_or_else(|| refused("program headers"))?;
    for header in headers.iter().filter(|header| header.p_type == PT_LOAD) {
        segment(machine, &elf, &header).ok_or_else(|| refused("segment"))?;
    }
    Ok(())
}

fn segment(machine: &mut impl Machine, elf: &Elf<'_>, header: &ProgramHeader) -> Option<()> {
    let bytes = elf.segment_data(header).ok()?;
    let used = bytes.len() as u64;
    let rest = header.p_memsz.checked_sub(used)?;
    let end = header.p_paddr.checked_add(used)?;
    let is_placed = machine.put(header.p_paddr, bytes) && (rest == 0 || machine.clear(end, rest));
    is_placed.then_some(())
}
