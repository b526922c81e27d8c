//! The way into ring 0: stubs, and what they call.

use super::machine;
use super::secure::secure;
use super::user::opcode;
use super::{Hardware, LocalApic, Ring0};
use crate::apic::{ApicRegisters as _, Register};
use crate::platform::CpuId as _;
use crate::trap::{Frame, Meaning, Report};

#[cfg(target_os = "none")]
unsafe extern "C" {
    /// First of the stubs in `entry.rs`.
    static vial_trap_stubs: u8;
    /// Serves a call of ring 3: result to `rax`. Each program with this crate defines it.
    fn vial_call(frame: &mut Frame);
}

/// Address of the first stub.
#[cfg(target_os = "none")]
pub(super) fn stubs() -> u64 {
    (&raw const vial_trap_stubs).addr() as u64
}

#[cfg(not(target_os = "none"))]
pub(super) fn stubs() -> u64 {
    0
}

/// Called by the stubs with interrupts off.
#[unsafe(no_mangle)]
extern "C" fn vial_trap(frame: &mut Frame) {
    match frame.meaning(secure().is_some(), opcode) {
        Meaning::Call => call(frame),
        Meaning::CpuId => cpuid(frame),
        Meaning::Wake => {
            frame.mask_interrupts();
            LocalApic::current().write(Register::EndOfInterrupt, 0);
        }
        Meaning::Spurious => frame.mask_interrupts(),
        Meaning::Fatal => fatal(frame),
    }
}

#[cfg(target_os = "none")]
fn call(frame: &mut Frame) {
    // SAFETY: the program defines the symbol with this signature.
    unsafe { vial_call(frame) }
}

#[cfg(not(target_os = "none"))]
fn call(_frame: &mut Frame) {}

/// Answers CPUID for ring 3; a register's upper half is cleared, as the instruction does.
fn cpuid(frame: &mut Frame) {
    // SAFETY: trap handlers run in ring 0.
    let ring0 = unsafe { Ring0::assume() };
    let found = ring0.cpuid(frame.rax as u32, frame.rcx as u32);
    [frame.rax, frame.rbx, frame.rcx, frame.rdx] = found.map(u64::from);
}

/// Prints registers, no memory, and ends the appliance.
fn fatal(frame: &Frame) -> ! {
    // SAFETY: trap handlers run in ring 0, and this one ends the machine.
    let ring0 = unsafe { Ring0::assume() };
    let report = Report { frame, cr2: ring0.fault_address() };
    Hardware::print(ring0, format_args!("{report}"));
    machine::exit(ring0, vial_abi::ExitCode::Trap.value())
}
