//! Transports of report requests to the simulated TEE. What comes back is from the host: untrusted.

use crate::platform::Ports;
use crate::serial::Serial;
use vial_abi::call::{CallError, REPORT_OUT_BYTES};
use vial_abi::port;
use vial_abi::report::RESPONSE_HEADER_BYTES;

/// Private memory for a response.
pub type Response = [u8; REPORT_OUT_BYTES];

/// The page shared with our VMM. Implementers give the host's bytes by value and never lend the page.
pub trait DoorbellPage {
    /// The page's number: physical address / 4096.
    fn number(&self) -> u32;
    /// Writes report data to the start of the page.
    fn write(&mut self, report_data: &[u8; 64]);
    /// Copies the first bytes of the page.
    fn read(&self, to: &mut [u8]);
}

/// Asks by doorbell; returns the bytes of `response` used.
///
/// # Errors
/// [`CallError::NoTee`] if the answer has no sensible header.
pub fn by_doorbell(
    ports: &mut impl Ports,
    page: &mut impl DoorbellPage,
    report_data: &[u8; 64],
    response: &mut Response,
) -> Result<usize, CallError> {
    page.write(report_data);
    ports.write_u32(port::TEE, page.number());
    let (header, _) = response.split_first_chunk_mut().ok_or(CallError::NoTee)?;
    page.read(header);
    let len = response_bytes(header).ok().filter(|&len| len <= 4096).ok_or(CallError::NoTee)?;
    // The page is read again, so the header may have changed: the private copy must still agree.
    let whole = response.get_mut(..len).ok_or(CallError::NoTee)?;
    page.read(whole);
    let header = whole.first_chunk().ok_or(CallError::NoTee)?;
    (response_bytes(header)? == len).then_some(len).ok_or(CallError::NoTee)
}

/// Asks over the second serial line; returns the bytes of `response` used.
///
/// # Errors
/// [`CallError::NoTee`] if the line is silent, the answer too long or without a sensible header.
pub fn by_serial(
    ports: &mut impl Ports,
    report_data: &[u8; 64],
    response: &mut Response,
) -> Result<usize, CallError> {
    let mut line = Serial::new(ports, port::SERIAL_TEE);
    line.set_up();
    line.send(report_data);
    let mut length = [0; 4];
    receive(&mut line, &mut length)?;
    let announced = usize::try_from(u32::from_le_bytes(length)).map_err(|_| CallError::NoTee)?;
    let whole = response.get_mut(..announced).ok_or(CallError::NoTee)?;
    receive(&mut line, whole)?;
    let header = whole.first_chunk().ok_or(CallError::NoTee)?;
    (response_bytes(header)? == announced).then_some(announced).ok_or(CallError::NoTee)
}

fn receive<P: Ports>(line: &mut Serial<'_, P>, to: &mut [u8]) -> Result<(), CallError> {
    for byte in to {
        *byte = line.receive().ok_or(CallError::NoTee)?;
    }
    Ok(())
}

/// Length of the response that `header` announces: header, report, certificates.
fn response_bytes(header: &[u8; RESPONSE_HEADER_BYTES]) -> Result<usize, CallError> {
    let word =
        |at: usize| header.get(at..at + 4).and_then(|word| word.try_into().ok()).map(u32::from_le_bytes);
    let (Some(0), Some(report), Some(certificates)) = (word(0), word(4), word(8)) else {
        return Err(CallError::NoTee);
    };
    let body = u64::from(report) + u64::from(certificates);
    let total = usize::try_from(body).map_err(|_| CallError::NoTee)?.saturating_add(RESPONSE_HEADER_BYTES);
    (report > 0 && total <= REPORT_OUT_BYTES).then_some(total).ok_or(CallError::NoTee)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::fake::{FakeMachine, FakePage};
    use std::vec::Vec;
    use vial_abi::report::ReportResponse;

    fn answer(report: &[u8], certificates: &[u8]) -> Vec<u8> {
        let lengths = [report, certificates].map(|part| u32::try_from(part.len()).unwrap());
        [&ReportResponse::header(lengths[0], lengths[1]), report, certificates].concat()
    }

    #[test]
    fn the_doorbell_carries_data_in_and_a_report_out() {
        let answer = answer(b"report", b"chain");
        let mut page = FakePage::answering(&answer);
        let (mut machine, mut response) = (FakeMachine::default(), [0xAA; REPORT_OUT_BYTES]);
        let len = by_doorbell(&mut machine, &mut page, &[7; 64], &mut response).unwrap();
        assert_eq!(response[..len], answer);
        assert_eq!(page.written, [7; 64]);
        assert_eq!(machine.sent(port::TEE), 0x123_u32.to_le_bytes());
    }

    #[test]
    fn the_serial_line_carries_the_same() {
        let answer = answer(b"report", b"chain");
        let mut machine = FakeMachine::default();
        machine.receive_on(port::SERIAL_TEE, &u32::try_from(answer.len()).unwrap().to_le_bytes());
        machine.receive_on(port::SERIAL_TEE, &answer);
        let mut response = [0; REPORT_OUT_BYTES];
        let len = by_serial(&mut machine, &[7; 64], &mut response).unwrap();
        assert_eq!(response[..len], answer);
        assert!(machine.sent(port::SERIAL_TEE).ends_with(&[7; 64]));
    }

    #[test]
    fn a_header_without_sense_is_no_tee() {
        let oversized = ReportResponse::header(4000, 65);
        let refused = {
            let mut header = ReportResponse::header(8, 0);
            header[0] = 1;
            header
        };
        for header in [oversized, refused, ReportResponse::header(0, 0), ReportResponse::header(u32::MAX, 9)]
        {
            let mut page = FakePage::answering(&header);
            let mut response = [0; REPORT_OUT_BYTES];
            let result = by_doorbell(&mut FakeMachine::default(), &mut page, &[0; 64], &mut response);
            assert_eq!(result, Err(CallError::NoTee));
        }
    }

    #[test]
    fn an_answer_cut_short_is_no_tee() {
        let mut machine = FakeMachine::default();
        machine.receive_on(port::SERIAL_TEE, &[40, 0, 0, 0, 0, 0]);
        assert_eq!(by_serial(&mut machine, &[0; 64], &mut [0; REPORT_OUT_BYTES]), Err(CallError::NoTee));
    }
}
