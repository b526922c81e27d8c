//! The load plan as an ELF file with a PVH entry, for loaders of others.

use vial_launch::LoadPlan;

const HEADER_BYTES: u64 = 64;
const PROGRAM_HEADER_BYTES: u64 = 56;
const LOAD: u32 = 1;
const NOTE: u32 = 4;
/// Name, then the entry: Spec: Xen `elfnote.h`, `XEN_ELFNOTE_PHYS32_ENTRY` = 18.
const NOTE_HEAD: [u8; 16] = *b"\x04\0\0\0\x04\0\0\0\x12\0\0\0Xen\0";

/// The file's bytes.
pub(crate) fn encode(plan: &LoadPlan) -> Vec<u8> {
    let entry = plan.start().rip;
    let note = [&NOTE_HEAD[..], &entry.to_le_bytes()[..4]].concat();
    let parts: Vec<_> = plan.ranges().iter().map(|range| (LOAD, range.gpa, range.bytes.as_slice())).collect();
    let parts = [parts, vec![(NOTE, 0, note.as_slice())]].concat();
    let mut out = header(entry, parts.len());
    let mut offset = HEADER_BYTES + PROGRAM_HEADER_BYTES * parts.len() as u64;
    for &(kind, place, bytes) in &parts {
        out.extend(program_header(kind, offset, place, bytes.len() as u64));
        offset += bytes.len() as u64;
    }
    parts.iter().for_each(|(_, _, bytes)| out.extend_from_slice(bytes));
    out
}

/// Spec: System V ABI, ELF-64 header: little-endian, executable, x86-64.
fn header(entry: u64, parts: usize) -> Vec<u8> {
    let mut out = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec();
    for value in [entry, HEADER_BYTES, 0] {
        out.extend(value.to_le_bytes());
    }
    out.extend([0; 4]);
    // A plan has a handful of ranges.
    let parts = u16::try_from(parts).unwrap_or(u16::MAX);
    for value in [64, 56, parts, 64, 0, 0] {
        out.extend(u16::to_le_bytes(value));
    }
    out
}

fn program_header(kind: u32, offset: u64, place: u64, bytes: u64) -> Vec<u8> {
    let mut out = [kind.to_le_bytes(), 7_u32.to_le_bytes()].concat();
    for value in [offset, place, place, bytes, bytes, 4] {
        out.extend(value.to_le_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use vial_abi::LaunchPage;
    use vial_abi::launch_page::{Kv, Machine, Measure, Tee};

    #[test]
    fn a_plan_read_from_its_own_file_is_the_same() {
        let page = LaunchPage {
            manifest_digest: [1; 48],
            memory_bytes: 64 << 20,
            cpus: 1,
            tee: Tee::Simulated,
            machine: Machine::Qemu,
            measure: Measure::Nodes,
            kv: Kv::F16,
        };
        let firmware = vial_launch::tiny::firmware(0x20_0010, b"code");
        let plan = LoadPlan::new(&firmware, &page).unwrap();
        assert_eq!(plan.start().rip, 0x20_0010);
        let file = encode(&plan);
        assert!(file.windows(4).any(|bytes| bytes == b"code"));
        let entry = file.get(24..32).unwrap();
        assert_eq!(entry, 0x20_0010_u64.to_le_bytes());
    }
}
