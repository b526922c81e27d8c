//! The guest's side, `vial-snp`, against the host and the secure processor that are played here.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use core::cell::RefCell;
use vial_abi::memory::{CERTIFICATES_PA, LARGE_PAGE, REQUEST_PA, RESPONSE_PA, Region, SHARED_END_PA, ghcb};
use vial_abi::report::{REPORT_BYTES, ReportResponse};
use vial_simulated_snp::{
    Around, Cpu, Host, Offence, Outcome, Ownership, SecureProcessor, Size, State, Then,
};
use vial_snp::exits::Width;
use vial_snp::ghcb::Ghcb;
use vial_snp::pages::{self, validate};
use vial_snp::secrets::Secrets;
use vial_snp::{Invalid, PageSize, Processor, Refusal, protocol, request};

const C_BIT: u8 = 51;
const MEMORY: u64 = 16 << 20;
const KEYS: [[u8; 32]; 4] = [[1; 32], [2; 32], [3; 32], [4; 32]];

/// What the host does beside what it should.
type Mischief = Box<dyn FnMut(&mut Vec<u8>)>;

/// Shared memory, ports and registers.
#[derive(Default)]
struct Machine {
    memory: Vec<u8>,
    ports: Vec<(u16, Vec<u8>)>,
    devices: Vec<(u64, Vec<u8>)>,
    msrs: Vec<(u32, u64)>,
}

fn range(pa: u64, len: usize) -> core::ops::Range<usize> {
    let start = usize::try_from(pa).unwrap();
    start..start + len
}

impl Around for Machine {
    fn read(&self, pa: u64, to: &mut [u8]) -> Option<()> {
        to.copy_from_slice(self.memory.get(range(pa, to.len()))?);
        Some(())
    }
    fn write(&mut self, pa: u64, from: &[u8]) -> Option<()> {
        self.memory.get_mut(range(pa, from.len()))?.copy_from_slice(from);
        Some(())
    }
    fn out(&mut self, port: u16, bytes: &[u8]) {
        self.ports.push((port, bytes.to_vec()));
    }
    fn input(&mut self, port: u16, bytes: &mut [u8]) {
        bytes.fill(port.to_le_bytes()[0]);
    }
    fn write_device(&mut self, pa: u64, bytes: &[u8]) {
        self.devices.push((pa, bytes.to_vec()));
    }
    fn read_device(&mut self, pa: u64, bytes: &mut [u8]) {
        bytes.copy_from_slice(&pa.to_le_bytes()[..bytes.len()]);
    }
    fn write_msr(&mut self, register: u32, value: u64) -> Option<()> {
        (register != 0xBAD).then(|| self.msrs.push((register, value)))
    }
    fn read_msr(&mut self, register: u32) -> Option<u64> {
        (register != 0xBAD).then_some(u64::from(register) << 32 | 5)
    }
}

/// A cpu of the guest.
struct Seat {
    host: Host,
    cpu: Cpu,
    machine: Machine,
    then: Result<Then, Offence>,
    /// How the host changes memory behind each exit.
    mischief: Mischief,
    /// Large pages that the host backs by small ones.
    small: Vec<u64>,
    /// How often the host says that it is busy, and carries nothing.
    busy: u32,
    /// Messages that it was to carry.
    sent: Vec<Vec<u8>>,
}

fn report(data: &[u8; 64]) -> Vec<u8> {
    let mut report = vec![0xAB; REPORT_BYTES];
    report[0x50..0x90].copy_from_slice(data);
    report
}

impl Seat {
    fn new() -> Self {
        let processor = SecureProcessor::new(KEYS, Box::new(report));
        let ownership = Ownership::shared([0..MEMORY, 0..0]);
        let machine = Machine { memory: vec![0; usize::try_from(MEMORY).unwrap()], ..Machine::default() };
        Self {
            host: Host { ownership, processor, certificates: Vec::new(), c_bit: C_BIT },
            cpu: Cpu::default(),
            machine,
            then: Ok(Then::Resumed),
            mischief: Box::new(|_| {}),
            small: Vec::new(),
            busy: 0,
            sent: Vec::new(),
        }
    }

    /// One whose GHCB is registered.
    fn ready() -> Self {
        let mut seat = Self::new();
        protocol::negotiate(&mut seat, C_BIT).unwrap();
        protocol::share(&mut seat, ghcb(0)).unwrap();
        protocol::register(&mut seat, ghcb(0)).unwrap();
        seat
    }

    fn ghcb(&mut self) -> Ghcb<'_, Self> {
        Ghcb::at(ghcb(0), self)
    }

    fn secrets(&self) -> [u8; 4096] {
        self.host.processor.secrets().try_into().unwrap()
    }

    fn report(&mut self, secrets: &mut [u8; 4096], data: &[u8; 64]) -> Result<Vec<u8>, Refusal> {
        let mut out = [0; 4096];
        let used = request::report(&mut self.ghcb(), &mut Secrets::new(secrets), data, &mut out)?;
        Ok(ReportResponse::decode(&out[..used]).unwrap().report.to_vec())
    }
}

impl Processor for Seat {
    fn register(&self) -> u64 {
        self.cpu.register
    }
    fn set_register(&mut self, value: u64) {
        self.cpu.register = value;
    }
    fn exit(&mut self) {
        let code = self.machine.memory[range(ghcb(0) + 0x390, 8)].to_vec();
        let is_message = self.cpu.register == ghcb(0) && [0x11, 0x12].contains(&code[0]) && code[3] == 0x80;
        if is_message {
            self.sent.push(self.machine.memory[range(REQUEST_PA, 192)].to_vec());
        }
        if is_message && self.busy > 0 {
            self.busy -= 1;
            self.machine.write(ghcb(0) + 0x398, &[[0; 8], (2_u64 << 32).to_le_bytes()].concat()).unwrap();
            return;
        }
        self.then = self.host.exit(&mut self.cpu, &mut self.machine);
        (self.mischief)(&mut self.machine.memory);
    }
    fn exit_until_interrupt(&mut self) {
        self.exit();
    }
    fn pvalidate(&mut self, va: u64, size: PageSize, is_valid: bool) -> Result<(), Invalid> {
        let size = match size {
            PageSize::Large if self.small.contains(&va) => return Err(Invalid::Size),
            PageSize::Large => Size::Large,
            PageSize::Small => Size::Small,
        };
        match self.host.ownership.validate(va, size, is_valid) {
            Outcome::Changed => Ok(()),
            Outcome::Unchanged => Err(Invalid::Unchanged),
            Outcome::Failed => Err(Invalid::Failed),
        }
    }
    fn shared(&self, pa: u64) -> u64 {
        let mut word = [0; 8];
        self.machine.read(pa, &mut word).unwrap();
        u64::from_le_bytes(word)
    }
    fn set_shared(&mut self, pa: u64, value: u64) {
        assert_eq!(self.host.ownership.of(pa), State::Shared, "{pa:#x}");
        self.machine.write(pa, &value.to_le_bytes()).unwrap();
    }
}

#[test]
fn guest_and_host_agree_on_version_c_bit_and_page() {
    let seat = Seat::ready();
    assert_eq!(seat.cpu.register, ghcb(0));
    let mut other = Seat::new();
    other.host.c_bit = 47;
    assert_eq!(protocol::negotiate(&mut other, C_BIT), Err(Refusal::Protocol));
}

/// A host that answers each question in the register by its own words.
struct Answers(Vec<u64>, RefCell<Vec<u64>>);

impl Processor for Answers {
    fn register(&self) -> u64 {
        self.1.borrow_mut().remove(0)
    }
    fn set_register(&mut self, value: u64) {
        self.0.push(value);
    }
    fn exit(&mut self) {}
    fn exit_until_interrupt(&mut self) {}
    fn pvalidate(&mut self, _va: u64, _size: PageSize, _is_valid: bool) -> Result<(), Invalid> {
        Err(Invalid::Failed)
    }
    fn shared(&self, _pa: u64) -> u64 {
        0
    }
    fn set_shared(&mut self, _pa: u64, _value: u64) {}
}

#[test]
fn hosts_that_speak_otherwise_are_refused() {
    let right = [0x0002_0001_3300_0001, 0x1081];
    let negotiate = |answers: [u64; 2]| {
        protocol::negotiate(&mut Answers(Vec::new(), RefCell::new(answers.into())), C_BIT)
    };
    assert_eq!(negotiate(right), Ok(()));
    let wrong = [
        [0x0001_0001_3300_0001, right[1]],
        [0x0004_0003_3300_0001, right[1]],
        [0x0002_0001_2F00_0001, right[1]],
        [0x0002_0001_3300_0002, right[1]],
        [right[0], 0x0081],
        [right[0], 0x1080],
    ];
    for answers in wrong {
        assert_eq!(negotiate(answers), Err(Refusal::Protocol), "{answers:x?}");
    }
    let answering = |answer| Answers(Vec::new(), RefCell::new(vec![answer]));
    assert_eq!(protocol::share(&mut answering(1 << 32 | 0x015), 0x1000), Err(Refusal::Host));
    assert_eq!(protocol::share(&mut answering(0x014), 0x1000), Err(Refusal::Host));
    assert_eq!(protocol::register(&mut answering(0x2013), 0x1000), Err(Refusal::Host));
    assert_eq!(protocol::register(&mut answering(u64::MAX), 0x1000), Err(Refusal::Host));
    let mut asked = answering(0x1013);
    protocol::register(&mut asked, 0x1000).unwrap();
    assert_eq!(asked.0, [0x1012, 0x1000], "the page stays in the register");
}

#[test]
fn ports_registers_and_devices_are_the_hosts() {
    let mut seat = Seat::ready();
    let mut ghcb = seat.ghcb();
    ghcb.write_port(0xF4, Width::Byte, 0x77).unwrap();
    ghcb.write_port(0x600, Width::Word, 0x1234_5678).unwrap();
    assert_eq!(ghcb.read_port(0x3FD), Ok(0xFD));
    ghcb.write_msr(0x830, 0x1_0000_4620).unwrap();
    assert_eq!(ghcb.read_msr(0x1B), Ok(0x1B_0000_0005));
    ghcb.write_device(0xFEB0_0050, 7).unwrap();
    assert_eq!(ghcb.read_device(0xFEB0_0200), Ok(0xFEB0_0200));
    assert_eq!(ghcb.read_msr(0xBAD), Err(Refusal::Host));
    assert_eq!(ghcb.write_msr(0xBAD, 1), Err(Refusal::Host));
    ghcb.halt();
    assert_eq!(seat.then, Ok(Then::Halted));
    let Machine { ports, msrs, devices, .. } = &seat.machine;
    assert_eq!(*ports, [(0xF4, vec![0x77]), (0x600, vec![0x78, 0x56, 0x34, 0x12])]);
    assert_eq!(
        (msrs.as_slice(), devices.as_slice()),
        (&[(0x830, 0x1_0000_4620)][..], &[(0xFEB0_0050, vec![7, 0, 0, 0])][..])
    );
}

#[test]
fn a_reason_to_end_needs_no_page() {
    let mut seat = Seat::new();
    protocol::terminate(&mut seat, Refusal::Memory.code().value());
    assert_eq!(seat.then, Ok(Then::Ended(53)));
}

#[test]
fn memory_is_asked_for_and_then_validated_once() {
    let mut seat = Seat::ready();
    let region = Region { pa: 4 * LARGE_PAGE, len: 2 * LARGE_PAGE };
    seat.ghcb().set_state(region, pages::State::Private).unwrap();
    assert_eq!(seat.host.ownership.of(region.pa), State::Assigned);
    seat.small = vec![region.pa];
    validate(&mut seat, region.pa, region.len).unwrap();
    assert_eq!(seat.host.ownership.of(region.pa + region.len - 1), State::Validated);
    assert_eq!(validate(&mut seat, region.pa, region.len), Err(Refusal::Memory), "validated twice");
    seat.small.clear();
    assert_eq!(validate(&mut seat, region.pa, region.len), Err(Refusal::Memory), "validated twice");
    assert_eq!(validate(&mut seat, 2 * LARGE_PAGE, LARGE_PAGE), Err(Refusal::Memory), "the host's");
}

#[test]
fn more_pages_than_one_wish_holds_take_several() {
    let mut seat = Seat::ready();
    let region = Region { pa: 4 * LARGE_PAGE + 4096, len: 600 * 4096 };
    seat.ghcb().set_state(region, pages::State::Private).unwrap();
    for (pa, state) in [
        (region.pa - 1, State::Shared),
        (region.pa, State::Assigned),
        (region.pa + region.len - 1, State::Assigned),
        (region.pa + region.len, State::Shared),
    ] {
        assert_eq!(seat.host.ownership.of(pa), state, "{pa:#x}");
    }
}

#[test]
fn a_host_that_does_nothing_about_pages_or_refuses_is_given_up() {
    let header = range(ghcb(0) + 0x800, 2);
    let mut lazy = Seat::ready();
    lazy.mischief = Box::new(move |memory| memory[header.clone()].fill(0));
    let region = Region { pa: 4 * LARGE_PAGE, len: 4096 };
    assert_eq!(lazy.ghcb().set_state(region, pages::State::Private), Err(Refusal::Host));
    let mut seat = Seat::ready();
    let beyond = Region { pa: MEMORY, len: 4096 };
    assert_eq!(seat.ghcb().set_state(beyond, pages::State::Private), Err(Refusal::Host));
}

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
