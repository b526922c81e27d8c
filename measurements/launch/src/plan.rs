//! Firmware segments and launch page as ranges of guest memory.

use alloc::vec::Vec;

use vial_abi::LaunchPage;
use vial_abi::launch_page::Tee;
use vial_abi::memory::{BOOT_STACK_TOP_PA, CPUID_PA, LAUNCH_PAGE_PA, OTHER_CPUS_PA, PAGE, ROM_TEXT_PA};

use crate::digest::{LaunchDigest, measure};
use crate::firmware::Firmware;
use crate::part::{self, Part};
use crate::start::StartState;
use crate::tdx;

/// Where the other cpus start with SEV-SNP and TDX, in bytes behind the entry.
pub(crate) const OTHER_CPUS_ENTRY: u32 = 16;

/// Consecutive measured pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Guest physical address of the first byte; a multiple of 4 KiB.
    pub gpa: u64,
    /// Contents, padded with zeros to whole pages.
    pub bytes: Vec<u8>,
}

/// Everything loaded and measured before the first instruction.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    ranges: Vec<Range>,
    entry: u32,
    start: StartState,
    other_start: StartState,
    cpus: u32,
    tee: Tee,
}

/// Why no plan can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// The firmware is no ELF file this plan understands.
    Form {
        /// The part at fault.
        field: &'static str,
    },
    /// A segment lies outside firmware's area of the memory map.
    Place {
        /// First byte of the segment.
        gpa: u64,
        /// Its length in memory.
        bytes: u64,
    },
    /// Two segments share a page.
    Overlap {
        /// The page they share.
        gpa: u64,
    },
}

impl core::fmt::Display for PlanError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Form { field } => write!(f, "firmware {field}: not what a PVH firmware ELF has"),
            Self::Place { gpa, bytes } => write!(
                f,
                "firmware segment: found {bytes} bytes at {gpa:#x}, expected between {ROM_TEXT_PA:#x} and {BOOT_STACK_TOP_PA:#x}"
            ),
            Self::Overlap { gpa } => write!(f, "firmware segments: two share the page at {gpa:#x}"),
        }
    }
}

impl core::error::Error for PlanError {}

impl LoadPlan {
    /// The plan for `firmware` (ELF bytes) started with `launch`.
    ///
    /// # Errors
    /// The firmware is malformed, lies outside its area, or its segments share a page.
    pub fn new(firmware: &[u8], launch: &LaunchPage) -> Result<Self, PlanError> {
        let firmware = Firmware::parse(firmware)?;
        let mut ranges = firmware.ranges;
        ranges.push(Range { gpa: LAUNCH_PAGE_PA, bytes: launch.encode().to_vec() });
        ranges.sort_by_key(|range| range.gpa);
        refuse_overlap(&ranges)?;
        if launch.tee.is_confidential() {
            refuse_secure_pages(&ranges)?;
        }
        let entry = firmware.entry;
        let [start, other_start] = if launch.tee.is_tdx() {
            [StartState::domain(); 2]
        } else if launch.tee.is_snp() {
            [entry, entry.saturating_add(OTHER_CPUS_ENTRY)].map(StartState::pvh)
        } else {
            [StartState::pvh(entry), StartState::reset()]
        };
        Ok(Self { ranges, entry, start, other_start, cpus: launch.cpus, tee: launch.tee })
    }

    /// Firmware's 32-bit entry.
    pub(crate) fn entry(&self) -> u32 {
        self.entry
    }

    /// What is copied into guest memory, by rising address.
    #[must_use]
    pub fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// All that is loaded, by rising address: the order of measuring.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        if self.tee.is_tdx() {
            tdx::parts(self)
        } else if self.tee.is_snp() {
            part::snp(&self.ranges)
        } else {
            part::plain(&self.ranges)
        }
    }

    /// The TEE that the launch page names.
    #[must_use]
    pub fn tee(&self) -> Tee {
        self.tee
    }

    /// Registers of cpu 0. The others wait for INIT and SIPI. With TDX they are the module's, the same for all cpus, and the cpu's
    /// number is in ESI.
    #[must_use]
    pub fn start(&self) -> &StartState {
        &self.start
    }

    /// Registers of the other cpus. With SEV-SNP they start with these at their first SIPI, whose vector means nothing there, and
    /// firmware keeps them until the kernel says where to go on.
    #[must_use]
    pub fn other_start(&self) -> &StartState {
        &self.other_start
    }

    /// Number of cpus.
    #[must_use]
    pub fn cpus(&self) -> u32 {
        self.cpus
    }

    /// The launch MEASUREMENT a SEV-SNP platform reports for this plan; MRTD where it is a trust domain's.
    #[must_use]
    pub fn digest(&self) -> LaunchDigest {
        if self.tee.is_tdx() { tdx::mrtd(self) } else { measure(self) }
    }
}

/// The last pages of firmware's data are not firmware's.
fn refuse_secure_pages(ranges: &[Range]) -> Result<(), PlanError> {
    let end = |range: &Range| range.gpa.saturating_add(u64::try_from(range.bytes.len()).unwrap_or(u64::MAX));
    let found = ranges.iter().find(|range| range.gpa <= CPUID_PA && end(range) > OTHER_CPUS_PA);
    found.map_or(Ok(()), |range| Err(PlanError::Overlap { gpa: range.gpa.max(OTHER_CPUS_PA) }))
}

fn refuse_overlap(ranges: &[Range]) -> Result<(), PlanError> {
    let end = |range: &Range| range.gpa.saturating_add(u64::try_from(range.bytes.len()).unwrap_or(u64::MAX));
    for pair in ranges.windows(2) {
        if let [low, high] = pair
            && end(low) > high.gpa
        {
            return Err(PlanError::Overlap { gpa: high.gpa });
        }
    }
    Ok(())
}

/// `bytes` padded with zeros to whole pages.
pub(crate) fn padded(bytes: &[u8]) -> Vec<u8> {
    let page = usize::try_from(PAGE).unwrap_or(4096);
    let mut out = Vec::with_capacity(bytes.len().next_multiple_of(page));
    out.extend_from_slice(bytes);
    out.resize(bytes.len().next_multiple_of(page), 0);
    out
}
