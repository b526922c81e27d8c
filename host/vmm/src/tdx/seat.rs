//! The thread of one cpu of a domain.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use vial_abi::port::TDX_CALL;
use vial_kvm::{Cpu, CpuidLeaf, Exit, Memory};
use vial_launch::StartState;
use vial_simulated_tdx::{Module, Offence, Registers, Then, Turn, check_tables};

use super::around::{Private, Surroundings};
use super::start::PlayedDomain;
use crate::bus::{Bus, ended};
use crate::doors::Doors;
use crate::played::{self, Broken, Step, own};

const APIC_BASE: u32 = 0x1B;
/// Place of the local APIC, enabled, in x2APIC mode; and whether it is the first cpu's. Spec: Intel SDM vol. 3 §10.12.1.
const X2APIC: u64 = 0xFEE0_0000 | 1 << 11 | 1 << 10;
const FIRST_CPU: u64 = 1 << 8;
/// Leaf of TDG.MR.REPORT.
const MR_REPORT: u64 = 4;

/// What all cpus have around them.
pub(crate) struct Simulated {
    pub(crate) played: Mutex<PlayedDomain>,
    pub(crate) private: Memory,
    pub(crate) shared: Memory,
    pub(crate) doors: Doors,
    pub(crate) start: StartState,
    pub(crate) cpuid: Vec<CpuidLeaf>,
}

impl Simulated {
    fn played(&self) -> MutexGuard<'_, PlayedDomain> {
        self.played.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cpu.
pub(crate) struct Seat {
    cpu: Cpu,
    index: u32,
    simulated: Arc<Simulated>,
}

impl Seat {
    pub(crate) fn new(cpu: Cpu, index: u32, simulated: &Arc<Simulated>) -> Self {
        Self { cpu, index, simulated: Arc::clone(simulated) }
    }

    fn called(&self, bus: &Bus) -> Step {
        let simulated = Arc::clone(&self.simulated);
        let [rax, rcx, rdx, r8, shared @ ..] = self.cpu.operands()?;
        let call = Registers { rax, rcx, rdx, r8, shared };
        let mut played = simulated.played();
        if rax == MR_REPORT {
            self.check(&played)?;
        }
        let turn = played.module.call(call, &mut Private(&simulated.private));
        match turn {
            Turn::Back(registers) => self.answer(registers).map(|()| None),
            Turn::Host(seen) => self.served(bus, &mut played, call, seen),
            Turn::Violation(gpa) => Err(Offence(format!("accepts {gpa:#x}, where nothing was added")).into()),
        }
    }

    fn served(&self, bus: &Bus, played: &mut PlayedDomain, call: Registers, seen: [u64; 6]) -> Step {
        let mut around = Surroundings { bus, cpu: &self.cpu, simulated: &self.simulated, ended: None };
        let PlayedDomain { module, host } = played;
        let (answer, then) = host.serve(&mut module.pages, seen, &mut around)?;
        let by_port = around.ended;
        self.answer(Module::resume(call, answer))?;
        match then {
            Then::Resumed => {}
            Then::Halted => self.cpu.set_halted(true)?,
            Then::Ended(code) => return Ok(Some(ended(code))),
        }
        Ok(by_port)
    }

    fn answer(&self, registers: Registers) -> Result<(), Broken> {
        let Registers { rax, rcx, rdx, r8, shared: [r10, r11, r12, r13, r14, r15] } = registers;
        Ok(self.cpu.set_operands([rax, rcx, rdx, r8, r10, r11, r12, r13, r14, r15])?)
    }

    /// Do its tables say what it has agreed on?
    fn check(&self, played: &PlayedDomain) -> Result<(), Offence> {
        let tables = self.cpu.tables().ok_or_else(|| Offence("reports without paging".to_owned()))?;
        let PlayedDomain { module, host } = played;
        check_tables(tables, host.shared_bit, &Private(&self.simulated.private), &module.pages)
    }
}

impl played::Seat for Seat {
    fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    fn index(&self) -> u32 {
        self.index
    }

    /// As the module starts every cpu, when the host enters it.
    fn start(&mut self) -> Result<(), Broken> {
        self.simulated.doors.wait(self.index);
        let width = self.simulated.played().host.shared_bit + 1;
        self.cpu.start_in_domain(&self.simulated.start, width, self.index)?;
        let base = if self.index == 0 { X2APIC | FIRST_CPU } else { X2APIC };
        let mode = self.cpu.set_msr(APIC_BASE, base);
        mode.ok_or_else(|| Broken("KVM has no x2APIC".to_owned()))?;
        Ok(self.cpu.set_halted(false)?)
    }

    fn step(&mut self, bus: &Bus) -> Step {
        match self.cpu.run()? {
            Exit::Out(TDX_CALL, [_]) => self.called(bus),
            exit => own(exit).map(|()| None),
        }
    }
}
