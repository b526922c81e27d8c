//! The host: what it is asked for by TDG.VP.VMCALL. Spec: GHCI (344426) §3; numbers of instructions are exit reasons of Intel SDM
//! vol. 3 (325384) appendix C.

use core::ops::Range;

use crate::pages::{Mapping, PAGE, Pages};
use crate::quoting::{self, Signer};

const CPUID: u64 = 10;
const HLT: u64 = 12;
const IO: u64 = 30;
const RDMSR: u64 = 31;
const WRMSR: u64 = 32;
const MMIO: u64 = 48;
const MAP_GPA: u64 = 0x10001;
const GET_QUOTE: u64 = 0x10002;
const REPORT_FATAL_ERROR: u64 = 0x10003;
const SUCCESS: u64 = 0;
const INVALID_OPERAND: u64 = 1 << 63;
const ALIGN_ERROR: u64 = INVALID_OPERAND | 2;
const READ: u64 = 0;
const WRITE: u64 = 1;

/// What the guest did that the specifications do not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("trust domain: {0}")]
pub struct Offence(pub String);

pub(crate) fn offence<T>(what: core::fmt::Arguments<'_>) -> Result<T, Offence> {
    Err(Offence(what.to_string()))
}

/// What the host passes calls on to.
pub trait Around {
    /// Reads shared memory, by its address without the shared bit; `None` where there is none.
    fn read(&self, pa: u64, to: &mut [u8]) -> Option<()>;
    /// Writes shared memory.
    fn write(&mut self, pa: u64, from: &[u8]) -> Option<()>;
    /// A write to a port.
    fn out(&mut self, port: u16, bytes: &[u8]);
    /// A read of a port.
    fn input(&mut self, port: u16, bytes: &mut [u8]);
    /// A write to a device.
    fn write_device(&mut self, pa: u64, bytes: &[u8]);
    /// A read of a device.
    fn read_device(&mut self, pa: u64, bytes: &mut [u8]);
    /// Writes a model-specific register; `None` where the guest may not.
    fn write_msr(&mut self, register: u32, value: u64) -> Option<()>;
    /// Reads one.
    fn read_msr(&mut self, register: u32) -> Option<u64>;
    /// What CPUID says in the hypervisor's leaves.
    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4];
}

/// What becomes of the cpu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It goes on.
    Resumed,
    /// It waits for an interrupt.
    Halted,
    /// The guest wants to end, for a reason of its own.
    Ended(u8),
}

/// What is around all cpus.
pub struct Host {
    /// The bit of guest physical addresses that says shared.
    pub shared_bit: u8,
    /// Memory that it can share.
    pub shareable: Vec<Range<u64>>,
    /// The quoting service.
    pub signer: Signer,
    /// It shares nothing: for tests.
    pub is_unwilling: bool,
}

impl core::fmt::Debug for Host {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Host").field("shared_bit", &self.shared_bit).finish_non_exhaustive()
    }
}

/// Answers that are R10 and R11 alone.
type Answer = Result<[u64; 6], Offence>;

const fn answer(status: u64, value: u64) -> [u64; 6] {
    [status, value, 0, 0, 0, 0]
}

impl Host {
    /// Serves a call with these R10 to R15; gives those that go back.
    ///
    /// # Errors
    /// What is not allowed.
    pub fn serve(
        &mut self,
        pages: &mut Pages,
        seen: [u64; 6],
        around: &mut impl Around,
    ) -> Result<([u64; 6], Then), Offence> {
        let [kind, number, operands @ ..] = seen;
        if kind != 0 {
            return offence(format_args!("calls of the vendor {kind:#x}"));
        }
        let answer = match (number, operands) {
            (HLT, [0, ..]) => return Ok((answer(SUCCESS, 0), Then::Halted)),
            (REPORT_FATAL_ERROR, [reason, ..]) => {
                return Ok((answer(SUCCESS, 0), Then::Ended(reason.to_le_bytes()[0])));
            }
            (CPUID, [leaf, subleaf, ..]) => cpuid(around, leaf, subleaf),
            (IO, operands) => port(around, operands),
            (RDMSR, [register, ..]) => Ok(read_msr(around, register)),
            (WRMSR, [register, value, ..]) => Ok(write_msr(around, register, value)),
            (MMIO, operands) => self.device(around, operands),
            (MAP_GPA, [gpa, bytes, ..]) => self.map(pages, gpa, bytes),
            (GET_QUOTE, [gpa, bytes, ..]) => self.quote(pages, around, gpa, bytes),
            other => offence(format_args!("calls {other:x?}")),
        };
        Ok((answer?, Then::Resumed))
    }

    /// The address without the bit; none where it is private.
    const fn shared(&self, gpa: u64) -> Option<u64> {
        let bit = 1 << self.shared_bit;
        if gpa & bit == 0 { None } else { Some(gpa & !bit) }
    }

    fn device(&self, around: &mut impl Around, [bytes, direction, gpa, value]: [u64; 4]) -> Answer {
        let Some(pa) = self.shared(gpa) else { return offence(format_args!("device at {gpa:#x}, private")) };
        let Some(len) = width(bytes) else { return offence(format_args!("device: {bytes} bytes")) };
        let mut buffer = value.to_le_bytes();
        match direction {
            WRITE => around.write_device(pa, &buffer[..len]),
            READ => {
                buffer.fill(0);
                around.read_device(pa, &mut buffer[..len]);
            }
            other => return offence(format_args!("device: direction {other}")),
        }
        Ok(answer(SUCCESS, u64::from_le_bytes(buffer)))
    }

    /// Spec: §3.2. What becomes private is added anew, and accepted anew.
    fn map(&self, pages: &mut Pages, gpa: u64, bytes: u64) -> Answer {
        let (pa, is_shared) = self.shared(gpa).map_or((gpa, false), |pa| (pa, true));
        let range = pa..pa.saturating_add(bytes);
        if !pa.is_multiple_of(PAGE) || !bytes.is_multiple_of(PAGE) || bytes == 0 {
            return Ok(answer(ALIGN_ERROR, gpa));
        }
        let can = self.shareable.iter().any(|it| it.start <= range.start && range.end <= it.end);
        if self.is_unwilling || !can {
            return Ok(answer(INVALID_OPERAND, gpa));
        }
        if is_shared {
            pages.set(range, Mapping::Shared);
        } else {
            pages.augment(range);
        }
        Ok(answer(SUCCESS, 0))
    }

    fn quote(&mut self, pages: &Pages, around: &mut impl Around, gpa: u64, bytes: u64) -> Answer {
        let pa =
            self.shared(gpa).filter(|pa| pa.is_multiple_of(PAGE) && bytes.is_multiple_of(PAGE) && bytes > 0);
        let Some(pa) = pa else { return Ok(answer(INVALID_OPERAND, gpa)) };
        if !pages.are(pa..pa.saturating_add(bytes), |page| page == Mapping::Shared) {
            return offence(format_args!("quote through {pa:#x}, which is not shared"));
        }
        quoting::serve(&mut self.signer, around, pa, bytes)?;
        Ok(answer(SUCCESS, 0))
    }
}

/// Leaves that the module does not answer itself.
fn cpuid(around: &impl Around, leaf: u64, subleaf: u64) -> Answer {
    match (u32::try_from(leaf), u32::try_from(subleaf)) {
        (Ok(leaf @ 0x4000_0000..=0x4FFF_FFFF), Ok(subleaf)) => {
            let [a, b, c, d] = around.cpuid(leaf, subleaf).map(u64::from);
            Ok([SUCCESS, 0, a, b, c, d])
        }
        _ => offence(format_args!("asks the host for CPUID {leaf:#x}, which is the module's to say")),
    }
}

fn port(around: &mut impl Around, [bytes, direction, port, value]: [u64; 4]) -> Answer {
    let (Some(len @ 1..=4), Ok(number)) = (width(bytes), u16::try_from(port)) else {
        return offence(format_args!("port {port:#x}: {bytes} bytes"));
    };
    let mut buffer = value.to_le_bytes();
    match direction {
        WRITE => around.out(number, &buffer[..len]),
        READ => {
            buffer.fill(0);
            around.input(number, &mut buffer[..len]);
        }
        other => return offence(format_args!("port {port:#x}: direction {other}")),
    }
    Ok(answer(SUCCESS, u64::from_le_bytes(buffer)))
}

fn read_msr(around: &mut impl Around, register: u64) -> [u64; 6] {
    let value = u32::try_from(register).ok().and_then(|register| around.read_msr(register));
    value.map_or(answer(INVALID_OPERAND, 0), |value| answer(SUCCESS, value))
}

fn write_msr(around: &mut impl Around, register: u64, value: u64) -> [u64; 6] {
    let written = u32::try_from(register).ok().and_then(|register| around.write_msr(register, value));
    answer(if written.is_some() { SUCCESS } else { INVALID_OPERAND }, 0)
}

fn width(bytes: u64) -> Option<usize> {
    usize::try_from(bytes).ok().filter(|bytes| matches!(bytes, 1 | 2 | 4 | 8))
}
