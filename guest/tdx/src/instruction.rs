//! Instructions that a domain cannot execute itself and asks the host for, by their VM exit reasons.
//!
//! Asking at once spares the #VE that the instruction would raise. All results are from the host: untrusted.
//!
//! Spec: GHCI (344426) §3.7 (#VE.RequestMMIO), §3.6 (CPUID), §3.8 (HLT), §3.9 (IO), §3.10 (RDMSR), §3.11 (WRMSR); Intel SDM vol. 3
//! (325384) appendix C (exit reasons).

use crate::Tdcall;
use crate::address::SharedGpa;
use crate::vmcall::{HostError, vmcall};

const CPUID: u64 = 10;
const HLT: u64 = 12;
const IO: u64 = 30;
const RDMSR: u64 = 31;
const WRMSR: u64 = 32;
const MMIO: u64 = 48;
const READ: u64 = 0;
const WRITE: u64 = 1;

/// Bytes of one access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// One byte.
    One,
    /// Two bytes.
    Two,
    /// Four bytes.
    Four,
    /// Eight bytes; no port has them.
    Eight,
}

impl Width {
    const fn bytes(self) -> u64 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    /// `value` without what lies above this width: the host may answer with anything there.
    const fn low(self, value: u64) -> u64 {
        value & (u64::MAX >> (64 - 8 * self.bytes()))
    }
}

/// Reads a port.
///
/// # Errors
/// [`HostError`]; eight bytes are refused without asking.
pub fn read_port(module: &mut impl Tdcall, port: u16, width: Width) -> Result<u64, HostError> {
    access(module, IO, port_width(width)?, [READ, port.into(), 0])
}

/// Writes the low bytes of `value` to a port.
///
/// # Errors
/// [`HostError`]; eight bytes are refused without asking.
pub fn write_port(module: &mut impl Tdcall, port: u16, width: Width, value: u64) -> Result<(), HostError> {
    access(module, IO, port_width(width)?, [WRITE, port.into(), width.low(value)]).map(drop)
}

/// Reads a device's register.
///
/// # Errors
/// [`HostError`].
pub fn read_mmio(module: &mut impl Tdcall, gpa: SharedGpa, width: Width) -> Result<u64, HostError> {
    access(module, MMIO, width, [READ, gpa.value(), 0])
}

/// Writes the low bytes of `value` to a device's register.
///
/// # Errors
/// [`HostError`].
pub fn write_mmio(
    module: &mut impl Tdcall,
    gpa: SharedGpa,
    width: Width,
    value: u64,
) -> Result<(), HostError> {
    access(module, MMIO, width, [WRITE, gpa.value(), width.low(value)]).map(drop)
}

/// Reads a model-specific register that the host keeps.
///
/// # Errors
/// [`HostError`].
pub fn read_msr(module: &mut impl Tdcall, register: u32) -> Result<u64, HostError> {
    vmcall(module, RDMSR, [register.into(), 0, 0, 0]).map(|[value, ..]| value)
}

/// Writes a model-specific register that the host keeps.
///
/// # Errors
/// [`HostError`].
pub fn write_msr(module: &mut impl Tdcall, register: u32, value: u64) -> Result<(), HostError> {
    vmcall(module, WRMSR, [register.into(), value, 0, 0]).map(drop)
}

/// What CPUID says in leaves that are the host's to answer: EAX, EBX, ECX and EDX.
///
/// # Errors
/// [`HostError`].
pub fn cpuid(module: &mut impl Tdcall, leaf: u32, subleaf: u32) -> Result<[u32; 4], HostError> {
    let [_, found @ ..] = vmcall(module, CPUID, [leaf.into(), subleaf.into(), 0, 0])?;
    Ok(found.map(|register| u32::try_from(Width::Four.low(register)).unwrap_or(0)))
}

/// Sleeps until an interrupt, or as the host likes: it may wake the cpu at any time and need not at all.
/// `are_interrupts_off` tells it that none can be taken, so that it lets the cpu be woken by one that is pending.
///
/// # Errors
/// [`HostError`].
pub fn halt(module: &mut impl Tdcall, are_interrupts_off: bool) -> Result<(), HostError> {
    vmcall(module, HLT, [are_interrupts_off.into(), 0, 0, 0]).map(drop)
}

const fn port_width(width: Width) -> Result<Width, HostError> {
    if matches!(width, Width::Eight) { Err(HostError::Operand) } else { Ok(width) }
}

fn access(module: &mut impl Tdcall, number: u64, width: Width, operands: [u64; 3]) -> Result<u64, HostError> {
    let [direction, place, value] = operands;
    let [answer, ..] = vmcall(module, number, [width.bytes(), direction, place, value])?;
    Ok(width.low(answer))
}
