//! The thread of one cpu whose exits come as orders on ports.

use vial_kvm::{Cpu, Exit};

use crate::bus::Bus;
use crate::event::{Ended, Event};

/// Why a cpu does not go on: its guest does what a TEE does not let it do, or KVM refuses something.
pub(crate) struct Broken(pub(crate) String);

impl<E: core::error::Error> From<E> for Broken {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// What a stop of the cpu comes to.
pub(crate) type Step = Result<Option<Ended>, Broken>;

/// A cpu, and what is around it.
pub(crate) trait Seat {
    /// The cpu.
    fn cpu(&self) -> &Cpu;
    /// Its number.
    fn index(&self) -> u32;
    /// Waits until it is told to start.
    fn start(&mut self) -> Result<(), Broken>;
    /// Runs it until it stops, and does what it wants.
    fn step(&mut self, bus: &Bus) -> Step;
}

/// Runs the cpu until the machine ends.
pub(super) fn run(mut seat: impl Seat, bus: &Bus) {
    let mut step = seat.start().map(|()| None);
    let ended = loop {
        match step {
            Ok(None) => step = seat.step(bus),
            Ok(Some(ended)) => break ended,
            Err(Broken(why)) => {
                let at = seat.cpu().instruction();
                break Ended::Broken(format!("cpu {} at {at:#x}: {why}", seat.index()));
            }
        }
    };
    bus.tell(Event::Ended(ended));
}

/// An exit that is no order: nothing, or what such a guest cannot do, since its host would see nothing of it.
pub(crate) fn own(exit: Exit<'_>) -> Result<(), Broken> {
    let why = match exit {
        Exit::Nothing => return Ok(()),
        Exit::Out(port, _) | Exit::In(port, _) => format!("port {port:#x} by instruction"),
        Exit::Write(pa, _) | Exit::Read(pa, _) => format!("{pa:#x} is no memory of its own"),
        Exit::Broken(why) => why,
    };
    Err(Broken(why))
}
