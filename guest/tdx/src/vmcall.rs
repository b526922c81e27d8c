//! Calls of the host: TDG.VP.VMCALL (leaf 0).
//!
//! RCX says which registers the host sees and may change: R10 to R15, no others. R10 is zero for the calls of GHCI, R11
//! the call's number, R12 to R15 its operands; the host answers by a status in R10 and values from R11 on.
//!
//! Spec: GHCI (344426) §2.4.1 (TDG.VP.VMCALL), table of completion statuses.

use crate::status::{Refusal, checked};
use crate::{Registers, Tdcall};

const VMCALL: u64 = 0;
/// R10 to R15.
const SHARED_REGISTERS: u64 = 0xFC00;
const RETRY: u64 = 1;
const INVALID_OPERAND: u64 = 1 << 63;
const GPA_IN_USE: u64 = INVALID_OPERAND | 1;
const ALIGN_ERROR: u64 = INVALID_OPERAND | 2;

/// Why a call of the host came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostError {
    /// The module did not pass it on.
    Module(Refusal),
    /// The host says: again, from R11 on. From the host: untrusted.
    Retry(u64),
    /// The host does not take an operand, or we do not offer it.
    Operand,
    /// The host says that the address is in use.
    InUse,
    /// The host says that an address is not aligned.
    Unaligned,
    /// Any other status.
    Unknown(u64),
}

/// Calls the host; returns R11 and the registers after it. From the host: untrusted.
///
/// # Errors
/// [`HostError`]: whatever is no success.
pub fn vmcall(module: &mut impl Tdcall, number: u64, operands: [u64; 4]) -> Result<[u64; 5], HostError> {
    let [r12, r13, r14, r15] = operands;
    let shared = [0, number, r12, r13, r14, r15];
    let registers = Registers { rcx: SHARED_REGISTERS, shared, ..Registers::default() };
    let answer = module.tdcall(VMCALL, registers);
    checked(answer.rax).map_err(HostError::Module)?;
    let [status, values @ ..] = answer.shared;
    match status {
        0 => Ok(values),
        RETRY => Err(HostError::Retry(values[0])),
        INVALID_OPERAND => Err(HostError::Operand),
        GPA_IN_USE => Err(HostError::InUse),
        ALIGN_ERROR => Err(HostError::Unaligned),
        other => Err(HostError::Unknown(other)),
    }
}
