//! The launch digest of a load plan.

use vial_abi::memory::PAGE;

use crate::chain::Chain;
use crate::part::{Contents, Part};
use crate::plan::LoadPlan;
use crate::vmsa;

/// SHA-384 launch measurement.
pub type LaunchDigest = [u8; 48];

pub(crate) fn measure(plan: &LoadPlan) -> LaunchDigest {
    let loaded = plan.parts().iter().fold(Chain::default(), load);
    let others = core::iter::repeat_n(plan.other_start(), cpus_after_the_first(plan));
    let cpus = core::iter::once(plan.start()).chain(others);
    cpus.fold(loaded, |chain, start| chain.vmsa(&vmsa::page(start))).digest()
}

fn load(chain: Chain, part: &Part) -> Chain {
    match &part.contents {
        Contents::Normal(bytes) => chain.normal(part.gpa, bytes),
        Contents::Zero(bytes) => chain.zero(part.gpa, *bytes),
        Contents::Secrets => chain.secrets(part.gpa, PAGE),
        Contents::Cpuid => chain.cpuid(part.gpa, PAGE),
    }
}

fn cpus_after_the_first(plan: &LoadPlan) -> usize {
    usize::try_from(plan.cpus().saturating_sub(1)).unwrap_or(0)
}
