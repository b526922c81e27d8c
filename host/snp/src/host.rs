//! The host: what the register alone asks for, and whose memory is whose. Spec: AMD 56421 rev 2.03 §2.3.1.

use crate::exit::{self, Then};
use crate::ownership::{Ownership, Size, State};
use crate::processor::SecureProcessor;

/// What the guest did that the specifications do not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("guest of SEV-SNP: {0}")]
pub struct Offence(pub String);

/// What the host passes exits on to.
pub trait Around {
    /// Reads shared memory; `None` where there is none.
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
}

/// One cpu as its host knows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    /// The register through which guest and host speak.
    pub register: u64,
    pub(crate) ghcb: Option<u64>,
}

/// What is around all cpus.
#[derive(Debug)]
pub struct Host {
    /// Whose each page is.
    pub ownership: Ownership,
    /// The secure processor.
    pub processor: SecureProcessor,
    /// Certificates it adds to reports, as whole pages.
    pub certificates: Vec<u8>,
    /// The C-bit.
    pub c_bit: u8,
    /// It says that it has changed pages, and has not: for tests.
    pub is_forgetful: bool,
}

impl Host {
    /// Serves an exit of `cpu`.
    ///
    /// # Errors
    /// What is not allowed.
    pub fn exit(&mut self, cpu: &mut Cpu, around: &mut impl Around) -> Result<Then, Offence> {
        if cpu.register & 0xFFF == 0 { exit::serve(self, cpu, around) } else { self.say(cpu) }
    }

    /// The part of the protocol that needs no page.
    fn say(&mut self, cpu: &mut Cpu) -> Result<Then, Offence> {
        let asked = cpu.register;
        let page = asked & 0x000F_FFFF_FFFF_F000;
        cpu.register = match asked & 0xFFF {
            0x002 => 2 << 48 | 1 << 32 | u64::from(self.c_bit) << 24 | 0x001,
            0x012 => self.registered(cpu, page)?,
            0x014 => self.changed(page, asked >> 52)?,
            // SEV-SNP alone: no AP creation, no restricted injection.
            0x080 => 1 << 12 | 0x081,
            0x100 => return Ok(Then::Ended((asked >> 16 & 0xFF) as u8)),
            other => return offence(format_args!("asks by register for {other:#x}")),
        };
        Ok(Then::Resumed)
    }

    fn registered(&self, cpu: &mut Cpu, page: u64) -> Result<u64, Offence> {
        if self.ownership.of(page) != State::Shared {
            return offence(format_args!("registers a GHCB at {page:#x}, which is private"));
        }
        cpu.ghcb = Some(page);
        Ok(page | 0x013)
    }

    fn changed(&mut self, page: u64, operation: u64) -> Result<u64, Offence> {
        let is_private = match operation {
            1 => true,
            2 => false,
            other => return offence(format_args!("asks for page state {other}")),
        };
        let done = self.ownership.change(page, Size::Small, is_private);
        Ok(if done.is_some() { 0x015 } else { 1 << 32 | 0x015 })
    }
}

pub(crate) fn offence<T>(what: core::fmt::Arguments<'_>) -> Result<T, Offence> {
    Err(Offence(what.to_string()))
}
