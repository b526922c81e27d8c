//! Firmware of a few bytes, for tests: an ELF file that a plan can be made of, which nothing measured in earnest starts with.

use alloc::vec::Vec;

/// Where its code is loaded.
pub const CODE_PA: u64 = 0x20_0000;
const HEADERS_BYTES: u64 = 64 + 2 * 56;
const LOAD: u32 = 1;
const NOTE: u32 = 4;
const NOTE_BYTES: u64 = 20;

/// One segment of `code` at [`CODE_PA`], and a PVH note that says where it is entered.
#[must_use]
pub fn firmware(entry: u32, code: &[u8]) -> Vec<u8> {
    let code_bytes = u64::try_from(code.len()).unwrap_or(u64::MAX);
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec();
    file.extend([0_u64, 64, 0].map(u64::to_le_bytes).as_flattened());
    file.extend([0; 4]);
    file.extend([64_u16, 56, 2, 64, 0, 0].map(u16::to_le_bytes).as_flattened());
    file.extend(program_header(LOAD, HEADERS_BYTES, CODE_PA, code_bytes));
    file.extend(program_header(NOTE, HEADERS_BYTES.saturating_add(code_bytes), 0, NOTE_BYTES));
    file.extend(code);
    file.extend(b"\x04\0\0\0\x04\0\0\0\x12\0\0\0Xen\0");
    file.extend(entry.to_le_bytes());
    file
}

fn program_header(kind: u32, offset: u64, place: u64, bytes: u64) -> Vec<u8> {
    let mut header = [kind, 7].map(u32::to_le_bytes).as_flattened().to_vec();
    header.extend([offset, place, place, bytes, bytes, 4].map(u64::to_le_bytes).as_flattened());
    header
}
