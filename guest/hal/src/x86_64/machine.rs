//! The machine as ring 0's call service sees it.

use super::doorbell::HOST_PAGE;
use super::secure::{Secure, secure};
use super::snp;
use super::{LocalApic, Lock, Ring0};
use crate::apic::{self, ApicRegisters as _, Register, Timer};
use crate::clock;
use crate::platform::{Console, Cpus, Msrs as _, Ports as _, Tee};
use crate::serial::{Serial, console_line};
use crate::tee::{self, Response};
use core::fmt;
use core::fmt::Write as _;
use vial_abi::call::{CallError, REPORT_OUT_BYTES};
use vial_abi::launch_page::Machine;
use vial_abi::{ExitCode, Mark, port};

const TSC_DEADLINE: u32 = 0x6E0;
const NO_DEADLINE: u64 = u64::MAX;

static CONSOLE: Lock<()> = Lock::new(());
static RESPONSE: Lock<Response> = Lock::new([0; REPORT_OUT_BYTES]);

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
                (Some(Secure::Snp(guest)), _) => snp::report(guest.seat(self.ring0), report_data, response),
                (Some(Secure::Tdx(domain)), _) => domain.report(self.ring0, report_data, response),
                (None, Machine::Vial) => tee::by_doorbell(&mut self.ring0, &mut page, report_data, response),
                (None, Machine::Qemu) => tee::by_serial(&mut self.ring0, report_data, response),
            }?;
            Ok(deliver(self, response.get(..len).unwrap_or_default()))
        })
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
