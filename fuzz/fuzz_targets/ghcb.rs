//! A hostile host of a guest of SEV-SNP: what it answers and what shared memory then holds. It may do as it should, too, and ask the
//! secure processor whatever it likes: it has no key. A script chooses what the guest wants, and what the host does about it.
#![no_main]

use core::cell::Cell;
use std::collections::BTreeMap;
use vial_abi::memory::{LARGE_PAGE, PAGE, REQUEST_PA, RESPONSE_PA, Region, SHARED_END_PA, SHARED_PA, ghcb};
use vial_abi::report::{REPORT_BYTES, ReportResponse};
use vial_fuzz::{Memory, Script};
use vial_simulated_snp::{Cpu, Ownership, SecureProcessor};
use vial_snp::exits::Width;
use vial_snp::ghcb::Ghcb;
use vial_snp::pages::{State, validate};
use vial_snp::secrets::Secrets;
use vial_snp::{Invalid, PageSize, Processor, Refusal, protocol, request};

const C_BIT: u8 = 51;
/// Where a host has something to win: what answers are read from.
const PLACES: [u64; 9] = [0x1F8, 0x308, 0x310, 0x318, 0x390, 0x398, 0x3A0, 0x3A8, 0x800];
/// More than all that is bounded takes for one wish: four rounds of a list of pages.
const EXITS_MAX: u32 = 4 << 12;

struct Host<'a> {
    script: Script<'a>,
    played: vial_simulated_snp::Host,
    cpu: Cpu,
    memory: Memory,
    /// After so many reads one finds this.
    lie: Cell<Option<(u8, u64)>>,
    exits: u32,
    /// Messages by number.
    sent: BTreeMap<u64, Vec<u8>>,
}

fn report(data: &[u8; 64]) -> Vec<u8> {
    let mut report = vec![0xAB; REPORT_BYTES];
    report[0x50..0x90].copy_from_slice(data);
    report
}

impl<'a> Host<'a> {
    fn new(script: Script<'a>) -> Self {
        let processor = SecureProcessor::new([[1; 32], [2; 32], [3; 32], [4; 32]], Box::new(report));
        let (ownership, certificates) = (Ownership::shared([0..16 << 20, 0..0]), vec![0xCE; 24]);
        Self {
            script,
            played: vial_simulated_snp::Host {
                ownership,
                processor,
                certificates,
                c_bit: C_BIT,
                is_forgetful: false,
            },
            cpu: Cpu::default(),
            memory: Memory::zeros(SHARED_PA..SHARED_END_PA),
            lie: Cell::new(None),
            exits: 0,
            sent: BTreeMap::new(),
        }
    }

    fn act(&mut self) -> bool {
        match self.script.byte() % 7 {
            1 => self.cpu.register = self.script.word(),
            2 => drop(self.played.exit(&mut self.cpu, &mut self.memory)),
            3 => {
                let place = usize::from(self.script.byte()) % PLACES.len();
                let value = self.script.word();
                self.memory.write(ghcb(0) + PLACES[place], &value.to_le_bytes());
            }
            4 => {
                let [low, high, value, _] = (self.script.word() as u32).to_le_bytes();
                let offset = u64::from(u16::from_le_bytes([low, high])) % PAGE;
                self.memory.write(RESPONSE_PA + offset, &[value]);
            }
            5 => self.lie.set(Some((self.script.byte(), self.script.word()))),
            6 => {
                let mut asked = [0; 4096];
                self.memory.read(REQUEST_PA, &mut asked);
                if let Ok(answer) = self.played.processor.answer(&asked) {
                    self.memory.write(RESPONSE_PA, &answer);
                }
            }
            _ => return false,
        }
        true
    }

    /// A number is never sent with two texts: it is the nonce.
    fn note(&mut self) {
        let mut message = vec![0; 0x60 + 96];
        self.memory.read(REQUEST_PA, &mut message);
        let number = u64::from_le_bytes(*message[0x20..].first_chunk().unwrap());
        let first = self.sent.entry(number).or_insert_with(|| message.clone());
        assert!(number == 0 || *first == message, "two texts under one number");
    }
}

impl Processor for Host<'_> {
    fn register(&self) -> u64 {
        self.cpu.register
    }
    fn set_register(&mut self, value: u64) {
        self.cpu.register = value;
    }
    fn exit(&mut self) {
        self.exits += 1;
        assert!(self.exits <= EXITS_MAX, "no end");
        self.note();
        if self.script.0.is_empty() {
            self.memory.write(ghcb(0) + 0x398, &[1]);
        }
        for _ in 0..8 {
            if !self.act() {
                break;
            }
        }
    }
    fn exit_until_interrupt(&mut self) {
        self.exit();
    }
    fn pvalidate(&mut self, _va: u64, _size: PageSize, _is_valid: bool) -> Result<(), Invalid> {
        match self.script.byte() {
            1 => Err(Invalid::Size),
            2 => Err(Invalid::Unchanged),
            3 => Err(Invalid::Failed),
            _ => Ok(()),
        }
    }
    fn shared(&self, pa: u64) -> u64 {
        match self.lie.take() {
            Some((0, lie)) => return lie,
            later => self.lie.set(later.map(|(reads, lie)| (reads - 1, lie))),
        }
        let mut word = [0; 8];
        self.memory.read(pa, &mut word).expect("the guest reads what is shared");
        u64::from_le_bytes(word)
    }
    fn set_shared(&mut self, pa: u64, value: u64) {
        self.memory.write(pa, &value.to_le_bytes()).expect("the guest writes what is shared");
    }
}

/// One wish by the page; none ends the guest.
fn wish(host: &mut Host<'_>, kind: u8) {
    let (number, value) = (host.script.byte(), host.script.word());
    let mut ghcb = Ghcb::at(ghcb(0), host);
    let _done = match kind {
        0 => ghcb.write_port(number.into(), Width::Byte, 1),
        1 => ghcb.write_port(number.into(), Width::Word, 1),
        2 => ghcb.read_port(number.into()).map(drop),
        3 => ghcb.read_msr(number.into()).map(drop),
        4 => ghcb.write_msr(number.into(), value),
        5 => ghcb.read_device(value).map(drop),
        6 => ghcb.write_device(value, 1),
        7 => {
            ghcb.halt();
            Ok(())
        }
        _ => {
            let page = if kind == 8 { PAGE } else { LARGE_PAGE };
            let region = Region { pa: 2 * LARGE_PAGE, len: page * u64::from(number) };
            let state = if value & 1 == 0 { State::Private } else { State::Shared };
            ghcb.set_state(region, state).and_then(|()| validate(host, region.pa, region.len))
        }
    };
}

/// Whatever the host does, a report is the secure processor's, over this data; otherwise the key is gone.
fn ask(host: &mut Host<'_>, page: &mut [u8; 4096], round: u8) {
    let (mut out, data) = ([0; 4096], [round; 64]);
    let mut secrets = Secrets::new(page);
    match request::report(&mut Ghcb::at(ghcb(0), host), &mut secrets, &data, &mut out) {
        Ok(used) => assert_eq!(ReportResponse::decode(&out[..used]).unwrap().report, report(&data)),
        Err(refusal) => {
            assert!(matches!(refusal, Refusal::Report | Refusal::Host), "{refusal:?}");
            assert_eq!(secrets.key(), Err(Refusal::Report));
        }
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut host = Host::new(Script(data));
    let mut page: [u8; 4096] = host.played.processor.secrets().try_into().unwrap();
    let _agreed = protocol::negotiate(&mut host, C_BIT);
    let _shared = protocol::share(&mut host, ghcb(0));
    let _registered = protocol::register(&mut host, ghcb(0));
    for round in 0..u8::MAX {
        host.exits = 0;
        host.cpu.register = ghcb(0);
        match host.script.byte() % 12 {
            _ if host.script.0.is_empty() => break,
            kind @ 0..10 => wish(&mut host, kind),
            _ => ask(&mut host, &mut page, round),
        }
    }
    protocol::terminate(&mut host, 1);
});
