//! TDREPORT: what the module says of its domain, under a MAC that only this machine's quoting enclave can check.
//!
//! | bytes | content |
//! |---|---|
//! | 0..256 | REPORTMACSTRUCT: type, CPUSVN, hashes of the next two, REPORTDATA at 128, MAC at 224 |
//! | 256..495 | `TEE_TCB_INFO`: versions and measurement of the module |
//! | 495..512 | reserved |
//! | 512..1024 | `TDINFO`: attributes, XFAM, MRTD, the owner's three, RTMR0 to RTMR3, hash of service domains |
//!
//! Spec: TDX Module ABI (348551), TDG.MR.REPORT (leaf 4), `TDREPORT_STRUCT`, `REPORTMACSTRUCT`, `TDINFO_STRUCT`.

use crate::address::PrivatePage;
use crate::status::Refusal;
use crate::{Registers, Tdcall, call};

const MR_REPORT: u64 = 4;
/// Bytes of a report; also what its address is aligned to.
pub const REPORT_BYTES: usize = 1024;
/// Where the page holds report data: behind the report, a multiple of 64.
const DATA_AT: usize = REPORT_BYTES;
/// Report type: TDX, subtype 0. Its version and the reserved byte follow.
const TYPE: [u8; 2] = [0x81, 0];
const REPORT_DATA_AT: usize = 128;
const TD_INFO_AT: usize = 512;
const MRTD_AT: usize = 528;
const RTMR_AT: usize = 720;
/// Bytes of attributes, XFAM, MRTD, MRCONFIGID, MROWNER, MROWNERCONFIG and RTMRs, in this order, as quotes repeat them.
pub const IDENTITY_BYTES: usize = 8 + 8 + 8 * 48;

/// A report in private memory, as the module wrote it, over the report data it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TdReport([u8; REPORT_BYTES]);

/// Why there is no report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportError {
    /// The module refuses.
    Module(Refusal),
    /// It wrote no report of TDX.
    Type([u8; 2]),
    /// It wrote a report over other data.
    Data,
}

/// Obtains a report over `report_data`, by way of `page`.
///
/// # Errors
/// [`ReportError`].
pub fn report(
    module: &mut impl Tdcall,
    page: &mut impl PrivatePage,
    report_data: &[u8; 64],
) -> Result<TdReport, ReportError> {
    let to = page.gpa();
    page.write(DATA_AT, report_data);
    let registers = Registers { rcx: to, rdx: to + DATA_AT as u64, ..Registers::default() };
    call(module, MR_REPORT, registers).map_err(ReportError::Module)?;
    let mut report = TdReport([0; REPORT_BYTES]);
    page.read(0, &mut report.0);
    report.checked(report_data)
}

impl TdReport {
    /// The report, if it is what was asked for.
    fn checked(self, report_data: &[u8; 64]) -> Result<Self, ReportError> {
        let kind = self.field(0);
        if kind != TYPE {
            return Err(ReportError::Type(kind));
        }
        if self.report_data() == *report_data { Ok(self) } else { Err(ReportError::Data) }
    }

    /// All its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; REPORT_BYTES] {
        &self.0
    }

    /// What the guest bound.
    #[must_use]
    pub fn report_data(&self) -> [u8; 64] {
        self.field(REPORT_DATA_AT)
    }

    /// Launch measurement.
    #[must_use]
    pub fn mrtd(&self) -> [u8; 48] {
        self.field(MRTD_AT)
    }

    /// Run-time registers.
    #[must_use]
    pub fn rtmr(&self) -> [[u8; 48]; 4] {
        core::array::from_fn(|index| self.field(RTMR_AT + 48 * index))
    }

    /// What a quote over this report repeats of the domain.
    #[must_use]
    pub fn identity(&self) -> [u8; IDENTITY_BYTES] {
        self.field(TD_INFO_AT)
    }

    /// `N` bytes from `at` on; all fields lie inside.
    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        core::array::from_fn(|index| self.0[at + index])
    }
}
