//! The thread of one cpu.

use vial_kvm::{Cpu, Exit};

use crate::bus::Bus;
use crate::event::{Ended, Event};

/// Runs the cpu until the machine ends.
pub(crate) fn run(mut cpu: Cpu, index: u32, bus: &Bus) {
    let ended = loop {
        if let Some(ended) = step(&mut cpu, index, bus) {
            break ended;
        }
    };
    bus.tell(Event::Ended(ended));
}

fn step(cpu: &mut Cpu, index: u32, bus: &Bus) -> Option<Ended> {
    let why = match cpu.run() {
        Ok(Exit::Out(port, bytes)) => return bus.out(port, bytes),
        Ok(Exit::In(port, bytes)) => {
            bus.input(port, bytes);
            return None;
        }
        Ok(Exit::Write(address, bytes)) => {
            bus.write(address, bytes);
            return None;
        }
        Ok(Exit::Read(address, bytes)) => {
            bus.read(address, bytes);
            return None;
        }
        Ok(Exit::Nothing) => return None,
        Ok(Exit::Broken(why)) => why,
        Err(error) => error.to_string(),
    };
    Some(Ended::Broken(format!("cpu {index} at {:#x}: {why}", cpu.instruction())))
}
