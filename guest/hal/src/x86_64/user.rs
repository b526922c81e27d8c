//! Ring 3: entering it and its memory. Copies are single string instructions: other cpus may write the same
//! bytes meanwhile, and emulated ring 0 pays by the instruction.

use super::segments::{USER_CODE, USER_DATA};
use super::{Hardware, Ring0};
use crate::platform::UserMemory;
use crate::range::{UserInput, UserOutput};
use core::arch::asm;

/// RFLAGS of ring 3: interrupts off, no port access.
const USER_RFLAGS: u64 = 2;

/// RFLAGS.AC: ring 0 may touch ring 3's pages although CR4.SMAP is set. Set by POPFQ, since emulated ring 0 knows
/// no STAC; without SMAP it means nothing in ring 0. The trap stubs clear it.
pub(super) const ALLOW_USER: i32 = 1 << 18;

/// Where and with what ring 3 starts.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// First instruction.
    pub entry: u64,
    /// First address above its stack.
    pub stack_top: u64,
    /// Goes to `rdi`.
    pub argument: u64,
}

/// Leaves ring 0 for `start`; comes back by traps only. No register of ring 0 survives.
pub fn enter(_ring0: Ring0, start: Start) -> ! {
    // SAFETY: ring 0 by the token; segments and task state are loaded, since the kernel and firmware load them
    // first. What runs next has ring 3's rights, whatever `start` says.
    unsafe {
        asm!(
            "push {data}", "push {stack}", "push {flags}", "push {code}", "push {entry}",
            "xor eax, eax", "xor ebx, ebx", "xor ecx, ecx", "xor edx, edx", "xor esi, esi", "xor ebp, ebp",
            "xor r8d, r8d", "xor r9d, r9d", "xor r10d, r10d", "xor r11d, r11d",
            "xor r12d, r12d", "xor r13d, r13d", "xor r14d, r14d", "xor r15d, r15d",
            "iretq",
            data = const USER_DATA, stack = in(reg) start.stack_top, flags = const USER_RFLAGS,
            code = const USER_CODE, entry = in(reg) start.entry, in("rdi") start.argument,
            options(noreturn)
        )
    }
}

/// Leaves firmware for the kernel at `entry`, still in ring 0.
///
/// # Safety
/// - `entry` is the kernel's first instruction and executable for ring 0.
/// - Firmware is not used afterwards.
pub unsafe fn jump_to_kernel(entry: u64, handoff: u64) -> ! {
    // SAFETY: the caller's duty.
    unsafe { asm!("jmp {}", in(reg) entry, in("rdi") handoff, options(noreturn)) }
}

impl UserMemory for Hardware {
    fn copy_in(&self, from: UserInput, to: &mut [u8]) -> usize {
        let len = to.len().min(from.len() as usize);
        // SAFETY: `from` lies in mapped memory of ring 3, as holding it proves; `to` has room for `len` bytes.
        unsafe { copy(from.address(), to.as_mut_ptr().addr() as u64, len) };
        len
    }

    fn copy_out(&mut self, to: UserOutput, from: &[u8]) -> usize {
        let len = from.len().min(to.len() as usize);
        // SAFETY: `to` lies in writable memory of ring 3, as holding it proves; `from` has `len` bytes.
        unsafe { copy(from.as_ptr().addr() as u64, to.address(), len) };
        len
    }
}

/// The two bytes at `address` of ring 3, which it has just failed to execute.
pub(super) fn opcode(address: u64) -> [u8; 2] {
    let bytes: u16;
    // SAFETY: the processor fetched the first byte there for ring 3. If the second lies on a page that is not
    // mapped, the page fault in ring 0 ends the appliance, as the invalid opcode would have.
    unsafe {
        asm!("pushfq", "or qword ptr [rsp], {allow}", "popfq", "mov {bytes:x}, word ptr [{address}]",
            "pushfq", "and qword ptr [rsp], {forbid}", "popfq",
            allow = const ALLOW_USER, forbid = const !ALLOW_USER, bytes = out(reg) bytes, address = in(reg) address);
    }
    bytes.to_le_bytes()
}

/// Copies `len` bytes, eight at a time first.
///
/// # Safety
/// - `from` is readable and `to` is writable for `len` bytes; they do not overlap.
/// - `to` is memory of ring 3, or borrowed mutably by the caller.
unsafe fn copy(from: u64, to: u64, len: usize) {
    // SAFETY: the caller's duty; the direction flag is clear.
    unsafe {
        asm!("pushfq", "or qword ptr [rsp], {allow}", "popfq",
            "rep movsq", "mov rcx, {rest}", "rep movsb",
            "pushfq", "and qword ptr [rsp], {forbid}", "popfq",
            allow = const ALLOW_USER, forbid = const !ALLOW_USER, rest = in(reg) len & 7,
            inout("rsi") from => _, inout("rdi") to => _, inout("rcx") len / 8 => _);
    }
}
