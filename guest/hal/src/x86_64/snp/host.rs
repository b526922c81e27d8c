//! Ring 0 and its host: by instructions, or by the GHCB where the host sees no registers.

use super::secure;
use crate::platform::{CpuId, Msrs, Ports};
use crate::x86_64::Ring0;
use vial_abi::ExitCode;
use vial_snp::exits::Width;

/// Leaf 1: the system uses XSAVE, which is not the page's to say but CR4's; and XSAVE is there.
const OSXSAVE: u32 = 1 << 27;
const XSAVE: u32 = 1 << 26;

impl Ring0 {
    /// Sleeps with interrupts on until one was served. The handler returns with interrupts off.
    pub fn sleep(self) {
        match secure() {
            None => self.hlt(),
            Some(secure) => secure.seat(self).ask(|ghcb| {
                ghcb.halt();
                Ok(())
            }),
        }
    }

    /// Sleeps for ever.
    pub fn halt(self) -> ! {
        match secure() {
            None => self.hlt_forever(),
            Some(secure) => secure.seat(self).end(ExitCode::Stopped.value()),
        }
    }
}

impl Ports for Ring0 {
    fn write_u8(&mut self, port: u16, value: u8) {
        match secure() {
            None => self.out_u8(port, value),
            Some(secure) => secure.seat(*self).ask(|ghcb| ghcb.write_port(port, Width::Byte, value.into())),
        }
    }

    fn write_u32(&mut self, port: u16, value: u32) {
        match secure() {
            None => self.out_u32(port, value),
            Some(secure) => secure.seat(*self).ask(|ghcb| ghcb.write_port(port, Width::Word, value)),
        }
    }

    fn read_u8(&mut self, port: u16) -> u8 {
        match secure() {
            None => self.in_u8(port),
            Some(secure) => secure.seat(*self).ask(|ghcb| ghcb.read_port(port)),
        }
    }
}

impl Msrs for Ring0 {
    fn read_msr(&self, register: u32) -> u64 {
        match secure() {
            None => self.rdmsr(register),
            Some(secure) => secure.seat(*self).ask(|ghcb| ghcb.read_msr(register)),
        }
    }

    fn write_msr(&mut self, register: u32, value: u64) {
        match secure() {
            None => self.wrmsr(register, value),
            Some(secure) => secure.seat(*self).ask(|ghcb| ghcb.write_msr(register, value)),
        }
    }
}

impl CpuId for Ring0 {
    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        let Some(secure) = secure() else {
            let found = core::arch::x86_64::__cpuid_count(leaf, subleaf);
            return [found.eax, found.ebx, found.ecx, found.edx];
        };
        let page = secure.cpuid().unwrap_or_else(|refusal| secure.seat(*self).end(refusal.code().value()));
        let [a, b, c, d] = page.leaf(leaf, subleaf);
        [a, b, if leaf == 1 && c & XSAVE != 0 { c | OSXSAVE } else { c }, d]
    }
}
