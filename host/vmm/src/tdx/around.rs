//! What a domain's calls reach: its private memory, ports and devices of the bus, registers of its cpu, shared memory.

use vial_abi::{Mark, port};
use vial_kvm::{Cpu, Memory, discard};
use vial_simulated_tdx::{Around, Memory as PrivateMemory, Tables};
use vm_memory::{Bytes as _, GuestAddress};

use super::seat::Simulated;
use crate::bus::Bus;
use crate::event::Ended;
use crate::played::table;

const TSC_DEADLINE: u32 = 0x6E0;
const APIC_BASE: u32 = 0x1B;
const COMMAND: u32 = 0x830;
/// Fixed delivery of an interrupt command. Spec: Intel SDM vol. 3 §10.12.9.
const FIXED: u64 = 0;

/// One call's surroundings.
pub(super) struct Surroundings<'a> {
    pub(super) bus: &'a Bus,
    pub(super) cpu: &'a Cpu,
    pub(super) simulated: &'a Simulated,
    /// What a port ended.
    pub(super) ended: Option<Ended>,
}

impl Around for Surroundings<'_> {
    fn read(&self, pa: u64, to: &mut [u8]) -> Option<()> {
        self.simulated.shared.read_slice(to, GuestAddress(pa)).ok()
    }

    fn write(&mut self, pa: u64, from: &[u8]) -> Option<()> {
        self.simulated.shared.write_slice(from, GuestAddress(pa)).ok()
    }

    fn out(&mut self, port: u16, bytes: &[u8]) {
        // A host enters cpus when it likes: before the kernel runs they would only spin.
        if (port, bytes) == (port::MARK, &[Mark::Kernel.value()]) {
            self.simulated.doors.open_all();
        }
        self.ended = self.bus.out(port, bytes);
    }

    fn input(&mut self, port: u16, bytes: &mut [u8]) {
        self.bus.input(port, bytes);
    }

    fn write_device(&mut self, pa: u64, bytes: &[u8]) {
        self.bus.store(pa, bytes);
    }

    fn read_device(&mut self, pa: u64, bytes: &mut [u8]) {
        self.bus.read(pa, bytes);
    }

    fn write_msr(&mut self, register: u32, value: u64) -> Option<()> {
        let is_open = match register {
            // There is no INIT and no SIPI.
            COMMAND => value >> 8 & 7 == FIXED,
            register => is_open(register),
        };
        is_open.then(|| self.cpu.set_msr(register, value))?
    }

    fn read_msr(&mut self, register: u32) -> Option<u64> {
        (is_open(register) || register == APIC_BASE).then(|| self.cpu.msr(register))?
    }

    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        let found = self.simulated.cpuid.iter().find(|known| known.asked == [leaf, subleaf]);
        found.map_or([0; 4], |known| known.found)
    }
}

/// Registers of the local APIC that the module does not keep, of its timer, and of the paravirtual clock.
const fn is_open(register: u32) -> bool {
    match register {
        0x808 | 0x80A..=0x80B | 0x810..=0x827 => false,
        TSC_DEADLINE | 0x800..=0x8FF | 0x4B56_4D00 | 0x4B56_4D01 => true,
        _ => false,
    }
}

/// A domain's private memory.
pub(super) struct Private<'a>(pub(super) &'a Memory);

impl PrivateMemory for Private<'_> {
    fn read(&self, gpa: u64, to: &mut [u8]) -> Option<()> {
        self.0.read_slice(to, GuestAddress(gpa)).ok()
    }

    fn write(&mut self, gpa: u64, from: &[u8]) -> Option<()> {
        self.0.write_slice(from, GuestAddress(gpa)).ok()
    }

    fn clear(&mut self, gpa: u64, bytes: u64) -> Option<()> {
        discard(self.0, gpa, bytes)
    }
}

impl Tables for Private<'_> {
    fn table(&self, pa: u64) -> Option<[u64; 512]> {
        table(self.0, pa)
    }
}
