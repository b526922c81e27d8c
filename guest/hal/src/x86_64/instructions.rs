//! Privileged instructions, one a function.

use core::arch::asm;

/// Proof that the program runs in ring 0 and owns the machine: it may use ports, model-specific registers and
/// control registers.
#[derive(Clone, Copy, Debug)]
pub struct Ring0(());

impl Ring0 {
    /// Makes the proof.
    ///
    /// # Safety
    /// - The program runs in ring 0.
    /// - No other program in ring 0 uses the machine.
    #[must_use]
    pub const unsafe fn assume() -> Self {
        Self(())
    }

    /// Time stamp counter. From the host: untrusted.
    #[must_use]
    pub fn tsc(self) -> u64 {
        let (low, high): (u32, u32);
        // SAFETY: reads a counter into two registers.
        unsafe { asm!("rdtsc", out("eax") low, out("edx") high, options(nomem, nostack)) };
        join(low, high)
    }

    /// Sets bits in CR4.
    pub fn set_cr4(self, bits: u64) {
        // SAFETY: ring 0 by `self`; callers set only bits that `cpuid` offers and that take no right from the
        // running code: it lies in supervisor pages.
        unsafe {
            asm!("mov {old}, cr4", "or {old}, {bits}", "mov cr4, {old}",
                old = out(reg) _, bits = in(reg) bits, options(nostack));
        }
    }

    /// Gives ring 3 the vector state in `mask` and a fresh x87 unit.
    pub fn set_xcr0(self, mask: u64) {
        let [low, high] = split(mask);
        // SAFETY: ring 0 by `self`; CR4.OSXSAVE is set and `mask` is offered, both by `Features::detect`.
        unsafe { asm!("xsetbv", in("ecx") 0, in("eax") low, in("edx") high, options(nomem, nostack)) };
    }

    /// Resets the x87 unit.
    pub fn reset_x87(self) {
        // SAFETY: ring 0 code uses no x87 register.
        unsafe { asm!("fninit", options(nomem, nostack)) };
    }

    /// Address of the last page fault.
    #[must_use]
    pub fn fault_address(self) -> u64 {
        let address;
        // SAFETY: ring 0 by `self`; reads a register.
        unsafe { asm!("mov {}, cr2", out(reg) address, options(nomem, nostack)) };
        address
    }

    /// Sleeps with interrupts on until one was served. The handler returns with interrupts off.
    pub(super) fn hlt(self) {
        // SAFETY: ring 0 by `self`; the IDT is loaded before anything waits, and the handler keeps all registers.
        unsafe { asm!("sti", "hlt", "cli") };
    }

    /// Sleeps for ever.
    pub(super) fn hlt_forever(self) -> ! {
        loop {
            // SAFETY: ring 0 by `self`; interrupts are off, so nothing runs any more.
            unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
        }
    }

    pub(super) fn out_u8(self, port: u16, value: u8) {
        // SAFETY: ring 0 by `self`; the ports in use reach devices that write no memory of ours.
        unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack)) };
    }

    pub(super) fn out_u32(self, port: u16, value: u32) {
        // SAFETY: as above; doorbells have the host write shared pages only, which are read as volatile memory. Memory that
        // was written before is written when the host looks.
        unsafe { asm!("out dx, eax", in("dx") port, in("eax") value, options(nostack)) };
    }

    pub(super) fn in_u8(self, port: u16) -> u8 {
        let value;
        // SAFETY: as above.
        unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack)) };
        value
    }

    pub(super) fn rdmsr(self, register: u32) -> u64 {
        let (low, high): (u32, u32);
        // SAFETY: ring 0 by `self`; callers name registers that `cpuid` announced.
        unsafe {
            asm!("rdmsr", in("ecx") register, out("eax") low, out("edx") high, options(nomem, nostack));
        };
        join(low, high)
    }

    pub(super) fn wrmsr(self, register: u32, value: u64) {
        let [low, high] = split(value);
        // SAFETY: as above; the registers in use (APIC, KVM clock, GHCB) change no memory but shared pages.
        unsafe { asm!("wrmsr", in("ecx") register, in("eax") low, in("edx") high, options(nostack)) };
    }
}

pub(super) fn join(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

pub(super) const fn split(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}
