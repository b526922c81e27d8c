//! First instruction, calls, and the raw accesses that the tests are about.
#![expect(unsafe_code, reason = "calls of ring 0, and accesses that must fault")]
#![expect(clippy::cast_possible_truncation, reason = "addresses are 64 bits wide here")]

use crate::case::FAILED;
use core::arch::{asm, global_asm};
use vial_abi::call::Call;

unsafe extern "C" {
    /// Address of the program's first instruction.
    fn vial_test_start();
}

// The first byte of the text; `rdi` passes through.
global_asm!(
    ".section .text.vial_test_start, \"ax\"",
    ".global vial_test_start",
    "vial_test_start:",
    "call vial_test_main",
    "ud2",
    ".global vial_test_cpu",
    "vial_test_cpu:",
    "mov rsi, rsp",
    "jmp vial_test_cpu_main",
);

/// Address of the program's text.
#[must_use]
pub fn text() -> u64 {
    (vial_test_start as *const ()).addr() as u64
}

/// Makes a call with any number and arguments.
pub fn raw_call(number: u64, [first, second, third]: [u64; 3]) -> i64 {
    let result;
    // SAFETY: ring 0 writes only to buffers named by the arguments, which tests own.
    unsafe {
        asm!("int 0x80", inout("rax") number => result, in("rdi") first, in("rsi") second, in("rdx") third);
    }
    result
}

/// Makes a call.
pub fn call(call: Call, arguments: [u64; 3]) -> i64 {
    raw_call(call.value(), arguments)
}

/// Ends the program.
pub fn exit(code: u8) -> ! {
    loop {
        call(Call::Exit, [code.into(), 0, 0]);
    }
}

/// Ends the program with the check's number if it failed.
pub fn check(number: u8, is_met: bool) {
    if !is_met {
        exit(FAILED + number);
    }
}

/// Reads any address.
#[must_use]
pub fn read(address: u64) -> u8 {
    // SAFETY: a test of what ring 0 lets through.
    unsafe { core::ptr::with_exposed_provenance::<u8>(address as usize).read_volatile() }
}

/// Writes any address.
pub fn write(address: u64, value: u8) {
    // SAFETY: a test of what ring 0 lets through; tests write only memory they own or that must fault.
    unsafe { core::ptr::with_exposed_provenance_mut::<u8>(address as usize).write_volatile(value) }
}

/// Copies bytes to any address.
pub fn copy(to: u64, bytes: &[u8]) {
    for (at, &byte) in (to..).zip(bytes) {
        write(at, byte);
    }
}

/// Copies a page out.
#[must_use]
pub fn page(address: u64) -> [u8; 4096] {
    // SAFETY: callers name the launch or handoff page, which nobody writes meanwhile.
    unsafe { core::ptr::with_exposed_provenance::<[u8; 4096]>(address as usize).read_volatile() }
}

/// Calls any address as a function.
pub fn execute(address: u64) {
    // SAFETY: a test of what ring 0 lets through; the bytes there are a return.
    unsafe { asm!("call {}", in(reg) address, clobber_abi("C")) }
}

/// Executes an undefined instruction.
pub fn undefined() {
    // SAFETY: faults.
    unsafe { asm!("ud2") }
}

/// Executes a privileged instruction.
pub fn privileged() {
    // SAFETY: faults in ring 3.
    unsafe { asm!("cli") }
}

/// Writes to a port.
pub fn port() {
    // SAFETY: faults in ring 3.
    unsafe { asm!("out 0xF4, al", in("al") crate::case::SURVIVED) }
}

/// Time stamp counter.
#[must_use]
pub fn tsc() -> u64 {
    // SAFETY: every x86-64 processor counts.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// The widest vector registers, in bytes, that work; faults if they are announced but not enabled.
#[must_use]
pub fn vector_bytes() -> u64 {
    let states = enabled_states();
    // SAFETY: no vector register is in use in this soft-float program; here and below a fault is a failed test.
    unsafe { asm!("pxor xmm0, xmm0") };
    if states & 0b100 == 0 {
        return 16;
    }
    // SAFETY: as above.
    unsafe { asm!("vpxor ymm1, ymm1, ymm1", "vpaddd ymm0, ymm1, ymm1") };
    if states & 0b1110_0000 != 0b1110_0000 {
        return 32;
    }
    // SAFETY: as above.
    unsafe { asm!("vpaddd zmm16, zmm16, zmm16") };
    64
}

/// XCR0, or its reset value where XSAVE is not enabled.
fn enabled_states() -> u32 {
    const OSXSAVE: u32 = 1 << 27;
    if core::arch::x86_64::__cpuid(1).ecx & OSXSAVE == 0 {
        return 1;
    }
    let states;
    // SAFETY: XGETBV works where OSXSAVE is set.
    unsafe { asm!("xgetbv", in("ecx") 0, out("eax") states, out("edx") _) };
    states
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    exit(127)
}
