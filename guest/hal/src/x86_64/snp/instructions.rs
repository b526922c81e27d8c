//! Instructions of guests of SEV-SNP, and orders by port that stand for them.

use crate::x86_64::Ring0;
use crate::x86_64::user::ALLOW_USER;
use core::arch::asm;
use vial_snp::{Invalid, PageSize};

impl Ring0 {
    /// As [`Self::out_u32`] with interrupts on until one was served.
    pub(in crate::x86_64) fn out_u32_until_interrupt(self, port: u16) {
        // SAFETY: as above; the IDT is loaded before anything waits, and the handler keeps all registers.
        unsafe { asm!("sti", "out dx, eax", "cli", in("dx") port, in("eax") 0) };
    }

    pub(in crate::x86_64) fn in_u32(self, port: u16) -> u32 {
        let value;
        // SAFETY: as above.
        unsafe { asm!("in eax, dx", in("dx") port, out("eax") value, options(nomem, nostack)) };
        value
    }

    /// VMGEXIT: the host does what the GHCB's register names. Spec: AMD APM vol. 3 (24594) rev 3.36.
    pub(in crate::x86_64) fn vmgexit(self) {
        // SAFETY: ring 0 by `self`; the host sees and changes shared pages only, which are read as volatile memory.
        unsafe { asm!("rep vmmcall", options(nostack)) };
    }

    /// As [`Self::vmgexit`] with interrupts on until one was served.
    pub(in crate::x86_64) fn vmgexit_until_interrupt(self) {
        // SAFETY: as above; the IDT is loaded before anything waits, and the handler keeps all registers.
        unsafe { asm!("sti", "rep vmmcall", "cli") };
    }

    /// PVALIDATE. Spec: AMD APM vol. 3 (24594) rev 3.36.
    pub(in crate::x86_64) fn pvalidate(self, va: u64, size: PageSize, is_valid: bool) -> Result<(), Invalid> {
        let (code, is_unchanged): (u64, u8);
        let size = u32::from(size == PageSize::Large);
        // SAFETY: ring 0 by `self`; callers validate pages that nobody uses yet. They may be ring 3's.
        unsafe {
            asm!("pushfq", "or qword ptr [rsp], {allow}", "popfq",
                ".byte 0xF2, 0x0F, 0x01, 0xFF", "setc {unchanged}",
                "pushfq", "and qword ptr [rsp], {forbid}", "popfq",
                allow = const ALLOW_USER, forbid = const !ALLOW_USER, unchanged = out(reg_byte) is_unchanged,
                inout("rax") va => code, in("ecx") size, in("edx") u32::from(is_valid));
        }
        outcome(code as u32, is_unchanged == 1)
    }
}

/// What PVALIDATE's code and carry flag mean.
pub(super) const fn outcome(code: u32, is_unchanged: bool) -> Result<(), Invalid> {
    match code {
        0 if is_unchanged => Err(Invalid::Unchanged),
        0 => Ok(()),
        6 => Err(Invalid::Size),
        _ => Err(Invalid::Failed),
    }
}
