//! Calls of ring 0.
#![expect(unsafe_code, reason = "the call gate, and ring 0 reads and writes through pointers")]

use core::arch::asm;
use vial_abi::call::{Call, CallError, REPORT_OUT_BYTES};
use vial_abi::report::ReportRequest;
use vial_abi::{ExitCode, Mark};

/// A worker cpu's first function.
pub type CpuEntry = extern "C" fn(argument: u64) -> !;

/// Ends the appliance.
pub fn exit(code: ExitCode) -> ! {
    loop {
        // SAFETY: takes no pointer.
        let _never = unsafe { call(Call::Exit, code.value().into(), 0, 0) };
    }
}

/// Prints one line of at most [`vial_abi::call::CONSOLE_MAX`] bytes. A line is for people only, so one that
/// ring 0 refuses is dropped.
pub fn console(line: &[u8]) {
    // SAFETY: `line` is readable for its length.
    let _dropped = unsafe { call(Call::Console, address(line), length(line), 0) };
}

/// Puts `mark` on the timeline.
pub fn mark(mark: Mark) {
    // SAFETY: takes no pointer.
    let _dropped = unsafe { call(Call::Mark, mark.value().into(), 0, 0) };
}

/// Asks the TEE for a report over `report_data`; for the boot program. Gives the length used of `out`.
///
/// # Errors
/// Why ring 0 or the TEE refused.
pub fn boot_report(report_data: &[u8; 64], out: &mut [u8; REPORT_OUT_BYTES]) -> Result<usize, CallError> {
    // SAFETY: 64 readable and `REPORT_OUT_BYTES` writable bytes, as the call asks.
    let used = unsafe { call(Call::BootReport, address(report_data), address(out), 0) }?;
    used_of(used, out)
}

/// Extends run-time register `register` with `digest`; for the boot program.
///
/// # Errors
/// Why ring 0 or the TDX module refused.
pub fn extend_register(register: u8, digest: &[u8; 48]) -> Result<(), CallError> {
    // SAFETY: 48 readable bytes, as the call asks.
    unsafe { call(Call::ExtendRegister, register.into(), address(digest), 0) }.map(drop)
}

/// Asks the TEE for a report over what the kernel composes with `request`; for the engine.
///
/// # Errors
/// Why ring 0 or the TEE refused.
pub fn report(request: &ReportRequest, out: &mut [u8; REPORT_OUT_BYTES]) -> Result<usize, CallError> {
    let request = request.encode();
    // SAFETY: an encoded request and `REPORT_OUT_BYTES` writable bytes, as the call asks.
    let used = unsafe { call(Call::Report, address(&request), address(out), 0) }?;
    used_of(used, out)
}

/// Leaves firmware for the kernel.
///
/// # Errors
/// Why ring 0 refused; it does not return otherwise.
pub fn hand_over(kernel_entry: u64, handoff: u64) -> CallError {
    // SAFETY: ring 0 takes the kernel's own place only; firmware does not run afterwards.
    let refused = unsafe { call(Call::HandOver, kernel_entry, handoff, 0) };
    refused.err().unwrap_or(CallError::BadArgument)
}

/// Sleeps until an interrupt, or until the time stamp counter passes `deadline_tsc` (`u64::MAX`: no deadline).
pub fn wait(deadline_tsc: u64) {
    // SAFETY: takes no pointer.
    let _woken = unsafe { call(Call::Wait, deadline_tsc, 0, 0) };
}

/// Starts a parked cpu.
///
/// # Errors
/// Why ring 0 refused: no such cpu, or it runs already.
pub fn start_cpu(cpu: u32, entry: CpuEntry, argument: u64) -> Result<(), CallError> {
    // SAFETY: a function that never returns, on a stack of its own. What it reaches through `argument` is its
    // own duty.
    unsafe { call(Call::StartCpu, cpu.into(), entry as *const () as u64, argument) }.map(drop)
}

/// Ends that cpu's [`wait`].
///
/// # Errors
/// No such cpu.
pub fn wake_cpu(cpu: u32) -> Result<(), CallError> {
    // SAFETY: takes no pointer.
    unsafe { call(Call::WakeCpu, cpu.into(), 0, 0) }.map(drop)
}

/// Reads a register of the virtio slots where they are not mapped; 0, which is no device, where ring 0 refuses.
#[must_use]
pub fn read_device(offset: u64) -> u32 {
    // SAFETY: takes no pointer.
    let read = unsafe { call(Call::ReadDevice, offset, 0, 0) };
    read.ok().and_then(|value| u32::try_from(value).ok()).unwrap_or(0)
}

/// Writes a register of the virtio slots where they are not mapped.
pub fn write_device(offset: u64, value: u32) {
    // SAFETY: takes no pointer; what the device does is the driver's duty, as where registers are mapped.
    let _refused = unsafe { call(Call::WriteDevice, offset, value.into(), 0) };
}

fn address(bytes: &[u8]) -> u64 {
    bytes.as_ptr().expose_provenance() as u64
}

fn length(bytes: &[u8]) -> u64 {
    bytes.len() as u64
}

fn used_of(used: u64, out: &[u8]) -> Result<usize, CallError> {
    usize::try_from(used).ok().filter(|&used| used <= out.len()).ok_or(CallError::BadRange)
}

/// Calls ring 0.
///
/// # Safety
/// Pointers among the arguments are valid for what `number` says ring 0 reads or writes.
unsafe fn call(number: Call, first: u64, second: u64, third: u64) -> Result<u64, CallError> {
    let result: i64;
    // SAFETY: ring 0 keeps every register but `rax` and runs on a stack of its own; pointers are the caller's
    // duty.
    unsafe {
        asm!("int 0x80", inlateout("rax") number.value() => result, in("rdi") first, in("rsi") second,
            in("rdx") third, options(nostack));
    }
    decode(result)
}

fn decode(result: i64) -> Result<u64, CallError> {
    u64::try_from(result).map_err(|_| CallError::from_value(result).unwrap_or(CallError::UnknownCall))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_results_are_errors_known_or_not() {
        assert_eq!(decode(7), Ok(7));
        assert_eq!(decode(CallError::NoTee.value()), Err(CallError::NoTee));
        assert_eq!(decode(-77), Err(CallError::UnknownCall));
    }

    #[test]
    fn a_length_past_the_buffer_is_refused() {
        assert_eq!(used_of(4, &[0; 4]), Ok(4));
        assert_eq!(used_of(5, &[0; 4]), Err(CallError::BadRange));
    }
}
