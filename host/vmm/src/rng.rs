//! Randomness for the guest.

use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;
use vial_devices::rng::fill;
use vial_devices::{Lanes, Memory};
use vmm_sys_util::eventfd::EventFd;

/// Fills buffers from `source` whenever `doorbell` rings, for ever.
pub(crate) fn serve(
    lanes: &Lanes,
    memory: &Memory,
    source: &mut File,
    doorbell: &EventFd,
    interrupt: &Arc<EventFd>,
) {
    // What cannot be read stays zero: the guest takes this source as one that may be hostile.
    let mut random = |bytes: &mut [u8]| drop(source.read_exact(bytes));
    while doorbell.read().is_ok() {
        loop {
            let used = lanes.ready(0, memory).and_then(|mut lane| {
                let life = lane.life;
                fill(&mut lane, memory, &mut random).map(|used| (used, life))
            });
            let Some(((head, written), life)) = used else { break };
            if lanes.give_back(0, memory, head, written, life) {
                let _full = interrupt.write(1);
            }
        }
    }
}
