//! The host's quoting service. Spec: GHCI (344426) §3.3 (GetQuote).

use crate::host::{Around, Offence, offence};
use crate::report::REPORT_BYTES;

const HEADER: usize = 24;
const VERSION: u64 = 1;
const FAILED: u64 = 1 << 63;

/// Makes a quote of a report; `None` for one that this machine's module did not write.
pub type Signer = Box<dyn FnMut(&[u8; REPORT_BYTES]) -> Option<Vec<u8>> + Send>;

/// Serves the request in `bytes` of shared memory at `gpa`.
///
/// # Errors
/// What is not allowed.
pub(crate) fn serve(
    signer: &mut Signer,
    around: &mut impl Around,
    gpa: u64,
    bytes: u64,
) -> Result<(), Offence> {
    let room = usize::try_from(bytes).unwrap_or(0).saturating_sub(HEADER);
    let mut request = [0; HEADER + REPORT_BYTES];
    let outside = || Offence(format!("quote through {gpa:#x}, where nothing is shared"));
    around.read(gpa, &mut request).filter(|()| room >= REPORT_BYTES).ok_or_else(outside)?;
    let (header, report) = request.split_at(HEADER);
    let expected = [VERSION, 0, REPORT_BYTES as u64].map(u64::to_le_bytes);
    if header != expected.as_flattened() {
        return offence(format_args!("quote asked for by the header {header:?}"));
    }
    let quote = report.try_into().ok().and_then(signer).filter(|it| it.len() <= room);
    let status = if quote.is_some() { 0 } else { FAILED };
    let quote = quote.unwrap_or_default();
    let length = u32::try_from(quote.len()).unwrap_or(0);
    let written = around
        .write(gpa + HEADER as u64, &quote)
        .and_then(|()| around.write(gpa + 20, &length.to_le_bytes()))
        .and_then(|()| around.write(gpa + 8, &status.to_le_bytes()));
    written.ok_or_else(outside)
}
