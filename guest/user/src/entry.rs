//! A program's first instruction, its panics, and the macro that joins both with its main function.
#![cfg_attr(feature = "freestanding", expect(unsafe_code, reason = "the program's entry symbol"))]

use crate::{Heap, console, syscall};
use core::panic::PanicInfo;
use vial_abi::ExitCode;

// First byte of the image, see boot.ld and engine.ld. Ring 0 leaves the argument in `rdi`.
#[cfg(feature = "freestanding")]
core::arch::global_asm!(
    ".section .text.start, \"ax\"",
    ".global _start",
    "_start:",
    "xor ebp, ebp",
    "and rsp, -16",
    "call vial_main",
    "ud2",
);

/// The toolchain's `alloc` was built to unwind and names this; programs here abort, so it never runs.
#[cfg(feature = "freestanding")]
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    syscall::exit(ExitCode::EnginePanic)
}

/// As above: the toolchain's arithmetic for wide numbers names it.
#[cfg(feature = "freestanding")]
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() -> ! {
    syscall::exit(ExitCode::EnginePanic)
}

/// Makes a freestanding program of a main function `fn(Memory, &'static Heap) -> !`.
///
/// `view` is how the program sees physical memory, [`crate::memory::View`]. `panic` ends the program after one
/// line with the place of a panic, never its message, which could hold content; `out_of_memory` after an
/// allocation that failed.
#[macro_export]
macro_rules! program {
    ($main:path, view: $view:expr, panic: $panic:expr, out_of_memory: $out_of_memory:expr $(,)?) => {
        #[global_allocator]
        static HEAP: $crate::Heap = $crate::Heap::empty();

        #[expect(unsafe_code, reason = "called by the first instruction, once")]
        #[unsafe(no_mangle)]
        extern "C" fn vial_main(argument: u64) -> ! {
            let main: fn($crate::Memory, &'static $crate::Heap) -> ! = $main;
            // SAFETY: ring 0 started this program, which has no other memory, with this view and argument.
            let memory = unsafe { $crate::Memory::assume($view, argument) };
            main(memory, &HEAP)
        }

        #[panic_handler]
        fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
            $crate::panicked(info, &HEAP, $panic, $out_of_memory)
        }
    };
}

/// Ends the program after a panic.
#[doc(hidden)]
pub fn panicked(info: &PanicInfo<'_>, heap: &Heap, panic: ExitCode, out_of_memory: ExitCode) -> ! {
    let Some(place) = info.location() else { syscall::exit(panic) };
    // On failure the standard library's allocation hook panics from its own source.
    if place.file().ends_with("alloc/src/alloc.rs") {
        console::print(format_args!("{}: asked for {} bytes", out_of_memory.text(), heap.refused_bytes()));
        syscall::exit(out_of_memory)
    }
    console::print(format_args!("{}: {}:{}", panic.text(), place.file(), place.line()));
    syscall::exit(panic)
}
