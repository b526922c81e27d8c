//! The thread of one cpu of such a guest.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use vial_abi::port::{SNP_EXIT, SNP_PVALIDATE, SNP_REGISTER, SNP_REGISTER_HIGH};
use vial_kvm::{Cpu, Exit, Memory};
use vial_launch::StartState;
use vial_simulated_snp::{self as snp, Host, Offence, Outcome, Size, Then, check_tables};

use super::around::Surroundings;
use crate::bus::{Bus, ended};
use crate::doors::Doors;
use crate::event::{Ended, Event};

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

/// What a stop of the cpu comes to.
type Step = Result<Option<Ended>, Offence>;

/// Why it stopped, without what it borrows.
enum Stop {
    Order(u16, u32),
    Nothing,
    Broken(String),
}

impl Seat {
    pub(crate) fn new(cpu: Cpu, index: u32, simulated: &Arc<Simulated>) -> Self {
        let own = snp::Cpu::default();
        Self { cpu, index, simulated: Arc::clone(simulated), own, low: 0, answer: 0 }
    }

    /// Runs the cpu until the machine ends.
    pub(crate) fn run(mut self, bus: &Bus) {
        let ended = self.started().err().unwrap_or_else(|| {
            loop {
                match self.step(bus) {
                    Ok(None) => {}
                    Ok(Some(ended)) => break ended,
                    Err(offence) => break self.broken(&offence.to_string()),
                }
            }
        });
        bus.tell(Event::Ended(ended));
    }

    /// Cpu 0 starts at once, the others when they are told to.
    fn started(&self) -> Result<(), Ended> {
        if self.index > 0 {
            self.simulated.doors.wait(self.index);
            let started = self.cpu.start_in(&self.simulated.other_start);
            started
                .and_then(|()| self.cpu.set_halted(false))
                .map_err(|error| self.broken(&error.to_string()))?;
        }
        Ok(())
    }

    fn step(&mut self, bus: &Bus) -> Step {
        match self.stop() {
            Stop::Order(SNP_REGISTER, low) => self.low = low,
            Stop::Order(SNP_REGISTER_HIGH, high) => {
                self.own.register = u64::from(self.low) | u64::from(high) << 32;
            }
            Stop::Order(SNP_PVALIDATE, order) => self.answer = self.validated(order),
            Stop::Order(_, _) => return self.exited(bus),
            Stop::Nothing => {}
            Stop::Broken(why) => return Ok(Some(self.broken(&why))),
        }
        Ok(None)
    }

    /// Runs it until it stops. What a guest of SEV-SNP cannot do, since its host would see nothing of it, breaks it.
    fn stop(&mut self) -> Stop {
        let register = self.own.register.to_le_bytes();
        let (low, high) = (word(&register), word(&register[4..]));
        match self.cpu.run() {
            Ok(Exit::Out(port, bytes)) if is_order(port) => Stop::Order(port, word(bytes)),
            Ok(Exit::In(port, bytes)) if is_order(port) => {
                let value = match port {
                    SNP_REGISTER => low,
                    SNP_REGISTER_HIGH => high,
                    _ => self.answer,
                };
                bytes.iter_mut().zip(value.to_le_bytes()).for_each(|(to, from)| *to = from);
                Stop::Nothing
            }
            Ok(Exit::Out(port, _) | Exit::In(port, _)) => {
                Stop::Broken(format!("port {port:#x} by instruction"))
            }
            Ok(Exit::Write(pa, _) | Exit::Read(pa, _)) => {
                Stop::Broken(format!("{pa:#x} is no memory of its own"))
            }
            Ok(Exit::Nothing) => Stop::Nothing,
            Ok(Exit::Broken(why)) => Stop::Broken(why),
            Err(error) => Stop::Broken(error.to_string()),
        }
    }

    fn exited(&mut self, bus: &Bus) -> Step {
        let simulated = Arc::clone(&self.simulated);
        let mut around = Surroundings { bus, cpu: &self.cpu, simulated: &simulated, ended: None };
        let then = simulated.host().exit(&mut self.own, &mut around)?;
        let by_port = around.ended.take();
        match then {
            Then::Resumed => {}
            Then::Carried => self.checked()?,
            Then::Halted => {
                let halted = self.cpu.set_halted(true);
                return Ok(halted.err().map(|error| self.broken(&error.to_string())));
            }
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

    fn broken(&self, why: &str) -> Ended {
        Ended::Broken(format!("cpu {} at {:#x}: {why}", self.index, self.cpu.instruction()))
    }
}

const fn is_order(port: u16) -> bool {
    matches!(port, SNP_REGISTER | SNP_REGISTER_HIGH | SNP_EXIT | SNP_PVALIDATE)
}

fn word(bytes: &[u8]) -> u32 {
    bytes.first_chunk().copied().map_or(0, u32::from_le_bytes)
}
