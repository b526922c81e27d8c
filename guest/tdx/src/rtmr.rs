//! Extending a run-time register.
//!
//! Spec: TDX Module ABI (348551), TDG.MR.RTMR.EXTEND (leaf 2): RCX is the address of 48 bytes, a multiple of 64, RDX the
//! register.

use crate::address::PrivatePage;
use crate::status::Refusal;
use crate::{Registers, Tdcall, call};

const RTMR_EXTEND: u64 = 2;
/// Run-time registers of a domain.
const REGISTERS: u8 = 4;
/// The number of RDX as an operand.
const RDX: u32 = 2;

/// Extends RTMR `register` with `digest`, by way of `page`: SHA-384 of the old value and `digest`. What is extended
/// cannot be taken back, so that nothing later can say that it was not there.
///
/// # Errors
/// There is no such register, or the module refuses; it is asked again while it is busy, [`crate::TRIES`] times at most.
pub fn extend(
    module: &mut impl Tdcall,
    page: &mut impl PrivatePage,
    register: u8,
    digest: &[u8; 48],
) -> Result<(), Refusal> {
    if register >= REGISTERS {
        return Err(Refusal::Operand(RDX));
    }
    page.write(0, digest);
    let registers = Registers { rcx: page.gpa(), rdx: register.into(), ..Registers::default() };
    call(module, RTMR_EXTEND, registers).map(drop)
}
