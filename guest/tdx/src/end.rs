//! The end of a domain that cannot go on.
//!
//! Spec: GHCI (344426) §3.4 (ReportFatalError, 0x10003): R12 is an error code in bits 31:0, bit 63 clear where no page has more.

use crate::Tdcall;
use crate::vmcall::vmcall;

const REPORT_FATAL_ERROR: u64 = 0x10003;

/// Asks the host to end the domain for a reason of ours; a host that does not is left alone by whoever called.
pub fn report_fatal_error(module: &mut impl Tdcall, reason: u8) {
    let _ignored = vmcall(module, REPORT_FATAL_ERROR, [reason.into(), 0, 0, 0]);
}
