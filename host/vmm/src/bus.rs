//! Which device answers at which address.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use vial_abi::memory::{VIRTIO_PA, VIRTIO_SLOT_BYTES};
use vial_abi::{ExitCode, Mark, port};
use vial_devices::Transport;
use vial_kvm::Memory;
use vmm_sys_util::eventfd::EventFd;

use crate::console::Port;
use crate::event::{Ended, Event};
use crate::start::QUEUE_NOTIFY;
use crate::tee::{ReportDevice, answer};

/// Registers of a serial port.
const SERIAL_PORTS: u16 = 8;

/// All devices, as the cpus reach them.
pub(crate) struct Bus {
    pub(crate) memory: Memory,
    pub(crate) slots: Vec<Mutex<Transport>>,
    /// The slots' bells, for stores that KVM did not turn into rings.
    pub(crate) doorbells: Vec<Arc<EventFd>>,
    pub(crate) console: Mutex<Port>,
    /// The simulated TEE, where there is no other.
    pub(crate) tee: Option<Mutex<Box<dyn ReportDevice>>>,
    pub(crate) events: Mutex<Sender<Event>>,
    pub(crate) started: Instant,
    /// Written when the appliance accepts requests.
    pub(crate) listening: Arc<EventFd>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bus {
    /// A store to an address that is no memory. Unknown ones are ignored, as hardware does.
    pub(crate) fn write(&self, address: u64, bytes: &[u8]) {
        if let Some((slot, offset)) = self.slot(address) {
            lock(slot).write(offset, bytes);
        }
    }

    /// A load from an address that is no memory; unknown ones read as zero.
    pub(crate) fn read(&self, address: u64, bytes: &mut [u8]) {
        match self.slot(address) {
            Some((slot, offset)) => lock(slot).read(offset, bytes),
            None => bytes.fill(0),
        }
    }

    /// A write to a port; tells if it ends the machine.
    pub(crate) fn out(&self, port: u16, bytes: &[u8]) -> Option<Ended> {
        match (port, bytes) {
            (port::EXIT, [code, ..]) => return Some(ended(*code)),
            (port::MARK, [mark, ..]) => self.mark(*mark),
            (port::TEE, bytes) => self.report(bytes),
            (port, [byte, ..]) if serial(port).is_some() => {
                let _unknown = serial(port).map(|register| lock(&self.console).write(register, *byte));
            }
            _ => {}
        }
        None
    }

    /// A read of a port; unknown ones read as all ones.
    pub(crate) fn input(&self, port: u16, bytes: &mut [u8]) {
        bytes.fill(u8::MAX);
        if let (Some(register), Some(byte)) = (serial(port), bytes.first_mut()) {
            *byte = lock(&self.console).read(register);
        }
    }

    /// Tells an event.
    pub(crate) fn tell(&self, event: Event) {
        // Nobody listens when the process ends.
        let _ended = lock(&self.events).send(event);
    }

    fn mark(&self, value: u8) {
        let Some(mark) = Mark::from_value(value) else { return };
        self.tell(Event::Mark(mark, self.started.elapsed()));
        if mark == Mark::Listening {
            let _full = self.listening.write(1);
        }
    }

    fn report(&self, bytes: &[u8]) {
        if let (Ok(page), Some(tee)) = (bytes.try_into().map(u32::from_le_bytes), &self.tee) {
            answer(lock(tee).as_mut(), &self.memory, page);
        }
    }

    /// A store that the VMM was asked for: it may ring a bell.
    pub(crate) fn store(&self, address: u64, bytes: &[u8]) {
        let bells = (VIRTIO_PA + QUEUE_NOTIFY..).step_by(512).zip(&self.doorbells);
        match bells.into_iter().find(|&(bell, _)| bell == address) {
            // Full: it has rung and was not heard yet.
            Some((_, bell)) => drop(bell.write(1)),
            None => self.write(address, bytes),
        }
    }

    fn slot(&self, address: u64) -> Option<(&Mutex<Transport>, u64)> {
        let offset = address.checked_sub(VIRTIO_PA)?;
        let slot = self.slots.get(usize::try_from(offset / VIRTIO_SLOT_BYTES).ok()?)?;
        Some((slot, offset % VIRTIO_SLOT_BYTES))
    }
}

fn serial(port: u16) -> Option<u8> {
    let register = port.checked_sub(port::SERIAL).filter(|&register| register < SERIAL_PORTS)?;
    u8::try_from(register).ok()
}

pub(crate) fn ended(code: u8) -> Ended {
    ExitCode::from_value(code).map_or(Ended::Unknown(code), Ended::Exit)
}
