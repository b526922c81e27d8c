//! What ring 0 needs of the machine, as small traits; `x86_64` offers them, `fake` records them.

use crate::range::{UserInput, UserOutput};
use vial_abi::Mark;
use vial_abi::call::CallError;

/// I/O ports.
pub trait Ports {
    /// Writes a byte.
    fn write_u8(&mut self, port: u16, value: u8);
    /// Writes four bytes.
    fn write_u32(&mut self, port: u16, value: u32);
    /// Reads a byte. From the host: untrusted.
    fn read_u8(&mut self, port: u16) -> u8;
}

/// Model-specific registers.
pub trait Msrs {
    /// Reads a register. From the host: untrusted.
    fn read_msr(&self, register: u32) -> u64;
    /// Writes a register.
    fn write_msr(&mut self, register: u32, value: u64);
}

/// Registers `eax`, `ebx`, `ecx`, `edx` of a `cpuid` leaf.
pub trait CpuId {
    /// Asks the processor. From the host: untrusted.
    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4];
}

/// Ring 3's memory, behind checked ranges only.
pub trait UserMemory {
    /// Copies `from` to the start of `to`; returns the bytes copied, the shorter of both lengths.
    fn copy_in(&self, from: UserInput, to: &mut [u8]) -> usize;
    /// Copies `from` to the start of `to`; returns the bytes copied, the shorter of both lengths.
    fn copy_out(&mut self, to: UserOutput, from: &[u8]) -> usize;
}

/// Console and timeline.
pub trait Console {
    /// Prints one line.
    fn line(&mut self, text: &[u8]);
    /// Puts a mark on the timeline.
    fn mark(&mut self, mark: Mark);
}

/// The TEE.
pub trait Tee {
    /// Obtains a report over `report_data` and passes the whole response to `deliver`, in private memory.
    ///
    /// # Errors
    /// [`CallError::NoTee`]; [`CallError::ForeignQuote`].
    fn report(
        &mut self,
        report_data: &[u8; 64],
        deliver: impl FnOnce(&mut Self, &[u8]) -> u64,
    ) -> Result<u64, CallError>;
}

/// Run-time measurement registers.
pub trait Registers {
    /// Extends one, 0 to 3.
    ///
    /// # Errors
    /// [`CallError::UnknownCall`] where there are none; [`CallError::NoTee`].
    fn extend(&mut self, register: u8, digest: &[u8; 48]) -> Result<(), CallError>;
}

/// Devices whose registers ring 3 does not see.
pub trait Devices {
    /// Reads the 32-bit register at `offset` of the virtio slots. From the host: untrusted.
    ///
    /// # Errors
    /// [`CallError::UnknownCall`] where ring 3 sees them.
    fn read_device(&mut self, offset: u64) -> Result<u32, CallError>;
    /// Writes such a register.
    ///
    /// # Errors
    /// [`CallError::UnknownCall`] where ring 3 sees them.
    fn write_device(&mut self, offset: u64, value: u32) -> Result<(), CallError>;
}

/// Waiting and other cpus.
pub trait Cpus {
    /// Sleeps until an interrupt, or until the time stamp counter passes `deadline`.
    fn wait(&mut self, deadline: u64);
    /// Starts `cpu` in ring 3.
    ///
    /// # Errors
    /// [`CallError::BadArgument`] if it runs already.
    fn start(&mut self, cpu: u32, entry: u64, argument: u64) -> Result<(), CallError>;
    /// Ends that cpu's wait.
    fn wake(&mut self, cpu: u32);
}
