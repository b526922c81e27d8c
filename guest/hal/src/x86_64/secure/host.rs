//! Ring 0 and its host: by instructions, or by what reaches a host that sees no registers.

use super::{Secure, secure};
use crate::platform::{CpuId, Msrs, Ports};
use crate::x86_64::{Guest, Ring0};
use vial_abi::ExitCode;
use vial_snp::exits::Width;
use vial_tdx::instruction::{self as host, Width as Bytes};

/// Leaf 1: the system uses XSAVE, which is not the page's to say but CR4's; and XSAVE is there.
const OSXSAVE: u32 = 1 << 27;
const XSAVE: u32 = 1 << 26;

const APIC_BASE: u32 = 0x1B;
/// Leaves that are the host's to answer.
const HYPERVISOR_LEAVES: u32 = 0x4;
/// Registers of the local APIC that the TDX module keeps itself: task and processor priority, end of interrupt, and what is in
/// service or waits. Spec: Intel 348549 (TDX Module Base Architecture), "Virtual APIC access by guest TD".
const APIC_OF_MODULE: [core::ops::RangeInclusive<u32>; 3] = [0x808..=0x808, 0x80A..=0x80B, 0x810..=0x827];

impl Ring0 {
    /// Sleeps with interrupts on until one was served. The handler returns with interrupts off.
    pub fn sleep(self) {
        match secure() {
            None => self.hlt(),
            Some(Secure::Tdx(domain)) => domain.seat(self).sleep(),
            Some(Secure::Snp(guest)) => guest.seat(self).ask(|ghcb| {
                ghcb.halt();
                Ok(())
            }),
        }
    }

    /// Sleeps for ever.
    pub fn halt(self) -> ! {
        match secure() {
            None => self.hlt_forever(),
            Some(secure) => secure.end(self, ExitCode::Stopped),
        }
    }
}

impl Ports for Ring0 {
    fn write_u8(&mut self, port: u16, value: u8) {
        let seat = *self;
        match secure() {
            None => self.out_u8(port, value),
            Some(Secure::Snp(guest)) => {
                guest.seat(seat).ask(|ghcb| ghcb.write_port(port, Width::Byte, value.into()));
            }
            Some(Secure::Tdx(domain)) => {
                domain.seat(seat).ask(|seat| host::write_port(seat, port, Bytes::One, value.into()));
            }
        }
    }

    fn write_u32(&mut self, port: u16, value: u32) {
        let seat = *self;
        match secure() {
            None => self.out_u32(port, value),
            Some(Secure::Snp(guest)) => {
                guest.seat(seat).ask(|ghcb| ghcb.write_port(port, Width::Word, value));
            }
            Some(Secure::Tdx(domain)) => {
                domain.seat(seat).ask(|seat| host::write_port(seat, port, Bytes::Four, value.into()));
            }
        }
    }

    fn read_u8(&mut self, port: u16) -> u8 {
        match secure() {
            None => self.in_u8(port),
            Some(Secure::Snp(guest)) => guest.seat(*self).ask(|ghcb| ghcb.read_port(port)),
            Some(Secure::Tdx(domain)) => {
                domain.seat(*self).ask(|seat| host::read_port(seat, port, Bytes::One)) as u8
            }
        }
    }
}

impl Msrs for Ring0 {
    fn read_msr(&self, register: u32) -> u64 {
        match secure() {
            None => self.rdmsr(register),
            Some(Secure::Snp(guest)) => guest.seat(*self).ask(|ghcb| ghcb.read_msr(register)),
            Some(Secure::Tdx(_)) if is_of_module(register) => self.rdmsr(register),
            Some(Secure::Tdx(domain)) => domain.seat(*self).ask(|seat| host::read_msr(seat, register)),
        }
    }

    fn write_msr(&mut self, register: u32, value: u64) {
        match secure() {
            None => self.wrmsr(register, value),
            Some(Secure::Snp(guest)) => guest.seat(*self).ask(|ghcb| ghcb.write_msr(register, value)),
            // A domain's is on and by MSR from its start, and stays so.
            Some(Secure::Tdx(_)) if register == APIC_BASE => {}
            Some(Secure::Tdx(_)) if is_of_module(register) => self.wrmsr(register, value),
            Some(Secure::Tdx(domain)) => {
                domain.seat(*self).ask(|seat| host::write_msr(seat, register, value))
            }
        }
    }
}

fn is_of_module(register: u32) -> bool {
    APIC_OF_MODULE.iter().any(|registers| registers.contains(&register))
}

impl CpuId for Ring0 {
    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        match secure() {
            Some(Secure::Snp(guest)) => by_page(guest, *self, leaf, subleaf),
            Some(Secure::Tdx(domain)) if leaf >> 28 == HYPERVISOR_LEAVES => {
                domain.seat(*self).ask(|seat| host::cpuid(seat, leaf, subleaf))
            }
            // The TDX module answers the instruction, not the host.
            None | Some(Secure::Tdx(_)) => {
                let found = core::arch::x86_64::__cpuid_count(leaf, subleaf);
                [found.eax, found.ebx, found.ecx, found.edx]
            }
        }
    }
}

/// What the secure processor has checked.
fn by_page(guest: Guest, ring0: Ring0, leaf: u32, subleaf: u32) -> [u32; 4] {
    let page = guest.cpuid().unwrap_or_else(|refusal| guest.seat(ring0).end(refusal.code().value()));
    let [a, b, c, d] = page.leaf(leaf, subleaf);
    [a, b, if leaf == 1 && c & XSAVE != 0 { c | OSXSAVE } else { c }, d]
}
