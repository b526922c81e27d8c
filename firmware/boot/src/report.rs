//! The report obtained before hand-over: binds manifest, weights root and event log under the boot purpose.

use alloc::vec::Vec;
use sha2::{Digest as _, Sha512};
use vial_abi::ExitCode;
use vial_abi::call::{CallError, REPORT_OUT_BYTES};
use vial_abi::launch_page::Tee;
use vial_abi::report::{Purpose, ReportResponse, RuntimeData};

use crate::measure::Measured;
use crate::{Machine, Refusal};

/// Where report data lies in a report. Spec: AMD 56860 rev 1.56 §7.3, table 23.
const DATA_OFFSET: usize = 0x50;
/// Where it lies in a quote of TDX, by its version. Spec: DCAP Quote Generation Library, appendix A.3.
const QUOTE_DATA_OFFSETS: [(u8, usize); 2] = [(4, 568), (5, 574)];

/// Asks for a report and compares that it binds what was asked; gives the whole response.
pub(crate) fn obtain(machine: &mut impl Machine, tee: Tee, measured: &Measured) -> Result<Vec<u8>, Refusal> {
    let data = report_data(measured);
    let mut response = [0; REPORT_OUT_BYTES];
    let refused = |line| Refusal::new(ExitCode::NoReport, line);
    let used = machine.report(&data, &mut response).map_err(no_report)?;
    let bytes = response.get(..used).unwrap_or_default();
    let parsed =
        ReportResponse::decode(bytes).map_err(|_| refused("report: found an answer without a report"))?;
    let bound = data_of(tee, parsed.report).and_then(|rest| rest.first_chunk::<64>());
    if bound != Some(&data) {
        return Err(refused("report data: found other data than was asked to be bound"));
    }
    Ok(bytes.to_vec())
}

fn no_report(error: CallError) -> Refusal {
    match error {
        CallError::ForeignQuote => {
            Refusal::new(ExitCode::ForeignQuote, "quote: found one over another report than the TDX module's")
        }
        _ => Refusal::new(ExitCode::NoReport, "report: found no answer of the TEE"),
    }
}

/// The report from its data on.
fn data_of(tee: Tee, report: &[u8]) -> Option<&[u8]> {
    let Tee::Tdx { .. } = tee else { return report.get(DATA_OFFSET..) };
    let version = report.first()?;
    let (_, offset) = QUOTE_DATA_OFFSETS.iter().find(|(known, _)| known == version)?;
    report.get(*offset..)
}

fn report_data(measured: &Measured) -> [u8; 64] {
    let data = RuntimeData {
        purpose: Purpose::Boot,
        nonce: [0; 64],
        channel_key: [0; 32],
        manifest_digest: measured.manifest.digest(),
        weights_root: measured.manifest.weights.root,
        event_log_head: measured.log.head(),
    };
    Sha512::digest(data.preimage()).into()
}
