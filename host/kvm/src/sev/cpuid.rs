//! The CPUID page: what CPUID may say, for the secure processor to check and the guest to believe.
//!
//! Spec: AMD 56860 rev 1.58 §8.17.2.6 (page), §7.1 (`CPUID_FUNCTION`).

use kvm_bindings::{CpuId, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, kvm_cpuid_entry2};

use crate::sev::SevError;
use crate::sev::pages::{PAGE_BYTES, Pages};

/// Rows that the page holds.
const ROWS_MAX: usize = 64;
const HEAD_BYTES: usize = 16;
const ROW_BYTES: usize = 48;
/// Bytes of XSAVE's area with x87 and SSE alone, as at reset. Guests compute others by the subleaves.
const XSAVE_BYTES_AT_RESET: u32 = 0x240;
/// Registers of a row, and where they lie in it.
const REGISTERS: [(&str, usize); 4] = [("EAX", 24), ("EBX", 28), ("ECX", 32), ("EDX", 36)];

/// Takes out what the secure processor refuses though KVM supports it: timers and mitigations whose registers are the host's.
/// Source: QEMU, target/i386/sev.c, `sev_snp_mask_cpuid_features`.
pub(crate) fn without_refused(mut features: CpuId) -> CpuId {
    for entry in features.as_mut_slice() {
        match (entry.function, entry.index) {
            // TSC deadline
            (1, _) => entry.ecx &= !(1 << 24),
            (7, 0) => {
                // TSC_ADJUST
                entry.ebx &= !(1 << 1);
                // SPEC_CTRL, STIBP, L1D_FLUSH, ARCH_CAPABILITIES, CORE_CAPABILITIES, SSBD
                entry.edx &= !(0x3F << 26);
            }
            // VIRT_SSBD
            (0x8000_0008, _) => entry.ebx &= !(1 << 25),
            _ => {}
        }
    }
    features
}

/// The page for these features.
///
/// Rows of zeros are left out, as guests take what is missing for zero: KVM names more leaves than the page has rows.
pub(crate) fn page(features: &CpuId) -> Result<Pages, SevError> {
    let is_some = |entry: &&kvm_cpuid_entry2| entry.eax | entry.ebx | entry.ecx | entry.edx != 0;
    let rows: Vec<_> = features.as_slice().iter().filter(is_some).map(row).collect();
    let count = u32::try_from(rows.len()).ok().filter(|_| rows.len() <= ROWS_MAX);
    let count = count.ok_or(SevError::Rows { found: rows.len() })?;
    let head = [&count.to_le_bytes()[..], &[0; HEAD_BYTES - 4]].concat();
    Ok(Pages::of(&[head, rows.concat()].concat()))
}

fn row(entry: &kvm_cpuid_entry2) -> [u8; ROW_BYTES] {
    let is_indexed = entry.flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX != 0;
    let index = if is_indexed { entry.index } else { 0 };
    let is_xsave = entry.function == 0xD && index <= 1;
    let ebx = if is_xsave { XSAVE_BYTES_AT_RESET } else { entry.ebx };
    let mut row = [0; ROW_BYTES];
    let words = [(0, entry.function), (4, index), (8, is_xsave.into())];
    let registers = [(24, entry.eax), (28, ebx), (32, entry.ecx), (36, entry.edx)];
    for (at, value) in words.into_iter().chain(registers) {
        row.iter_mut().skip(at).zip(value.to_le_bytes()).for_each(|(to, from)| *to = from);
    }
    row
}

/// Accepts what the secure processor made of a page if it only takes features away.
///
/// # Errors
/// It changed anything else: the guest would then believe what nobody supports.
pub(crate) fn check_correction(
    found: &[u8; PAGE_BYTES],
    expected: &[u8; PAGE_BYTES],
) -> Result<(), SevError> {
    same(None, "rows", word(found, 0), word(expected, 0))?;
    let behind = HEAD_BYTES + ROWS_MAX * ROW_BYTES;
    let reserved = (4..HEAD_BYTES).chain(behind..PAGE_BYTES).step_by(4);
    for at in reserved {
        same(None, "reserved", word(found, at), word(expected, at))?;
    }
    let (found, expected) = (rows(found), rows(expected));
    found.iter().zip(expected).try_for_each(|(found, expected)| check_row(found, expected))
}

fn rows(page: &[u8; PAGE_BYTES]) -> &[[u8; ROW_BYTES]] {
    page[HEAD_BYTES..].as_chunks().0.get(..ROWS_MAX).unwrap_or_default()
}

fn check_row(found: &[u8; ROW_BYTES], expected: &[u8; ROW_BYTES]) -> Result<(), SevError> {
    let leaf = Some((word(found, 0), word(found, 4)));
    let inputs =
        [("EAX in", 0), ("ECX in", 4), ("XCR0 in", 8), ("XCR0 in", 12), ("XSS in", 16), ("XSS in", 20)];
    let reserved = [("reserved", 40), ("reserved", 44)];
    for (part, at) in inputs.into_iter().chain(reserved) {
        same(leaf, part, word(found, at), word(expected, at))?;
    }
    for (part, at) in REGISTERS {
        let (found, expected) = (word(found, at), word(expected, at));
        if expected & !found != 0 {
            return Err(SevError::Cpuid { leaf, part, found, expected });
        }
    }
    Ok(())
}

fn same(leaf: Option<(u32, u32)>, part: &'static str, found: u32, expected: u32) -> Result<(), SevError> {
    let differs = || SevError::Cpuid { leaf, part, found, expected };
    if found == expected { Ok(()) } else { Err(differs()) }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u32::from_le_bytes)
}
