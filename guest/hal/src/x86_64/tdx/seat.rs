//! The running cpu of a trust domain: by the processor's instruction, or by a port of our VMM, which plays the module.

use crate::x86_64::Ring0;
use vial_abi::ExitCode;
use vial_tdx::end::report_fatal_error;
use vial_tdx::instruction::halt;
use vial_tdx::vmcall::HostError;
use vial_tdx::{Registers, Tdcall};

/// The running cpu.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    ring0: Ring0,
    is_simulated: bool,
}

/// The running cpu, which lets interrupts in from its call on.
struct Sleeper(Seat);

impl Seat {
    pub(super) const fn new(ring0: Ring0, is_simulated: bool) -> Self {
        Self { ring0, is_simulated }
    }

    /// Asks the host for something. What it refuses ends the domain: it cannot go on without.
    pub fn ask<R>(mut self, wish: impl FnOnce(&mut Self) -> Result<R, HostError>) -> R {
        wish(&mut self).unwrap_or_else(|_| self.end(ExitCode::TdxHost.value()))
    }

    /// Sleeps with interrupts on until one was served.
    pub fn sleep(self) {
        halt(&mut Sleeper(self), false).unwrap_or_else(|_| self.end(ExitCode::TdxHost.value()));
    }

    /// Ends the domain.
    pub fn end(mut self, reason: u8) -> ! {
        loop {
            report_fatal_error(&mut self, reason);
        }
    }
}

impl Tdcall for Seat {
    fn tdcall(&mut self, leaf: u64, registers: Registers) -> Registers {
        if self.is_simulated {
            self.ring0.tdcall_by_port(leaf, registers)
        } else {
            self.ring0.tdcall(leaf, registers)
        }
    }
}

impl Tdcall for Sleeper {
    fn tdcall(&mut self, leaf: u64, registers: Registers) -> Registers {
        let Self(Seat { ring0, is_simulated }) = self;
        if *is_simulated {
            ring0.tdcall_by_port_until_interrupt(leaf, registers)
        } else {
            ring0.tdcall_until_interrupt(leaf, registers)
        }
    }
}
