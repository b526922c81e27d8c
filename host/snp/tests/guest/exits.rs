//! What guest and host agree on, and what the host does for the guest.

use crate::seat::{C_BIT, MEMORY, Machine, Seat, range};
use core::cell::RefCell;
use vial_abi::memory::{LARGE_PAGE, Region, ghcb};
use vial_simulated_snp::{State, Then};
use vial_snp::exits::Width;
use vial_snp::pages::{self, validate};
use vial_snp::{Invalid, PageSize, Processor, Refusal, protocol};

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
