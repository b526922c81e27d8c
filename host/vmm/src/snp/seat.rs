//! The thread of one cpu of such a guest.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use vial_abi::port::{SNP_EXIT, SNP_PVALIDATE, SNP_REGISTER, SNP_REGISTER_HIGH};
use vial_kvm::{Cpu, Exit, Memory};
use vial_launch::StartState;
use vial_simulated_snp::{self as snp, Host, Offence, Outcome, Size, Then, check_tables};

use super::around::Surroundings;
use crate::bus::{Bus, ended};
use crate::doors::Doors;
use crate::played::{self, Broken, Step, own};

/// What all cpus have around them.
pub(crate) struct Simulated {
    pub(crate) host: Mutex<Host>,
    /// All memory, where tables are read.
    pub(crate) memory: Memory,
    /// What the guest shares.
    pub(crate) shared: Memory,
    pub(crate) doors: Doors,
    pub(crate) other_start: StartState,
}

impl Simulated {
    fn host(&self) -> MutexGuard<'_, Host> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cpu, and how far its orders by port have come.
pub(crate) struct Seat {
    cpu: Cpu,
    index: u32,
    simulated: Arc<Simulated>,
    own: snp::Cpu,
    /// Low half of a register that is being written.
    low: u32,
    /// What the last PVALIDATE said.
    answer: u32,
}

impl Seat {
    pub(crate) fn new(cpu: Cpu, index: u32, simulated: &Arc<Simulated>) -> Self {
        let own = snp::Cpu::default();
        Self { cpu, index, simulated: Arc::clone(simulated), own, low: 0, answer: 0 }
    }

    /// Runs it until it stops; gives a port and what was written to it, if that was an order.
    fn order(&mut self) -> Result<Option<(u16, u32)>, Broken> {
        let register = self.own.register.to_le_bytes();
        let (low, high) = (word(&register), word(&register[4..]));
        match self.cpu.run()? {
            Exit::Out(port, bytes) if is_order(port) => return Ok(Some((port, word(bytes)))),
            Exit::In(port, bytes) if is_order(port) => {
                let value = match port {
                    SNP_REGISTER => low,
                    SNP_REGISTER_HIGH => high,
                    _ => self.answer,
                };
                bytes.iter_mut().zip(value.to_le_bytes()).for_each(|(to, from)| *to = from);
            }
            exit => own(exit)?,
        }
        Ok(None)
    }

    fn exited(&mut self, bus: &Bus) -> Step {
        let simulated = Arc::clone(&self.simulated);
        let mut around = Surroundings { bus, cpu: &self.cpu, simulated: &simulated, ended: None };
        let then = simulated.host().exit(&mut self.own, &mut around)?;
        let by_port = around.ended.take();
        match then {
            Then::Resumed => {}
            Then::Carried => self.checked()?,
            Then::Halted => self.cpu.set_halted(true)?,
            Then::Ended(code) => return Ok(Some(ended(code))),
        }
        Ok(by_port)
    }

    /// Do its tables say what it has agreed on?
    fn checked(&self) -> Result<(), Offence> {
        let tables = self.cpu.tables().ok_or_else(|| Offence("reports without paging".to_owned()))?;
        let host = self.simulated.host();
        check_tables(tables, host.c_bit, &*self.simulated, &host.ownership)
    }

    fn validated(&self, order: u32) -> u32 {
        let (pa, size) =
            (u64::from(order >> 2) << 12, if order & 2 == 0 { Size::Small } else { Size::Large });
        match self.simulated.host().ownership.validate(pa, size, order & 1 == 1) {
            Outcome::Changed => 0,
            Outcome::Unchanged => 1 << 8,
            Outcome::Failed => 1,
        }
    }
}

impl played::Seat for Seat {
    fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    fn index(&self) -> u32 {
        self.index
    }

    /// Cpu 0 starts at once, the others when they are told to.
    fn start(&mut self) -> Result<(), Broken> {
        if self.index > 0 {
            self.simulated.doors.wait(self.index);
            self.cpu.start_in(&self.simulated.other_start)?;
            self.cpu.set_halted(false)?;
        }
        Ok(())
    }

    fn step(&mut self, bus: &Bus) -> Step {
        match self.order()? {
            Some((SNP_REGISTER, low)) => self.low = low,
            Some((SNP_REGISTER_HIGH, high)) => {
                self.own.register = u64::from(self.low) | u64::from(high) << 32;
            }
            Some((SNP_PVALIDATE, order)) => self.answer = self.validated(order),
            Some(_) => return self.exited(bus),
            None => {}
        }
        Ok(None)
    }
}

const fn is_order(port: u16) -> bool {
    matches!(port, SNP_REGISTER | SNP_REGISTER_HIGH | SNP_EXIT | SNP_PVALIDATE)
}

fn word(bytes: &[u8]) -> u32 {
    bytes.first_chunk().copied().map_or(0, u32::from_le_bytes)
}
