//! The instruction TDCALL, and an order by port that stands for it.
//!
//! Spec: TDX Module ABI (348551), TDCALL; Intel SDM vol. 2 (325383): 66 0F 01 CC, #UD outside a trust domain.

use crate::x86_64::Ring0;
use core::arch::asm;
use vial_abi::port::TDX_CALL;
use vial_tdx::Registers;

// The order has the number in its text.
const _: () = assert!(TDX_CALL == 0xF0);

/// A function that executes these instructions with all registers of a call.
macro_rules! call {
    ($(#[$doc:meta])* $name:ident, $($code:literal),+) => {
        $(#[$doc])*
        pub(super) fn $name(self, leaf: u64, registers: Registers) -> Registers {
            let Registers { mut rcx, mut rdx, mut r8, shared, .. } = registers;
            let (mut rax, [mut r10, mut r11, mut r12, mut r13, mut r14, mut r15]) = (leaf, shared);
            // SAFETY: ring 0 by `self`; the module writes no memory but what callers name in operands, private pages of theirs
            // (`vial_tdx::PrivatePage`), and no register but these: RBX, RBP, RSI, RDI and vectors keep their values, since
            // `vial_tdx::vmcall` never shares them with the host. Where interrupts are let in, the IDT is loaded before
            // anything waits, and the handler keeps all registers.
            unsafe {
                asm!($($code),+,
                    inout("rax") rax, inout("rcx") rcx, inout("rdx") rdx, inout("r8") r8, inout("r9") 0_u64 => _,
                    inout("r10") r10, inout("r11") r11, inout("r12") r12, inout("r13") r13, inout("r14") r14,
                    inout("r15") r15);
            }
            Registers { rax, rcx, rdx, r8, shared: [r10, r11, r12, r13, r14, r15] }
        }
    };
}

impl Ring0 {
    call!(
        /// TDCALL.
        tdcall, ".byte 0x66, 0x0F, 0x01, 0xCC"
    );
    call!(
        /// As [`Self::tdcall`] with interrupts on from it on until one was served.
        tdcall_until_interrupt, "sti", ".byte 0x66, 0x0F, 0x01, 0xCC", "cli"
    );
    call!(
        /// The order that stands for TDCALL.
        tdcall_by_port, "out 0xF0, al"
    );
    call!(
        /// As [`Self::tdcall_by_port`] with interrupts on from it on until one was served.
        tdcall_by_port_until_interrupt, "sti", "out 0xF0, al", "cli"
    );
}
