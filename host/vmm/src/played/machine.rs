//! A machine whose memory is apart: what devices reach, and what is the guest's own.

use std::time::Instant;
use vial_abi::memory::{DMA_BYTES, DMA_PA, ROM_TEXT_PA};
use vial_kvm::{Cpu, Machine, Memory, populate};
use vial_launch::LoadPlan;

use super::seat::{self, Seat};
use crate::start::{Host, Outside, Ready, StartError, Vmm};

/// What a guest shares with its host, as (address, bytes).
pub(crate) const SHARED: [(u64, u64); 2] = [(0, ROM_TEXT_PA), (DMA_PA, DMA_BYTES)];

/// A machine that is loaded, before its devices are connected.
pub(crate) struct Built {
    pub(crate) started: Instant,
    pub(crate) machine: Machine,
    pub(crate) private: Memory,
    /// All that devices reach.
    pub(crate) shared: Memory,
}

impl Built {
    /// Connects devices, and lets every cpu go in a seat of its own.
    pub(crate) fn run<S: Seat>(
        self,
        plan: &LoadPlan,
        outside: Outside,
        seat: impl Fn(Cpu, u32) -> S + Clone + Send + 'static,
    ) -> Result<Vmm, StartError> {
        let Self { started, machine, private, shared } = self;
        let soon = outside.disk.bytes();
        let ready = Ready::connect(machine.board(), &shared, outside, started)?;
        let cpus = (0..plan.cpus()).map(|index| machine.cpu(index, plan.start()));
        let cpus = cpus.collect::<Result<_, _>>()?;
        let run = move |cpu, index, bus: &_| seat::run(seat(cpu, index), bus);
        let vmm = ready.run(cpus, run, Host::Kvm { _machine: machine })?;
        std::thread::spawn(move || populate(&private, soon));
        Ok(vmm)
    }
}
