//! Why no guest of SEV-SNP starts.

use std::io::Error;

use vial_abi::launch_page::Tee;

use crate::machine::KvmError;
use crate::sev::firmware::meaning;

/// Why no guest of SEV-SNP starts. Nothing of it is left then but the memory, which is the caller's.
#[derive(Debug)]
#[non_exhaustive]
pub enum SevError {
    /// The secure processor's device does not open.
    Device(Error),
    /// The kernel or the host cannot do something.
    Missing {
        /// What was asked for.
        capability: &'static str,
        /// What the kernel said.
        found: i32,
        /// What it says where it can.
        expected: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// KVM refused something.
    Kvm(KvmError),
    /// The kernel or the secure processor refused a step of the launch.
    Step {
        /// The command.
        step: &'static str,
        /// Where, in guest physical memory; 0 where that means nothing.
        gpa: u64,
        /// What the kernel says.
        error: Error,
        /// The secure processor's error code; 0 if it was not asked.
        firmware: u32,
    },
    /// A step came to no end.
    Stalled {
        /// The command.
        step: &'static str,
        /// Where, in guest physical memory.
        gpa: u64,
    },
    /// The plan is another TEE's.
    Plan {
        /// The plan's TEE.
        found: Tee,
    },
    /// The launch page names another C-bit than the processor's.
    CBit {
        /// The launch page's.
        found: u8,
        /// The processor's.
        expected: u32,
    },
    /// A part of the plan is no whole pages of private memory.
    Place {
        /// First byte of the part.
        gpa: u64,
        /// Its length in bytes.
        bytes: u64,
    },
    /// Parts of the plan are not by rising address, or share pages.
    Order {
        /// First byte of the part.
        gpa: u64,
        /// First address it may have.
        expected: u64,
    },
    /// The kernel's features do not fit the CPUID page.
    Rows {
        /// How many there are.
        found: usize,
    },
    /// The secure processor wants CPUID to say something that is not less than the kernel supports.
    Cpuid {
        /// Leaf and subleaf; `None` where it changed what the rows are about.
        leaf: Option<(u32, u32)>,
        /// Which register, or part of the page.
        part: &'static str,
        /// What the page said.
        found: u32,
        /// What the secure processor expects.
        expected: u32,
    },
}

impl core::fmt::Display for SevError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Device(error) => {
                write!(f, "/dev/sev: found {error}, expected the secure processor's device")
            }
            Self::Missing { capability, found, expected, .. } => {
                write!(f, "/dev/kvm: {capability}: found {found:#x}, expected {expected}")
            }
            Self::Kvm(error) => write!(f, "{error}"),
            Self::Step { step, gpa, error, firmware } => write!(
                f,
                "{step} at {gpa:#x}: found {error}, firmware status {firmware:#x} ({}), expected success",
                meaning(*firmware)
            ),
            Self::Stalled { step, gpa } => {
                write!(f, "{step} at {gpa:#x}: found no progress, expected the kernel to load pages")
            }
            Self::Plan { found } => {
                write!(f, "load plan: found one of the TEE {found:?}, expected one of SEV-SNP")
            }
            Self::CBit { found, expected } => {
                write!(f, "launch page: found C-bit {found}, expected {expected}, which is this processor's")
            }
            Self::Place { gpa, bytes } => write!(
                f,
                "load plan: found {bytes} bytes at {gpa:#x}, expected whole pages of private memory"
            ),
            Self::Order { gpa, expected } => {
                write!(f, "load plan: found a part at {gpa:#x}, expected it at {expected:#x} or above")
            }
            Self::Rows { found } => write!(f, "CPUID page: found {found} rows, expected at most 64"),
            Self::Cpuid { leaf: Some((leaf, subleaf)), part, found, expected } => write!(
                f,
                "CPUID page: leaf {leaf:#x}.{subleaf:#x} {part}: found {found:#x}, expected {expected:#x} by the secure processor, which is no subset"
            ),
            Self::Cpuid { leaf: None, part, found, expected } => {
                write!(
                    f,
                    "CPUID page: {part}: found {found:#x}, expected {expected:#x} by the secure processor"
                )
            }
        }
    }
}

impl SevError {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Device(_) => "load the module ccp, and run as a user who may open the device",
            Self::Missing { hint, .. } => hint,
            Self::Step { .. } => "the policy may not fit the host: its cores may run two threads (--smt)",
            _ => "report this line",
        }
    }
}

impl core::error::Error for SevError {}

impl From<KvmError> for SevError {
    fn from(error: KvmError) -> Self {
        Self::Kvm(error)
    }
}
