//! The instructions and the memory that all the rest is made of.

use vial_abi::ExitCode;

/// A cpu of the guest, and memory that it shares with its host.
pub trait Processor {
    /// Reads the GHCB's register. From the host: untrusted.
    fn register(&self) -> u64;
    /// Writes it.
    fn set_register(&mut self, value: u64);
    /// Leaves the guest until the host has done what the register asks for: VMGEXIT.
    fn exit(&mut self);
    /// As [`Self::exit`] with interrupts on, which are off again afterwards.
    fn exit_until_interrupt(&mut self);
    /// Tells the processor that the page mapped at `va` is the guest's own, or is given up.
    ///
    /// # Errors
    /// Each variant of [`Invalid`].
    fn pvalidate(&mut self, va: u64, size: PageSize, is_valid: bool) -> Result<(), Invalid>;
    /// Reads eight bytes of a shared page at a physical address. From the host: untrusted, and another value the next time.
    fn shared(&self, pa: u64) -> u64;
    /// Writes eight bytes of a shared page.
    fn set_shared(&mut self, pa: u64, value: u64);
}

/// Size of a page that is validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageSize {
    /// 4 KiB.
    Small,
    /// 2 MiB.
    Large,
}

/// Why a page was not validated. Spec: AMD 24594 (APM vol. 3) rev 3.36, PVALIDATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// The host backs a large page by small ones.
    Size,
    /// It is so already: the host has put other memory at an address that was validated before.
    Unchanged,
    /// Anything else.
    Failed,
}

/// Why a guest does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The host speaks no version of the protocol that this guest speaks, or names another C-bit.
    Protocol,
    /// The host refused what every guest needs.
    Host,
    /// Memory is not this guest's own.
    Memory,
    /// A page of the secure processor is not as it must be.
    Page,
    /// The secure processor gave no report.
    Report,
}

impl Refusal {
    /// The code the appliance ends with.
    #[must_use]
    pub const fn code(self) -> ExitCode {
        match self {
            Self::Protocol | Self::Host => ExitCode::SnpHost,
            Self::Memory => ExitCode::SnpMemory,
            Self::Page => ExitCode::SnpPage,
            Self::Report => ExitCode::NoReport,
        }
    }
}
