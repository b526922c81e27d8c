//! Accepting private memory that the host added after the start.
//!
//! Memory is accepted once. A page that is accepted already is refused as an error, never skipped: a host that maps another
//! page where one was accepted, or lets code accept twice, would otherwise choose between contents. So callers keep which
//! ranges they accepted, and what was loaded at the start is never among them.
//!
//! Spec: TDX Module ABI (348551), TDG.MEM.PAGE.ACCEPT (leaf 6): RCX is the address, level in bits 2:0 (0: 4 KiB, 1: 2 MiB).

use crate::status::Refusal;
use crate::{Registers, Tdcall, call};
use vial_abi::memory::{LARGE_PAGE, PAGE, Region};

const PAGE_ACCEPT: u64 = 6;
const LEVEL_SMALL: u64 = 0;
const LEVEL_LARGE: u64 = 1;

/// Why a range was not accepted; everything below `gpa` was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptError {
    /// The page at fault.
    pub gpa: u64,
    /// What the module says; [`Refusal::Operand`] also where the range is not of whole pages.
    pub refusal: Refusal,
}

/// Accepts all pages of `region`, by large pages where the host mapped such; they are zero then.
///
/// # Errors
/// The first page that is not accepted, and why.
pub fn accept(module: &mut impl Tdcall, region: Region) -> Result<(), AcceptError> {
    let end = region.pa.checked_add(region.len).filter(|end| end.is_multiple_of(PAGE));
    let (Some(end), true) = (end, region.pa.is_multiple_of(PAGE)) else {
        return Err(AcceptError { gpa: region.pa, refusal: Refusal::Operand(1) });
    };
    let mut gpa = region.pa;
    while gpa < end {
        gpa += if gpa.is_multiple_of(LARGE_PAGE) && end - gpa >= LARGE_PAGE {
            large(module, gpa)?
        } else {
            page(module, gpa, LEVEL_SMALL)?;
            PAGE
        };
    }
    Ok(())
}

/// One large page, or all the small ones that the host mapped instead; returns the bytes accepted.
fn large(module: &mut impl Tdcall, gpa: u64) -> Result<u64, AcceptError> {
    match page(module, gpa, LEVEL_LARGE) {
        Err(AcceptError { refusal: Refusal::SizeMismatch, .. }) => {
            (0..LARGE_PAGE / PAGE).try_for_each(|at| page(module, gpa + at * PAGE, LEVEL_SMALL))?;
        }
        result => result?,
    }
    Ok(LARGE_PAGE)
}

fn page(module: &mut impl Tdcall, gpa: u64, level: u64) -> Result<(), AcceptError> {
    let registers = Registers { rcx: gpa | level, ..Registers::default() };
    call(module, PAGE_ACCEPT, registers).map(drop).map_err(|refusal| AcceptError { gpa, refusal })
}
