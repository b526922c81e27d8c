//! The running cpu: by the processor's instructions, or by ports of our VMM, which plays the processor.

use super::cpu;
use super::instructions::outcome;
use crate::x86_64::Ring0;
use crate::x86_64::instructions::{join, split};
use core::ptr;
use vial_abi::memory::{LINEAR_VA, ghcb};
use vial_abi::port::{SNP_EXIT, SNP_PVALIDATE, SNP_REGISTER, SNP_REGISTER_HIGH};
use vial_snp::ghcb::Ghcb;
use vial_snp::{Invalid, PageSize, Processor, Refusal};

/// Register that names the GHCB. Spec: AMD 56421 rev 2.03 §2.3.1.
const GHCB_REGISTER: u32 = 0xC001_0130;

/// The running cpu, by the processor's instructions or by ports.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    ring0: Ring0,
    is_simulated: bool,
}

impl Seat {
    pub(super) const fn new(ring0: Ring0, is_simulated: bool) -> Self {
        Self { ring0, is_simulated }
    }

    /// Does something by the cpu's GHCB. What the host refuses ends the guest: it cannot go on without.
    pub fn ask<R>(mut self, wish: impl FnOnce(&mut Ghcb<'_, Self>) -> Result<R, Refusal>) -> R {
        let done = cpu().map(|cpu| wish(&mut Ghcb::at(ghcb(cpu), &mut self)));
        done.and_then(Result::ok).unwrap_or_else(|| self.end(Refusal::Host.code().value()))
    }

    /// Ends the guest by what needs no GHCB.
    pub fn end(mut self, reason: u8) -> ! {
        loop {
            vial_snp::protocol::terminate(&mut self, reason);
        }
    }
}

impl Processor for Seat {
    fn register(&self) -> u64 {
        if self.is_simulated {
            join(self.ring0.in_u32(SNP_REGISTER), self.ring0.in_u32(SNP_REGISTER_HIGH))
        } else {
            self.ring0.rdmsr(GHCB_REGISTER)
        }
    }

    fn set_register(&mut self, value: u64) {
        if self.is_simulated {
            let [low, high] = split(value);
            self.ring0.out_u32(SNP_REGISTER, low);
            self.ring0.out_u32(SNP_REGISTER_HIGH, high);
        } else {
            self.ring0.wrmsr(GHCB_REGISTER, value);
        }
    }

    fn exit(&mut self) {
        if self.is_simulated { self.ring0.out_u32(SNP_EXIT, 0) } else { self.ring0.vmgexit() }
    }

    fn exit_until_interrupt(&mut self) {
        if self.is_simulated {
            self.ring0.out_u32_until_interrupt(SNP_EXIT);
        } else {
            self.ring0.vmgexit_until_interrupt();
        }
    }

    fn pvalidate(&mut self, va: u64, size: PageSize, is_valid: bool) -> Result<(), Invalid> {
        if !self.is_simulated {
            return self.ring0.pvalidate(va, size, is_valid);
        }
        // Both views of memory that validate have the physical address in these bits.
        let page = ((va & (LINEAR_VA - 1)) >> 12) as u32;
        let order = page << 2 | u32::from(size == PageSize::Large) << 1 | u32::from(is_valid);
        self.ring0.out_u32(SNP_PVALIDATE, order);
        let answer = self.ring0.in_u32(SNP_PVALIDATE);
        outcome(answer & 0xFF, answer >> 8 & 1 == 1)
    }

    fn shared(&self, pa: u64) -> u64 {
        let word = ptr::with_exposed_provenance::<u64>(pa as usize);
        // SAFETY: `vial-snp` reads the shared pages alone, by whole words, which are mapped by the duty of `Secure::publish`; the
        // host may write them at any time, hence volatile.
        unsafe { word.read_volatile() }
    }

    fn set_shared(&mut self, pa: u64, value: u64) {
        let word = ptr::with_exposed_provenance_mut::<u64>(pa as usize);
        // SAFETY: as above.
        unsafe { word.write_volatile(value) }
    }
}
