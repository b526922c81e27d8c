//! The launch digest of a load plan.

use crate::chain::Chain;
use crate::plan::LoadPlan;
use crate::start::StartState;
use crate::vmsa;

/// SHA-384 launch measurement.
pub type LaunchDigest = [u8; 48];

pub(crate) fn measure(plan: &LoadPlan) -> LaunchDigest {
    let ranges = plan.ranges().iter();
    let loaded = ranges.fold(Chain::default(), |chain, range| chain.normal(range.gpa, &range.bytes));
    let others = core::iter::repeat_n(StartState::reset(), cpus_after_the_first(plan));
    let cpus = core::iter::once(*plan.start()).chain(others);
    cpus.fold(loaded, |chain, start| chain.vmsa(&vmsa::page(&start))).digest()
}

fn cpus_after_the_first(plan: &LoadPlan) -> usize {
    usize::try_from(plan.cpus().saturating_sub(1)).unwrap_or(0)
}
