//! Ring 0 as a trust domain: what it knows of itself, and the ways it goes instead of instructions that only its host can do.

mod instructions;
mod pages;
mod seat;

pub use seat::Seat;

use super::Ring0;
use crate::tee::Response;
use pages::{OPERANDS, QuotePages};
use vial_abi::ExitCode;
use vial_abi::call::CallError;
use vial_abi::memory::Region;
use vial_abi::report::{RESPONSE_HEADER_BYTES, ReportResponse};
use vial_tdx::quote::{self, QuoteError};
use vial_tdx::report::TdReport;
use vial_tdx::{SharedBit, accept, map, report, rtmr};

/// Ticks of the time stamp counter after which a quote is given up: ten seconds and more.
const PATIENCE_TICKS: u64 = 1 << 35;

/// What trust domains know of themselves.
#[derive(Clone, Copy, Debug)]
pub struct Domain {
    shared_bit: u8,
    is_simulated: bool,
}

impl Domain {
    pub(super) const fn new(shared_bit: u8, is_simulated: bool) -> Self {
        Self { shared_bit, is_simulated }
    }

    /// The running cpu.
    #[must_use]
    pub const fn seat(self, ring0: Ring0) -> Seat {
        Seat::new(ring0, self.is_simulated)
    }

    /// The bit that says shared.
    #[must_use]
    pub const fn shared_bit(self) -> SharedBit {
        SharedBit::known(self.shared_bit)
    }

    /// Compares what was measured with what the module says.
    ///
    /// # Errors
    /// [`ExitCode::TdxModule`].
    pub fn introduce(self, ring0: Ring0) -> Result<(), ExitCode> {
        let asked = SharedBit::ask(&mut self.seat(ring0), self.shared_bit);
        asked.map(drop).map_err(|_| ExitCode::TdxModule)
    }

    /// Shares memory with the host.
    ///
    /// # Errors
    /// [`ExitCode::TdxHost`].
    pub fn share(self, ring0: Ring0, region: Region) -> Result<(), ExitCode> {
        let shared = map::share(&mut self.seat(ring0), self.shared_bit().share(region.pa), region.len);
        shared.map_err(|_| ExitCode::TdxHost)
    }

    /// Makes memory the domain's own; it is zero then.
    ///
    /// # Errors
    /// [`ExitCode::TdxMemory`].
    pub fn accept(self, ring0: Ring0, region: Region) -> Result<(), ExitCode> {
        accept::accept(&mut self.seat(ring0), region).map_err(|_| ExitCode::TdxMemory)
    }

    /// Extends a run-time register.
    pub(super) fn extend(self, ring0: Ring0, register: u8, digest: &[u8; 48]) -> Result<(), CallError> {
        let extended = OPERANDS.with(|page| rtmr::extend(&mut self.seat(ring0), page, register, digest));
        extended.map_err(|_| CallError::NoTee)
    }

    /// Obtains a quote over `report_data`.
    pub(super) fn report(
        self,
        ring0: Ring0,
        report_data: &[u8; 64],
        response: &mut Response,
    ) -> Result<usize, CallError> {
        let mut seat = self.seat(ring0);
        let report = OPERANDS.with(|page| report::report(&mut seat, page, report_data));
        let report = report.map_err(|_| CallError::NoTee)?;
        let (header, quote) = response.split_first_chunk_mut().ok_or(CallError::NoTee)?;
        let bytes = self.quote(ring0, &report, quote).map_err(|error| match error {
            QuoteError::Foreign => CallError::ForeignQuote,
            _ => CallError::NoTee,
        })?;
        *header = ReportResponse::header(bytes as u32, 0);
        Ok(RESPONSE_HEADER_BYTES + bytes)
    }

    fn quote(self, ring0: Ring0, report: &TdReport, to: &mut [u8]) -> Result<usize, QuoteError> {
        let is_over = if self.is_simulated { quote::is_simulated_over } else { quote::is_over };
        let deadline = ring0.tsc().saturating_add(PATIENCE_TICKS);
        let may_wait = || ring0.tsc() < deadline;
        quote::quote(&mut self.seat(ring0), &mut QuotePages(self.shared_bit()), report, to, is_over, may_wait)
    }
}
