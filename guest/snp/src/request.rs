//! Reports: a message to the secure processor, and its answer. Spec: AMD 56860 rev 1.58 §7.3, tables 22 and 25; AMD 56421
//! rev 2.03 §4.1.7 and §4.1.8.

use vial_abi::memory::{CERTIFICATES_BYTES, CERTIFICATES_PA, PAGE, REQUEST_PA, RESPONSE_PA};
use vial_abi::report::{REPORT_BYTES, RESPONSE_HEADER_BYTES, ReportResponse};

use crate::ghcb::{Ghcb, Register, Wish};
use crate::message::{HEADER_BYTES, Header, Kind, open, seal};
use crate::processor::{Processor, Refusal};
use crate::secrets::Secrets;
use crate::shared;

const REQUEST: u64 = 0x8000_0011;
const EXTENDED_REQUEST: u64 = 0x8000_0012;
/// Of the host, in the upper half of the result: it wants more room for certificates; it is busy.
const ROOM: u64 = 1 << 32;
const BUSY: u64 = 2 << 32;
/// How often a busy host is asked again. It decides how long that takes.
const PATIENCE: u32 = 1 << 10;
const ASKED_BYTES: usize = 96;
/// The payload's place in both messages' pages.
const PAYLOAD: u64 = 0x60;
/// Status, length of the report, reserved.
const ANSWER_HEADER_BYTES: usize = 32;
const ANSWER_BYTES: usize = ANSWER_HEADER_BYTES + REPORT_BYTES;
/// Where the report has its data.
const REPORT_DATA: usize = 0x50;

/// Obtains a report over `report_data` and writes the whole response to `out`; gives its length. Certificates that the host
/// adds are left at [`CERTIFICATES_PA`].
///
/// Where the host did not carry message or answer as it must, the key is forgotten: the number of the message would stand for two
/// texts otherwise. There are no more reports then.
///
/// # Errors
/// [`Refusal::Report`]; [`Refusal::Host`] where the host says that it did not carry the message.
pub fn report<P: Processor>(
    ghcb: &mut Ghcb<'_, P>,
    secrets: &mut Secrets<'_>,
    report_data: &[u8; 64],
    out: &mut [u8; 4096],
) -> Result<usize, Refusal> {
    let (key, sequence) = secrets.key()?;
    let mut payload = [0; ASKED_BYTES];
    payload.iter_mut().zip(report_data).for_each(|(to, from)| *to = *from);
    let header = header(sequence.into(), Kind::ReportRequest, ASKED_BYTES)?;
    let header = seal(key, &header, &mut payload).ok_or(Refusal::Report)?;
    shared::put(ghcb.processor, REQUEST_PA, &header);
    shared::put(ghcb.processor, REQUEST_PA + PAYLOAD, &payload);
    let answered = carry(ghcb).and_then(|()| answer(ghcb, key, sequence, report_data, out));
    match answered {
        Ok(_) => secrets.answered(sequence),
        Err(_) => secrets.forget(),
    }
    answered
}

/// Has the host carry the message, the same again where it asks for that.
fn carry<P: Processor>(ghcb: &mut Ghcb<'_, P>) -> Result<(), Refusal> {
    // What an earlier answer left there is not this one's.
    shared::put(ghcb.processor, CERTIFICATES_PA, &[0; 24]);
    let pages = CERTIFICATES_BYTES / PAGE;
    let room = [(Register::A, CERTIFICATES_PA), (Register::B, pages)];
    let mut wish = wish(EXTENDED_REQUEST, &room);
    for _ in 0..PATIENCE {
        ghcb.ask(&wish)?;
        match ghcb.result() {
            0 => return Ok(()),
            BUSY => {}
            // The message did not go out: it goes without certificates.
            ROOM if wish.code == EXTENDED_REQUEST => wish = self::wish(REQUEST, &[]),
            _ => break,
        }
    }
    Err(Refusal::Report)
}

const fn wish<'a>(code: u64, registers: &'a [(Register, u64)]) -> Wish<'a> {
    Wish { code, info: [REQUEST_PA, RESPONSE_PA], registers, has_buffer: false }
}

fn header(sequence: u64, kind: Kind, payload: usize) -> Result<Header, Refusal> {
    let payload = u16::try_from(payload).map_err(|_| Refusal::Report)?;
    Ok(Header { sequence, kind, payload })
}

fn report_length() -> Result<u32, Refusal> {
    u32::try_from(REPORT_BYTES).map_err(|_| Refusal::Report)
}

/// Opens the answer, and lays header and report out in `out`.
fn answer<P: Processor>(
    ghcb: &Ghcb<'_, P>,
    key: &[u8; 32],
    sequence: u32,
    report_data: &[u8; 64],
    out: &mut [u8; 4096],
) -> Result<usize, Refusal> {
    let mut header = [0; HEADER_BYTES];
    shared::take(ghcb.processor, RESPONSE_PA, &mut header);
    // The answer's own header is as long as that of a response: the report is opened where it stays.
    const { assert!(ANSWER_HEADER_BYTES == RESPONSE_HEADER_BYTES) };
    let payload = out.get_mut(..ANSWER_BYTES).ok_or(Refusal::Report)?;
    shared::take(ghcb.processor, RESPONSE_PA + PAYLOAD, payload);
    let expected = self::header(u64::from(sequence) + 1, Kind::ReportResponse, ANSWER_BYTES)?;
    open(key, &expected, &header, payload).ok_or(Refusal::Report)?;
    let (found, report) = payload.split_first_chunk::<ANSWER_HEADER_BYTES>().ok_or(Refusal::Report)?;
    let length = report_length()?;
    // Status 0 in the low half, the report's length above.
    let is_whole = found.first_chunk().copied().map(u64::from_le_bytes) == Some(u64::from(length) << 32);
    let is_ours = report.get(REPORT_DATA..).is_some_and(|rest| rest.starts_with(report_data));
    if !is_whole || !is_ours {
        return Err(Refusal::Report);
    }
    let header = ReportResponse::header(length, 0);
    payload.iter_mut().zip(header).for_each(|(to, from)| *to = from);
    Ok(ANSWER_BYTES)
}
