//! Turning memory from private to shared and back.
//!
//! The host does it, so an answer of success proves nothing: private memory is ours only when it was accepted
//! ([`crate::accept`]), and what is shared holds whatever the host writes.
//!
//! Spec: GHCI (344426) §3.2 (MapGPA, 0x10001): R12 is the address, its shared bit says which, R13 the length; by
//! retry the host asks to go on at the address in R11.

use crate::Tdcall;
use crate::address::{SharedBit, SharedGpa};
use crate::vmcall::{HostError, vmcall};
use vial_abi::memory::PAGE;

const MAP_GPA: u64 = 0x10001;
/// Retries that bring nothing, before the host is given up.
const STANDSTILLS: u32 = 8;

/// Asks the host to share `bytes` of memory from `gpa` on.
///
/// # Errors
/// [`HostError`]; [`HostError::Retry`] where it only ever says so, or names an address outside or behind.
pub fn share(module: &mut impl Tdcall, gpa: SharedGpa, bytes: u64) -> Result<(), HostError> {
    map(module, gpa.value(), bytes)
}

/// Asks the host to make `bytes` of memory from `gpa` on private; it must be accepted before it is used.
///
/// # Errors
/// As [`share`]; [`HostError::Operand`] for an address with the shared bit.
pub fn make_private(module: &mut impl Tdcall, bit: SharedBit, gpa: u64, bytes: u64) -> Result<(), HostError> {
    if bit.is_private(gpa) { map(module, gpa, bytes) } else { Err(HostError::Operand) }
}

fn map(module: &mut impl Tdcall, from: u64, bytes: u64) -> Result<(), HostError> {
    let end = from.checked_add(bytes).ok_or(HostError::Operand)?;
    if !from.is_multiple_of(PAGE) || !end.is_multiple_of(PAGE) {
        return Err(HostError::Unaligned);
    }
    let (mut gpa, mut standstills) = (from, 0);
    loop {
        let next = match vmcall(module, MAP_GPA, [gpa, end - gpa, 0, 0]) {
            Err(HostError::Retry(next)) => next,
            result => return result.map(drop),
        };
        standstills = if next == gpa { standstills + 1 } else { 0 };
        if !(gpa..end).contains(&next) || !next.is_multiple_of(PAGE) || standstills == STANDSTILLS {
            return Err(HostError::Retry(next));
        }
        gpa = next;
    }
}
