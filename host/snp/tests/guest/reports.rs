//! Reports: messages that the host carries.

use crate::seat::{Mischief, Seat, range, report};
use sev::firmware::host::{CertTableEntry, CertType};
use vial_abi::memory::{CERTIFICATES_PA, REQUEST_PA, RESPONSE_PA, SHARED_END_PA, ghcb};
use vial_simulated_snp::Around as _;
use vial_snp::Refusal;
use vial_snp::certificates::report_key;

#[test]
fn a_report_comes_by_message_and_numbers_go_on() {
    let mut seat = Seat::ready();
    let mut secrets = seat.secrets();
    for round in 0_u8..3 {
        let found = seat.report(&mut secrets, &[round; 64]).unwrap();
        assert_eq!(found, report(&[round; 64]));
        assert_eq!(secrets[0xA0], 2 * (round + 1));
    }
    let plain = seat.machine.memory[range(REQUEST_PA, 8192)].windows(64).any(|bytes| bytes == [2; 64]);
    assert!(!plain, "the host reads what was asked");
}

#[test]
fn certificates_come_with_a_report_where_there_is_room() {
    let mut seat = Seat::ready();
    let mut secrets = seat.secrets();
    seat.host.certificates = vec![0xCE; 3 * 4096];
    seat.report(&mut secrets, &[1; 64]).unwrap();
    assert_eq!(seat.machine.memory[range(CERTIFICATES_PA, 3 * 4096)], seat.host.certificates);
    seat.host.certificates = vec![0xDD; 3 * 4096 + 1];
    seat.report(&mut secrets, &[2; 64]).unwrap();
    assert_eq!(seat.machine.memory[range(CERTIFICATES_PA, 24)], [0; 24], "none, and none of before");
    const { assert!(SHARED_END_PA >= CERTIFICATES_PA + 3 * 4096) };
}

#[test]
fn the_reports_key_is_found_in_a_table_that_crate_sev_wrote() {
    let entry = |kind, data: &[u8]| CertTableEntry::new(kind, data.to_vec());
    for (kind, expected) in [(CertType::VCEK, &b"the chip's"[..]), (CertType::VLEK, b"the provider's")] {
        let entries = [entry(CertType::ARK, b"root"), entry(CertType::ASK, b"signer"), entry(kind, expected)];
        let table = CertTableEntry::cert_table_to_vec_bytes(&entries).unwrap();
        assert_eq!(report_key(&table), expected);
        let none = CertTableEntry::cert_table_to_vec_bytes(&entries[..2]).unwrap();
        assert_eq!(report_key(&none), b"");
    }
}

/// Offsets of what an answer holds: tag, number, reserved, algorithm to message version, length, reserved, level, payload.
const ANSWER: [u64; 14] =
    [0, 15, 0x20, 0x27, 0x28, 0x30, 0x31, 0x32, 0x34, 0x35, 0x36, 0x38, 0x3C, 0x60 + 1215];

#[test]
fn answers_that_were_changed_are_refused_and_end_the_key() {
    for offset in ANSWER {
        let mut seat = Seat::ready();
        let mut secrets = seat.secrets();
        let at = usize::try_from(RESPONSE_PA + offset).unwrap();
        seat.mischief = Box::new(move |memory| memory[at] ^= 1);
        assert_eq!(seat.report(&mut secrets, &[7; 64]), Err(Refusal::Report), "{offset:#x}");
        seat.mischief = Box::new(|_| {});
        assert_eq!(seat.report(&mut secrets, &[7; 64]), Err(Refusal::Report), "no second try");
        assert!(secrets[0x20..0x40].iter().all(|&byte| byte == 0));
    }
}

#[test]
fn an_answer_of_before_is_refused() {
    let mut seat = Seat::ready();
    let mut secrets = seat.secrets();
    seat.report(&mut secrets, &[7; 64]).unwrap();
    let old = seat.machine.memory[range(RESPONSE_PA, 4096)].to_vec();
    seat.mischief = Box::new(move |memory| memory[range(RESPONSE_PA, 4096)].copy_from_slice(&old));
    assert_eq!(seat.report(&mut secrets, &[7; 64]), Err(Refusal::Report));
}

#[test]
fn a_request_that_was_changed_gets_no_report() {
    // The host's copy of the request is what the processor sees; here memory is changed before it looks.
    let mut seat = Seat::ready();
    let mut request = [0; 4096];
    seat.machine.read(REQUEST_PA, &mut request).unwrap();
    assert!(seat.host.processor.answer(&request).is_err(), "nothing was asked");
    let mut secrets = seat.secrets();
    seat.report(&mut secrets, &[7; 64]).unwrap();
    seat.machine.read(REQUEST_PA, &mut request).unwrap();
    assert!(seat.host.processor.answer(&request).is_err(), "its number is used up");
}

/// A host that says it is busy, or that something failed, in the second word.
fn saying(result: u64, times: u32) -> Mischief {
    let at = range(ghcb(0) + 0x3A0, 8);
    let mut left = times;
    Box::new(move |memory| {
        if left > 0 {
            left -= 1;
            memory[at.clone()].copy_from_slice(&result.to_le_bytes());
        }
    })
}

#[test]
fn what_the_host_says_of_a_request_decides_about_the_key() {
    for (result, is_lost) in [(1, true), (3 << 32, true), (0x16, true), (u64::MAX, true)] {
        let mut seat = Seat::ready();
        let mut secrets = seat.secrets();
        seat.mischief = saying(result, 1);
        assert_eq!(seat.report(&mut secrets, &[7; 64]).is_err(), is_lost, "{result:#x}");
    }
}

#[test]
fn a_busy_host_is_sent_the_same_message_again() {
    let mut seat = Seat::ready();
    let mut secrets = seat.secrets();
    seat.busy = 5;
    assert_eq!(seat.report(&mut secrets, &[7; 64]), Ok(report(&[7; 64])));
    assert_eq!(seat.sent.len(), 6);
    assert!(seat.sent.windows(2).all(|pair| pair[0] == pair[1]));
    seat.busy = u32::MAX;
    assert_eq!(seat.report(&mut secrets, &[7; 64]), Err(Refusal::Report), "not for ever");
}

#[test]
fn a_host_that_carries_a_message_and_says_it_was_busy_gets_no_second_one() {
    let mut seat = Seat::ready();
    let mut secrets = seat.secrets();
    seat.mischief = saying(2 << 32, 1);
    assert_eq!(seat.report(&mut secrets, &[7; 64]), Err(Refusal::Report));
    assert_eq!(seat.sent.len(), 2);
    assert_eq!(seat.sent[0], seat.sent[1], "a number stands for one text");
}
