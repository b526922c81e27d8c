//! Quotes through a host that is honest, slow or hostile, and genuine ones.

use std::path::{Path, PathBuf};

use serde_json::Value;
use vial_simulated_tdx::{TdInfo, is_genuine};
use vial_tdx::SharedBit;
use vial_tdx::quote::{QuoteError, is_over, is_simulated_over, quote};
use vial_tdx::report::{TdReport, report};
use vial_tdx::vmcall::HostError;

use crate::domain;
use crate::memory::{AfterLook, Memory, Pages};
use crate::seat::Module;

const BUFFER: u64 = 1 << 51 | 0x180_0000;
const BUFFER_BYTES: usize = 4 * 4096;
/// Most looks of a guest that waits.
const LOOKS: u32 = 5;

/// What a quoting enclave makes of a report: nothing if its MAC or hashes are wrong, else a quote of version 4 with a
/// signature that nobody checks here.
fn signed(report: &[u8]) -> Option<Vec<u8>> {
    let header = [&[4, 0, 2, 0, 0x81, 0, 0, 0][..], &[0; 4], &[0x93; 16], &[0; 20]].concat();
    let tcb = &report[264..264 + 16 + 48 + 48 + 8];
    let body = [tcb, &report[512..912], &report[128..192]].concat();
    assert_eq!((header.len(), body.len()), (48, 584));
    let quote = [header, body, 4000_u32.to_le_bytes().to_vec(), vec![0x51; 4000]].concat();
    is_genuine(report.try_into().unwrap()).then_some(quote)
}

/// What a quote says of its domain.
fn from_identity(identity: &[u8]) -> TdInfo {
    let (numbers, rest) = identity.split_at(16);
    let digest = |at: usize| rest[48 * at..48 * at + 48].try_into().unwrap();
    TdInfo {
        attributes: numbers[..8].try_into().unwrap(),
        xfam: numbers[8..].try_into().unwrap(),
        mrtd: digest(0),
        config_id: digest(1),
        owner: digest(2),
        owner_config: digest(3),
        rtmr: core::array::from_fn(|index| digest(4 + index)),
    }
}

/// A domain, its report over nines, and the buffer it shares.
fn start() -> (Module, TdReport, Pages) {
    let (mut module, mut page) = domain();
    let bit = SharedBit::ask(&mut module, 51).unwrap();
    let report = report(&mut module, &mut page, &[9; 64]).unwrap();
    let pages = Pages::new(&page.0, bit, 0x180_0000, BUFFER_BYTES);
    (module, report, pages)
}

fn answer(memory: &mut Memory, status: u64, len: u32, quote: &[u8]) {
    memory.write_shared(BUFFER + 24, quote);
    memory.write_shared(BUFFER + 20, &len.to_le_bytes());
    memory.write_shared(BUFFER + 8, &status.to_le_bytes());
}

/// Asks with a host that does `at_call` when it is called and `after_look` after each look; gives the quote.
fn asked(
    at_call: impl Fn(&mut Memory) + 'static,
    after_look: impl FnMut(u32, &mut Memory) + 'static,
) -> Result<Vec<u8>, QuoteError> {
    let (mut module, report, mut pages) = start();
    let memory = pages.memory.clone();
    module.host = Box::new(move |registers| {
        assert_eq!(registers, [0, 0x10002, BUFFER, BUFFER_BYTES as u64, 0, 0]);
        at_call(&mut memory.borrow_mut());
        [0; 6]
    });
    let hook: AfterLook = Box::new(after_look);
    *pages.after_look.borrow_mut() = hook;
    let (mut to, mut looks) = ([0; 8192], 0);
    let may_wait = || {
        looks += 1;
        looks < LOOKS
    };
    quote(&mut module, &mut pages, &report, &mut to, is_over, may_wait).map(|len| to[..len].to_vec())
}

/// What an honest host does: has the report that lies in the buffer signed.
fn sign(memory: &mut Memory) {
    assert_eq!(memory.shared_bytes(BUFFER, 8), 1_u64.to_le_bytes(), "version");
    assert_eq!(memory.shared_bytes(BUFFER + 16, 8), 1024_u64.to_le_bytes(), "lengths");
    let quote = signed(&memory.shared_bytes(BUFFER + 24, 1024)).unwrap();
    answer(memory, 0, quote.len() as u32, &quote);
}

fn in_flight(memory: &mut Memory) {
    memory.write_shared(BUFFER + 8, &u64::MAX.to_le_bytes());
}

/// The quote over [`start`]'s report.
fn ours() -> Vec<u8> {
    signed(start().1.bytes()).unwrap()
}

#[test]
fn a_host_that_is_honest_gives_a_quote_at_once_or_later() {
    assert_eq!(asked(sign, |_, _| ()), Ok(ours()));
    let later = |look: u32, memory: &mut Memory| {
        if look == 3 {
            sign(memory);
        }
    };
    assert_eq!(asked(in_flight, later), Ok(ours()));
}

#[test]
fn a_host_that_never_ends_is_given_up() {
    assert_eq!(asked(in_flight, |_, _| ()), Err(QuoteError::Late));
}

#[test]
fn a_host_that_does_nothing_gives_no_quote() {
    // Status and length are still those of the request.
    assert_eq!(asked(|_| (), |_, _| ()), Err(QuoteError::Length(0)));
}

#[test]
fn a_failure_is_named_by_its_status() {
    for status in [1, 1 << 63, 1 << 63 | 1, u64::MAX - 1] {
        let failed = move |memory: &mut Memory| {
            sign(memory);
            memory.write_shared(BUFFER + 8, &status.to_le_bytes());
        };
        assert_eq!(asked(failed, |_, _| ()), Err(QuoteError::Failed(status)));
    }
    let other_version = |memory: &mut Memory| {
        sign(memory);
        memory.write_shared(BUFFER, &2_u64.to_le_bytes());
    };
    assert_eq!(asked(other_version, |_, _| ()), Err(QuoteError::Version(2)));
}

#[test]
fn lengths_beyond_buffer_or_memory_are_refused() {
    for len in [8193, (BUFFER_BYTES - 23) as u32, BUFFER_BYTES as u32, u32::MAX, 0] {
        let result = asked(move |memory| answer(memory, 0, len, &ours()), |_, _| ());
        assert_eq!(result, Err(QuoteError::Length(len as usize)));
    }
    // A buffer smaller than the memory for the quote bounds it, too.
    let (mut module, report, pages) = start();
    let bit = SharedBit::ask(&mut module, 51).unwrap();
    let mut small = Pages::new(&pages.memory, bit, 0x200_0000, 4096);
    let memory = pages.memory.clone();
    module.host = Box::new(move |registers| {
        memory.borrow_mut().write_shared(registers[2] + 20, &4073_u32.to_le_bytes());
        [0; 6]
    });
    let result = quote(&mut module, &mut small, &report, &mut [0; 8192], is_over, || false);
    assert_eq!(result, Err(QuoteError::Length(4073)));
}

#[test]
fn a_header_that_changes_after_it_was_read_changes_nothing() {
    let grow = |look: u32, memory: &mut Memory| {
        if look == 1 {
            memory.write_shared(BUFFER, &[0xFF; 24]);
        }
    };
    assert_eq!(asked(sign, grow), Ok(ours()));
}

#[test]
fn a_quote_that_changes_after_it_was_copied_changes_nothing() {
    let wipe = |look: u32, memory: &mut Memory| {
        if look == 2 {
            memory.write_shared(BUFFER, &[0xFF; 8192]);
        }
    };
    assert_eq!(asked(sign, wipe), Ok(ours()));
    let early = |look: u32, memory: &mut Memory| {
        if look == 1 {
            memory.write_shared(BUFFER + 24 + 48 + 520, &[8]);
        }
    };
    assert_eq!(asked(sign, early), Err(QuoteError::Foreign), "between header and copy");
}

#[test]
fn the_quote_of_another_report_or_another_domain_is_refused() {
    let (module, ..) = start();
    let mut other = module.info;
    other.mrtd[0] ^= 1;
    let over = |info: &TdInfo, data: u8| signed(&info.report(&[data; 64])).unwrap();
    for foreign in [over(&module.info, 8), over(&other, 9)] {
        let len = foreign.len() as u32;
        let result = asked(move |memory| answer(memory, 0, len, &foreign), |_, _| ());
        assert_eq!(result, Err(QuoteError::Foreign));
    }
}

#[test]
fn a_report_that_the_host_changes_is_signed_by_no_enclave() {
    let (_, report, _) = start();
    for at in [0, 128, 224, 300, 528, 1023] {
        let mut changed = *report.bytes();
        changed[at] ^= 1;
        assert_eq!(signed(&changed), None, "{at}");
    }
}

#[test]
fn a_buffer_too_small_and_a_host_that_refuses_are_named() {
    let (mut module, report, mut pages) = start();
    let refused = quote(&mut module, &mut pages, &report, &mut [0; 8192], is_over, || false);
    assert_eq!(refused, Err(QuoteError::Host(HostError::Operand)));
    let mut none = Pages::new(&pages.memory, SharedBit::ask(&mut module, 51).unwrap(), 0x300_0000, 0);
    let refused = quote(&mut module, &mut none, &report, &mut [0; 8192], is_over, || false);
    assert_eq!(refused, Err(QuoteError::Buffer));
}

#[test]
fn quotes_of_other_forms_and_every_cut_are_refused() {
    let (_, report, _) = start();
    let ours = ours();
    for (at, value) in [(0, 3), (0, 6), (1, 1), (4, 0), (7, 1)] {
        let mut changed = ours.clone();
        changed[at] = value;
        assert_eq!(is_over(&changed, &report), Err(QuoteError::Form), "{at}");
    }
    for end in 0..48 + 584 {
        assert_eq!(is_over(&ours[..end], &report), Err(QuoteError::Form), "{end}");
    }
    assert_eq!(is_over(&ours[..48 + 584], &report), Ok(()));
}

#[test]
fn the_simulated_tees_quote_is_over_one_domain_and_one_report() {
    let (_, report, _) = start();
    let mut quote = vec![0xAB; 1184];
    quote[0x50..0x90].copy_from_slice(&report.report_data());
    quote[0x90..0xC0].copy_from_slice(&report.mrtd());
    assert_eq!(is_simulated_over(&quote, &report), Ok(()));
    for at in [0x50, 0x8F, 0x90, 0xBF] {
        let mut changed = quote.clone();
        changed[at] ^= 1;
        assert_eq!(is_simulated_over(&changed, &report), Err(QuoteError::Foreign), "{at:#x}");
    }
    assert_eq!(is_simulated_over(&quote[..1183], &report), Err(QuoteError::Form));
    assert_eq!(is_simulated_over(&ours(), &report), Err(QuoteError::Form));
}

/// Quotes that ship in the sources of crate `dcap-qvl`, if they are here.
fn samples() -> Option<PathBuf> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = std::process::Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--filter-platform", &platform])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).ok()?;
    let package = metadata["packages"].as_array()?.iter().find(|package| package["name"] == "dcap-qvl")?;
    Some(Path::new(package["manifest_path"].as_str()?).with_file_name("sample"))
}

/// A report of the domain and over the data that a quote names. Its body starts at `body`: header of 48 bytes, in version 5
/// type (2) and length (4) of the body.
fn report_of(quote: &[u8], body: usize) -> TdReport {
    let (mut module, mut page) = domain();
    module.info = from_identity(&quote[body + 120..body + 520]);
    report(&mut module, &mut page, quote[body + 520..body + 584].try_into().unwrap()).unwrap()
}

#[test]
#[expect(clippy::print_stdout, reason = "what is skipped is said")]
fn genuine_quotes_are_known_by_what_they_repeat_and_by_no_byte_less() {
    let Some(folder) = samples().filter(|folder| folder.is_dir()) else {
        println!("skipped: the sources of crate dcap-qvl are not here");
        return;
    };
    for (name, body) in [("tdx_quote", 48), ("tdx_quote_outdated", 54), ("tdx_quote_td15ex", 54)] {
        let quote = std::fs::read(folder.join(name)).unwrap();
        let report = report_of(&quote, body);
        assert_eq!(is_over(&quote, &report), Ok(()), "{name}");
        for at in body + 120..body + 584 {
            let mut changed = quote.clone();
            changed[at] ^= 1;
            assert_eq!(is_over(&changed, &report), Err(QuoteError::Foreign), "{name} {at}");
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "what is skipped is said")]
fn a_recorded_quote_has_its_nonce_where_report_data_are_looked_for() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence/tdx/gcp-cos113-ccel");
    let (Ok(quote), Ok(nonce)) =
        (std::fs::read(folder.join("cos-113-tdx-quote.dat")), std::fs::read(folder.join("nonce.dat")))
    else {
        println!("skipped: no recording of gcp-cos113-ccel");
        return;
    };
    let report = report_of(&quote, 48);
    assert_eq!(report.report_data()[..nonce.len()], nonce);
    assert_eq!(is_over(&quote, &report), Ok(()));
}
