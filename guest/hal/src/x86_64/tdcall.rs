//! The instruction TDCALL.
//!
//! Spec: TDX Module ABI (348551), TDCALL; Intel SDM vol. 2 (325383): 66 0F 01 CC, #UD outside a trust domain.

use super::Ring0;
use crate::tdx::{Registers, Tdcall};
use core::arch::asm;

impl Tdcall for Ring0 {
    fn tdcall(&mut self, leaf: u64, registers: Registers) -> Registers {
        let Registers { mut rcx, mut rdx, mut r8, shared, .. } = registers;
        let (mut rax, [mut r10, mut r11, mut r12, mut r13, mut r14, mut r15]) = (leaf, shared);
        // SAFETY: the module writes no memory but what callers name in operands, private pages of theirs
        // (`tdx::PrivatePage`), and no register but these: RBX, RBP, RSI, RDI and vectors keep their values, since
        // `tdx::vmcall` never shares them with the host.
        unsafe {
            asm!(".byte 0x66, 0x0F, 0x01, 0xCC",
                inout("rax") rax, inout("rcx") rcx, inout("rdx") rdx, inout("r8") r8, inout("r9") 0_u64 => _,
                inout("r10") r10, inout("r11") r11, inout("r12") r12, inout("r13") r13, inout("r14") r14,
                inout("r15") r15, options(nostack));
        }
        Registers { rax, rcx, rdx, r8, shared: [r10, r11, r12, r13, r14, r15] }
    }
}
