//! What acceptance does not prove, in words.

use alloc::vec::Vec;

use crate::assurance::Assurance;
use crate::verify::Verdict;

/// Of an appliance, whose channel key is bound.
const APPLIANCE: [&str; 3] = [
    "that any other connection ends in this appliance: pin its key, or use `vial connect`",
    "that answers are right, or that the model is a good one",
    "that the host keeps the appliance running or passes every message on",
];

/// Of a report alone.
const REPORT: [&str; 2] =
    ["what runs in the machine beyond its launch measurement", "who holds the other end of your connection"];

/// What an accepted verdict does not prove.
#[must_use]
pub fn not_proven(verdict: &Verdict) -> Vec<&'static str> {
    let shown: &[_] = if verdict.channel_key.is_empty() { &REPORT } else { &APPLIANCE };
    verdict.assurance.map(left_to_trust).into_iter().chain(shown.iter().copied()).collect()
}

/// What a level leaves to trust.
fn left_to_trust(level: Assurance) -> &'static str {
    match level {
        Assurance::Simulated => "anything about hardware: the root is SIMULATED, and everybody has its key",
        Assurance::MeasuredBoot => "that memory is hidden from the host",
        Assurance::CloudVouched => "that memory is encrypted, but by the cloud's word",
        Assurance::Paravisor => "that the code above the guest, which sees all of it, is what its owner says",
        Assurance::Hardware => "that nobody opened the processor or its memory bus",
    }
}
