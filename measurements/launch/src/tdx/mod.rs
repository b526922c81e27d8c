//! Trust domains (Intel TDX): which pages are added, and what MRTD and the RTMRs then hold.
//!
//! A domain has the pages of the [`LoadPlan`], zeros around them up to all of [`vial_abi::memory::LAUNCHED`], and one page more, at
//! the [`reset`] vector. Everything else of its memory is added later and accepted by the guest, unmeasured and zero. Start registers are the TDX module's and are not measured;
//! neither is the number of cpus, which the launch page holds.

mod mrtd;
pub mod reset;

use alloc::vec::Vec;

use vial_weights::event_log::{self, LogError};
use vial_weights::rtmr::{Rtmrs, UnknownEvent};

use crate::part::{self, Contents, Part};
use crate::plan::LoadPlan;
pub use mrtd::Mrtd;

/// Measurement registers of a trust domain, as its reports and quotes show them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// What was in memory before the first instruction.
    pub mrtd: [u8; 48],
    /// What firmware measured.
    pub rtmr: [[u8; 48]; 4],
}

/// Why registers cannot be predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PredictError {
    /// The event log is malformed.
    Log(LogError),
    /// It has an event that firmware does not write.
    Event(UnknownEvent),
}

impl core::fmt::Display for PredictError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Log(error) => error.fmt(f),
            Self::Event(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for PredictError {}

/// What is added before the first instruction, by rising address: the order in which a VMM adds and extends pages.
#[must_use]
pub fn parts(plan: &LoadPlan) -> Vec<Part> {
    let reset = Contents::Normal(reset::page(plan.entry()).to_vec());
    // Firmware lies far below the reset page, so the order stays.
    part::tdx(plan.ranges()).into_iter().chain([Part { gpa: reset::GPA, contents: reset }]).collect()
}

/// MRTD of a domain that is built of `plan`.
#[must_use]
pub fn mrtd(plan: &LoadPlan) -> [u8; 48] {
    parts(plan).iter().fold(Mrtd::default(), add).digest()
}

fn add(mrtd: Mrtd, part: &Part) -> Mrtd {
    match &part.contents {
        Contents::Normal(bytes) => mrtd.pages(part.gpa, bytes),
        Contents::Zero(bytes) => mrtd.zeros(part.gpa, *bytes),
        // Pages of SEV-SNP alone.
        Contents::Secrets | Contents::Cpuid => mrtd,
    }
}

/// The registers of a domain that is built of `plan` and whose firmware wrote `log`.
///
/// # Errors
/// The log is malformed, or has an event that firmware does not write.
pub fn predict(plan: &LoadPlan, log: &[u8]) -> Result<Registers, PredictError> {
    let (events, _) = event_log::replay(log).map_err(PredictError::Log)?;
    let Rtmrs(rtmr) = Rtmrs::replay(&events).map_err(PredictError::Event)?;
    Ok(Registers { mrtd: mrtd(plan), rtmr })
}
