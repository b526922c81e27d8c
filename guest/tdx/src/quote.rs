//! A quote through the host: its quoting enclave signs what a report says.
//!
//! The buffer is shared, so its bytes may change at any time: the header is copied out once a look, lengths are taken of
//! that copy, and the quote is copied once and only then looked at. It is believed to be ours if it repeats the report's
//! data and the domain's identity; whether it is genuine is for verifiers, who have Intel's root.
//!
//! | bytes of the buffer | content |
//! |---|---|
//! | 0..8 | version: 1 |
//! | 8..16 | status: 0 done, all ones in flight, else failed |
//! | 16..20 | length of what the guest gives: a report |
//! | 20..24 | length of what the host gives: a quote |
//! | 24.. | report, then quote |
//!
//! A simulated module has a quoting service that signs what the simulated TEE signs ([`is_simulated_over`]).
//!
//! Spec: GHCI (344426) §3.3 (GetQuote, 0x10002); DCAP Quote Generation Library, appendix A.3 (quotes of version 4 and 5).

use crate::Tdcall;
use crate::address::SharedPages;
use crate::report::{IDENTITY_BYTES, REPORT_BYTES, TdReport};
use crate::vmcall::{HostError, vmcall};

const GET_QUOTE: u64 = 0x10002;
/// Bytes before report and quote.
pub const HEADER_BYTES: usize = 24;
const VERSION: u64 = 1;
const IN_FLIGHT: u64 = u64::MAX;
/// `tee_type` of TDX, at 4 of a quote.
const TDX: [u8; 4] = [0x81, 0, 0, 0];
const SIMULATED_BYTES: usize = vial_abi::report::REPORT_BYTES;
/// Where a quote's body starts: behind its header, in version 5 also behind the body's type and length.
const BODY_AT: [(u16, usize); 2] = [(4, 48), (5, 54)];
/// Where a body repeats attributes, measurements and registers of the domain; report data follow.
const IDENTITY_AT: usize = 120;

/// Why there is no quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuoteError {
    /// The buffer is too small for a report.
    Buffer,
    /// The host did not take the request.
    Host(HostError),
    /// It was not done in time.
    Late,
    /// The host says that it failed; its status.
    Failed(u64),
    /// The header has another version.
    Version(u64),
    /// The quote does not fit into buffer or memory; its length in bytes.
    Length(usize),
    /// It is no quote of TDX in a version that is known.
    Form,
    /// It is over another report.
    Foreign,
}

/// Obtains a quote over `report`; returns the bytes of `quote`, private memory, that it takes.
///
/// `is_over` says of the private copy whether it is one: [`is_over`] for quotes of a processor. `may_wait` is asked before every further look, and may sleep; it says when time is up.
///
/// # Errors
/// [`QuoteError`]. After [`QuoteError::Late`] the host may write `buffer` at any time: it is never to be private again
/// without having been accepted anew.
pub fn quote(
    module: &mut impl Tdcall,
    buffer: &mut impl SharedPages,
    report: &TdReport,
    quote: &mut [u8],
    is_over: impl Fn(&[u8], &TdReport) -> Result<(), QuoteError>,
    may_wait: impl FnMut() -> bool,
) -> Result<usize, QuoteError> {
    let room = buffer.len_bytes().checked_sub(HEADER_BYTES).filter(|&room| room >= REPORT_BYTES);
    let room = room.ok_or(QuoteError::Buffer)?;
    // The report first: the host may look as soon as the header is there.
    buffer.write(HEADER_BYTES, report.bytes());
    buffer.write(0, &request());
    let operands = [buffer.gpa().value(), buffer.len_bytes() as u64, 0, 0];
    vmcall(module, GET_QUOTE, operands).map_err(QuoteError::Host)?;
    let bytes = answer_bytes(buffer, may_wait)?;
    let to = quote.get_mut(..bytes).filter(|_| (1..=room).contains(&bytes));
    let to = to.ok_or(QuoteError::Length(bytes))?;
    buffer.read(HEADER_BYTES, to);
    is_over(to, report).map(|()| bytes)
}

fn request() -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&VERSION.to_le_bytes());
    // Both lengths as one number: a report is given, no quote yet.
    header[16..].copy_from_slice(&(REPORT_BYTES as u64).to_le_bytes());
    header
}

/// Waits until the host is done; returns the length that the header then says.
fn answer_bytes(buffer: &impl SharedPages, mut may_wait: impl FnMut() -> bool) -> Result<usize, QuoteError> {
    loop {
        let mut header = [0; HEADER_BYTES];
        buffer.read(0, &mut header);
        let [version, status, lengths] = words(&header);
        match status {
            0 if version != VERSION => return Err(QuoteError::Version(version)),
            0 => return Ok((lengths >> 32) as usize),
            IN_FLIGHT if may_wait() => {}
            IN_FLIGHT => return Err(QuoteError::Late),
            status => return Err(QuoteError::Failed(status)),
        }
    }
}

fn words(header: &[u8; HEADER_BYTES]) -> [u64; 3] {
    core::array::from_fn(|word| u64::from_le_bytes(core::array::from_fn(|at| header[8 * word + at])))
}

/// Whether `quote`, in private memory, repeats what `report` says.
///
/// # Errors
/// [`QuoteError::Form`], [`QuoteError::Foreign`].
pub fn is_over(quote: &[u8], report: &TdReport) -> Result<(), QuoteError> {
    let body = body(quote).ok_or(QuoteError::Form)?;
    let (identity, data) = body.split_at(IDENTITY_BYTES);
    let is_ours = identity == report.identity() && data == report.report_data();
    if is_ours { Ok(()) } else { Err(QuoteError::Foreign) }
}

/// Whether the simulated TEE's report, in private memory, repeats what `report` says: MRTD and report data, at their places in a
/// report of SEV-SNP. The data bind the event log, of which the run-time registers follow.
///
/// # Errors
/// [`QuoteError::Form`], [`QuoteError::Foreign`].
pub fn is_simulated_over(quote: &[u8], report: &TdReport) -> Result<(), QuoteError> {
    let [data, mrtd] = [0x50, 0x90].map(|at| quote.get(at..));
    let (Some(data), Some(mrtd), SIMULATED_BYTES) = (data, mrtd, quote.len()) else {
        return Err(QuoteError::Form);
    };
    let is_ours = data.starts_with(&report.report_data()) && mrtd.starts_with(&report.mrtd());
    if is_ours { Ok(()) } else { Err(QuoteError::Foreign) }
}

/// Identity and report data of a quote.
fn body(quote: &[u8]) -> Option<&[u8]> {
    let version = quote.first_chunk().copied().map(u16::from_le_bytes)?;
    let (_, at) = BODY_AT.into_iter().find(|(known, _)| *known == version)?;
    let is_of_tdx = quote.get(4..8)? == TDX;
    let from = at + IDENTITY_AT;
    quote.get(from..from + IDENTITY_BYTES + 64).filter(|_| is_of_tdx)
}
