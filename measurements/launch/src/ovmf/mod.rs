//! Launches of OVMF by other VMMs: machines that are not ours, whose MEASUREMENT is made of the same chain.
//!
//! Firmware lies below 4 GiB and says in a table at its end which pages beside it are measured; the VMM puts digests of kernel,
//! initial file system and command line into one of them.

mod hashes;
mod reset;
mod table;

pub use hashes::KernelHashes;
pub use reset::{Reset, Vmm};
pub use table::{Kind, OvmfError, OvmfTable, Section};

use vial_abi::memory::PAGE;

use crate::chain::Chain;
use crate::digest::LaunchDigest;

/// Where a cpu starts that nobody told otherwise.
const RESET_VECTOR: u32 = 0xFFFF_FFF0;

/// Everything that a launch of OVMF measures beside the firmware's own bytes.
#[derive(Clone, Debug)]
pub struct OvmfLaunch<'a> {
    /// The firmware's table.
    pub table: &'a OvmfTable,
    /// What is booted directly; none if firmware looks for it.
    pub kernel: Option<KernelHashes>,
    /// Cpus.
    pub cpus: u32,
    /// CPUID 1, EAX of the cpus' model.
    pub signature: u32,
    /// `SEV_FEATURES` that the VMM asks for.
    pub features: u64,
    /// Whose start state it is.
    pub vmm: Vmm,
}

impl OvmfLaunch<'_> {
    /// The launch MEASUREMENT, `firmware` being loaded.
    ///
    /// # Errors
    /// A kernel, and firmware that has no page for its digests.
    pub fn digest(&self, firmware: Chain) -> Result<LaunchDigest, OvmfError> {
        let sections = &self.table.sections;
        let has_page = sections.iter().any(|section| section.kind == Kind::KernelHashes);
        if self.kernel.is_some() && !has_page {
            return Err(OvmfError { field: "section of kernel hashes" });
        }
        let deferred = |section: &&Section| self.vmm == Vmm::Ec2 && section.kind == Kind::Cpuid;
        let first = sections.iter().filter(|section| !deferred(section));
        let ordered = first.chain(sections.iter().filter(deferred));
        let loaded = ordered.fold(firmware, |chain, section| self.load(chain, section));
        Ok((0..self.cpus).fold(loaded, |chain, cpu| chain.vmsa(&self.cpu(cpu).page())).digest())
    }

    fn load(&self, chain: Chain, section: &Section) -> Chain {
        let (gpa, bytes) = (section.gpa.into(), section.bytes.into());
        match (section.kind, &self.kernel) {
            (Kind::Secrets, _) => chain.secrets(gpa, PAGE),
            (Kind::Cpuid, _) => chain.cpuid(gpa, PAGE),
            (Kind::KernelHashes, Some(kernel)) => {
                chain.normal(gpa, &kernel.page(self.table.hashes_gpa.unwrap_or_default()))
            }
            (Kind::Memory | Kind::SvsmCaller | Kind::KernelHashes, _) => chain.zero(gpa, bytes),
        }
    }

    fn cpu(&self, cpu: u32) -> Reset {
        let eip = if cpu == 0 { RESET_VECTOR } else { self.table.reset_eip };
        Reset { eip, signature: self.signature, features: self.features, vmm: self.vmm }
    }
}
