//! The machine as ring 0's call service sees it.

use super::snp::{Seat, secure, with_secrets};
use super::{LocalApic, Lock, Ring0};
use crate::apic::{self, ApicRegisters as _, Register, Timer};
use crate::clock;
use crate::platform::{Console, Cpus, Devices, Msrs as _, Ports as _, Tee};
use crate::serial::{Serial, console_line};
use crate::tee::{self, DoorbellPage, Response};
use core::cell::UnsafeCell;
use core::fmt;
use core::fmt::Write as _;
use vial_abi::call::{CallError, REPORT_OUT_BYTES};
use vial_abi::launch_page::Machine;
use vial_abi::memory::VIRTIO_PA;
use vial_abi::{ExitCode, Mark, port};

const TSC_DEADLINE: u32 = 0x6E0;
const NO_DEADLINE: u64 = u64::MAX;

static CONSOLE: Lock<()> = Lock::new(());
static RESPONSE: Lock<Response> = Lock::new([0; REPORT_OUT_BYTES]);
static HOST_PAGE: HostPage = HostPage(UnsafeCell::new([0; 4096]));

/// The real machine.
#[derive(Clone, Copy, Debug)]
pub struct Hardware {
    /// Right to use it.
    pub ring0: Ring0,
    /// Whose devices carry TEE messages.
    pub machine: Machine,
    /// How deadlines are armed.
    pub timer: Timer,
    /// Ticks a millisecond of the time stamp counter.
    pub tsc_khz: u64,
}

impl Hardware {
    /// Prints without waiting for other cpus' lines: for the end of the appliance.
    pub(super) fn print(mut ring0: Ring0, text: fmt::Arguments<'_>) {
        let result = Serial::new(&mut ring0, port::SERIAL).write_fmt(text);
        debug_assert!(result.is_ok(), "serial lines accept every byte");
    }

    fn arm(&mut self, deadline: u64) {
        match self.timer {
            Timer::TscDeadline => self.ring0.write_msr(TSC_DEADLINE, deadline),
            Timer::OneShot => {
                let count = clock::apic_ticks_until(deadline, self.ring0.tsc(), self.tsc_khz);
                LocalApic::current().write(Register::TimerInitial, count);
            }
        }
    }

    fn disarm(&mut self) {
        match self.timer {
            Timer::TscDeadline => self.ring0.write_msr(TSC_DEADLINE, 0),
            Timer::OneShot => LocalApic::current().write(Register::TimerInitial, 0),
        }
    }
}

impl Console for Hardware {
    fn line(&mut self, text: &[u8]) {
        CONSOLE.with(|()| console_line(&mut self.ring0, text));
    }

    fn mark(&mut self, mark: Mark) {
        self.ring0.write_u8(port::MARK, mark.value());
    }
}

impl Tee for Hardware {
    fn report(
        &mut self,
        report_data: &[u8; 64],
        deliver: impl FnOnce(&mut Self, &[u8]) -> u64,
    ) -> Result<u64, CallError> {
        RESPONSE.with(|response| {
            let mut page = &HOST_PAGE;
            let len = match (secure(), self.machine) {
                (Some(secure), _) => by_message(secure.seat(self.ring0), report_data, response),
                (None, Machine::Vial) => tee::by_doorbell(&mut self.ring0, &mut page, report_data, response),
                (None, Machine::Qemu) => tee::by_serial(&mut self.ring0, report_data, response),
            }?;
            Ok(deliver(self, response.get(..len).unwrap_or_default()))
        })
    }
}

/// Asks the secure processor.
fn by_message(seat: Seat, report_data: &[u8; 64], response: &mut Response) -> Result<usize, CallError> {
    let report = seat.ask(|ghcb| {
        Ok(with_secrets(|secrets| vial_snp::request::report(ghcb, secrets, report_data, response)))
    });
    report.map_err(|_| CallError::NoTee)
}

impl Devices for Hardware {
    fn read_device(&mut self, offset: u64) -> Result<u32, CallError> {
        let secure = secure().ok_or(CallError::UnknownCall)?;
        Ok(secure.seat(self.ring0).ask(|ghcb| ghcb.read_device(VIRTIO_PA + offset)))
    }

    fn write_device(&mut self, offset: u64, value: u32) -> Result<(), CallError> {
        let secure = secure().ok_or(CallError::UnknownCall)?;
        secure.seat(self.ring0).ask(|ghcb| ghcb.write_device(VIRTIO_PA + offset, value));
        Ok(())
    }
}

impl Cpus for Hardware {
    fn wait(&mut self, deadline: u64) {
        if deadline == NO_DEADLINE {
            self.ring0.sleep();
        } else if self.ring0.tsc() < deadline {
            self.arm(deadline);
            self.ring0.sleep();
            self.disarm();
        }
    }

    fn start(&mut self, cpu: u32, entry: u64, argument: u64) -> Result<(), CallError> {
        super::cpus::start(self, cpu, entry, argument)
    }

    fn wake(&mut self, cpu: u32) {
        apic::wake(&mut LocalApic::current(), cpu);
    }
}

/// The page our VMM writes a response to. Never lent; bytes leave it by volatile copies.
#[repr(C, align(4096))]
struct HostPage(UnsafeCell<[u8; 4096]>);

// SAFETY: used under the lock of `RESPONSE`; the host's writes are read as volatile.
unsafe impl Sync for HostPage {}

impl DoorbellPage for &HostPage {
    fn number(&self) -> u32 {
        (self.0.get().addr() >> 12) as u32
    }

    fn write(&mut self, report_data: &[u8; 64]) {
        let start = self.0.get().cast::<[u8; 64]>();
        // SAFETY: inside a static page, written by one cpu at a time.
        unsafe { start.write_volatile(*report_data) };
    }

    fn read(&self, to: &mut [u8]) {
        let from = self.0.get().cast::<u64>();
        for (at, chunk) in to.chunks_mut(8).enumerate() {
            // SAFETY: `to` is at most a page long, as the transport checks.
            let word = unsafe { from.add(at) };
            // SAFETY: inside a static page; the host may write it at any time, hence volatile.
            let word = unsafe { word.read_volatile() }.to_le_bytes();
            chunk.copy_from_slice(word.get(..chunk.len()).unwrap_or_default());
        }
    }
}

/// Ends the appliance.
pub fn exit(mut ring0: Ring0, code: u8) -> ! {
    ring0.write_u8(port::EXIT, code);
    ring0.halt()
}

/// Ends the appliance after a bug in ring 0: prints where.
pub fn panicked(info: &core::panic::PanicInfo<'_>, code: ExitCode) -> ! {
    // SAFETY: panic handlers of ring-0 programs run in ring 0, and this one ends the machine.
    let ring0 = unsafe { Ring0::assume() };
    Hardware::print(ring0, format_args!("{}: {info}\r\n", code.text()));
    exit(ring0, code.value())
}
