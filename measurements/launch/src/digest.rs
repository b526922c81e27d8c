//! The launch digest: one SHA-384 chain over all measured pages.
//!
//! Spec: AMD SEV-SNP firmware ABI (56860) rev 1.56 §8.17.2, table 67 (PAGE_INFO).

use sha2::{Digest, Sha384};
use vial_abi::memory::PAGE;

use crate::plan::LoadPlan;
use crate::start::StartState;
use crate::vmsa;

/// Where VMSA pages are measured at, whatever their place in memory.
const VMSA_GPA: u64 = 0xFFFF_FFFF_F000;
const PAGE_INFO_BYTES: u16 = 0x70;

/// SHA-384 launch measurement.
pub type LaunchDigest = [u8; 48];

#[derive(Clone, Copy)]
enum Kind {
    Normal,
    Vmsa,
}

pub(crate) fn measure(plan: &LoadPlan) -> LaunchDigest {
    let page_bytes = usize::try_from(PAGE).unwrap_or(4096);
    let mut chain = [0; 48];
    for range in plan.ranges() {
        let addresses = (range.gpa..).step_by(page_bytes);
        for (gpa, page) in addresses.zip(range.bytes.chunks(page_bytes)) {
            chain = step(&chain, Kind::Normal, gpa, page);
        }
    }
    let others = core::iter::repeat_n(StartState::reset(), cpus_after_the_first(plan));
    for start in core::iter::once(*plan.start()).chain(others) {
        chain = step(&chain, Kind::Vmsa, VMSA_GPA, &vmsa::page(&start));
    }
    chain
}

fn cpus_after_the_first(plan: &LoadPlan) -> usize {
    usize::try_from(plan.cpus().saturating_sub(1)).unwrap_or(0)
}

/// One PAGE_INFO: no VMPL permissions below 0, not part of an incoming migration image.
fn step(chain: &LaunchDigest, kind: Kind, gpa: u64, page: &[u8]) -> LaunchDigest {
    let kind = match kind {
        Kind::Normal => 1_u8,
        Kind::Vmsa => 2,
    };
    let mut hash = Sha384::new();
    hash.update(chain);
    hash.update(Sha384::digest(page));
    hash.update(PAGE_INFO_BYTES.to_le_bytes());
    hash.update([kind, 0, 0, 0, 0, 0]);
    hash.update(gpa.to_le_bytes());
    hash.finalize().into()
}
