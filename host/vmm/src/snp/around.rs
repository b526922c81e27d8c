//! What such a guest's exits reach: ports and devices of the bus, registers of its cpu, shared memory.

use vial_kvm::Cpu;
use vial_simulated_snp::{Around, Tables};
use vm_memory::{Bytes as _, GuestAddress};

use super::seat::Simulated;
use crate::bus::Bus;
use crate::event::Ended;
use crate::played::table;

const APIC_BASE: u32 = 0x1B;
const TSC_DEADLINE: u32 = 0x6E0;
const COMMAND: u32 = 0x830;
/// Delivery modes of an interrupt command. Spec: Intel SDM vol. 3 §10.12.9.
const INIT: u64 = 5;
const START_UP: u64 = 6;

/// One exit's surroundings.
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
        match (register, value >> 8 & 7) {
            // Reset means nothing to registers that nobody but the guest sees.
            (COMMAND, INIT) => Some(()),
            (COMMAND, START_UP) => self.simulated.doors.open(u32::try_from(value >> 32).ok()?),
            _ => is_open(register).then(|| self.cpu.set_msr(register, value))?,
        }
    }

    fn read_msr(&mut self, register: u32) -> Option<u64> {
        is_open(register).then(|| self.cpu.msr(register))?
    }
}

/// Registers of the local APIC, of its timer, and of the paravirtual clock.
const fn is_open(register: u32) -> bool {
    matches!(register, APIC_BASE | TSC_DEADLINE | 0x800..=0x8FF | 0x4B56_4D00 | 0x4B56_4D01)
}

impl Tables for Simulated {
    fn table(&self, pa: u64) -> Option<[u64; 512]> {
        table(&self.memory, pa)
    }
}
