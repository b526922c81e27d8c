//! The page at the reset vector of a trust domain.
//!
//! Every cpu of a domain starts at 0xFFFFFFF0 in 32-bit protected mode without paging, with flat segments, the width of
//! guest addresses in EBX and the number of the cpu in ESI. There is no INIT and no SIPI: all cpus run as soon as the host
//! enters them. Cpu 0 goes on as PVH firmware starts anywhere, EBX zero; the others where firmware keeps cpus until the kernel
//! says in their word of [`vial_abi::memory::OTHER_CPUS_PA`] where to go on.
//!
//! Spec: Intel TDX Module Base Architecture (348549), "TD VCPU initial state"; ABI (348551), TDH.VP.INIT.

use crate::plan::OTHER_CPUS_ENTRY;

/// Address of the page, the last below 4 GiB.
pub const GPA: u64 = 0xFFFF_F000;
/// Address of the first instruction.
pub const VECTOR_GPA: u32 = 0xFFFF_FFF0;
/// Offset of the first instruction.
const VECTOR: usize = 0xFF0;
/// Addresses behind the two jumps, which their operands count from.
const BEHIND_FIRST: u32 = 0xFFFF_FFFB;
const BEHIND_OTHERS: u32 = 0x0;

/// The page's bytes for firmware whose 32-bit entry is `entry`: zeros, and at the vector
///
/// ```text
/// FFFFFFF0  85 F6           test esi, esi
/// FFFFFFF2  75 07           jnz  FFFFFFFB
/// FFFFFFF4  31 DB           xor  ebx, ebx
/// FFFFFFF6  E9 xx xx xx xx  jmp  entry
/// FFFFFFFB  E9 xx xx xx xx  jmp  entry + 16
/// ```
///
/// Spec: Intel SDM vol. 2 (325383), JMP (E9: operand is relative to the next instruction, modulo 2^32).
#[must_use]
pub fn page(entry: u32) -> [u8; 4096] {
    let [a, b, c, d] = entry.wrapping_sub(BEHIND_FIRST).to_le_bytes();
    let [e, f, g, h] = entry.wrapping_add(OTHER_CPUS_ENTRY).wrapping_sub(BEHIND_OTHERS).to_le_bytes();
    let code = [0x85, 0xF6, 0x75, 0x07, 0x31, 0xDB, 0xE9, a, b, c, d, 0xE9, e, f, g, h];
    let mut page = [0; 4096];
    page.iter_mut().skip(VECTOR).zip(code).for_each(|(to, byte)| *to = byte);
    page
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    /// Runs the few instructions that the page has, from the vector on, until the page is left.
    fn run(page: &[u8; 4096], esi: u32, mut ebx: u32) -> (u32, u32) {
        let (mut eip, mut zero) = (VECTOR_GPA, false);
        while eip >= 0xFFFF_F000 {
            let code: Vec<u8> = page[(eip - 0xFFFF_F000) as usize..].to_vec();
            let short = |at: u32, by: u8| at.wrapping_add_signed(i32::from(by.cast_signed()));
            match code[..] {
                [0x85, 0xF6, ..] => (zero, eip) = (esi == 0, eip + 2),
                [0x75, by, ..] => eip = if zero { eip + 2 } else { short(eip + 2, by) },
                [0x31, 0xDB, ..] => (ebx, eip) = (0, eip + 2),
                [0xE9, a, b, c, d, ..] => {
                    eip = eip.wrapping_add(5).wrapping_add(u32::from_le_bytes([a, b, c, d]));
                }
                _ => panic!("no instruction of the page at {eip:#x}"),
            }
        }
        (eip, ebx)
    }

    #[test]
    fn cpu_0_jumps_to_firmware_as_pvh_has_it() {
        for entry in [0x20_0010, 0, 0x7FFF_FFFF, 0x8000_0000] {
            assert_eq!(run(&page(entry), 0, 48), (entry, 0), "{entry:#x}");
        }
    }

    #[test]
    fn every_other_cpu_goes_where_firmware_keeps_cpus() {
        for cpu in [1, 63, u32::MAX] {
            assert_eq!(run(&page(0x20_0010), cpu, 48), (0x20_0020, 48));
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_table() {
        let page = page(0x20_0010);
        assert_eq!(page[..VECTOR], [0; VECTOR]);
        // 0x200010 - 0xFFFFFFFB = 0x200015.
        let jumps = [0xE9, 0x15, 0x00, 0x20, 0x00, 0xE9, 0x20, 0x00, 0x20, 0x00];
        assert_eq!(page[VECTOR..VECTOR + 6], [0x85, 0xF6, 0x75, 0x07, 0x31, 0xDB]);
        assert_eq!(page[VECTOR + 6..], jumps);
    }
}
