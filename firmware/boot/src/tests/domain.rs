//! Boots of a trust domain.

use alloc::vec::Vec;
use vial_abi::call::CallError;
use vial_abi::launch_page::Tee;
use vial_abi::memory::HANDOFF_PA;
use vial_abi::{ExitCode, Handoff};
use vial_weights::event_log;
use vial_weights::rtmr::Rtmr;

use super::{FakeMachine, Sealed};

/// Firmware of a trust domain whose image is right.
fn in_a_domain(machine: &mut FakeMachine) -> Result<(), ExitCode> {
    let mut sealed = Sealed::new();
    sealed.launch.tee = Tee::SimulatedTdx { shared_bit: 45 };
    sealed.boot(machine)
}

#[test]
fn run_time_registers_hold_every_event_of_the_log() {
    let mut machine = FakeMachine::default();
    in_a_domain(&mut machine).unwrap();
    let handoff = machine.puts.iter().find(|(pa, _)| *pa == HANDOFF_PA).unwrap();
    let handoff = Handoff::decode(handoff.1.as_slice().try_into().unwrap()).unwrap();
    let (_, log) = machine.puts.iter().find(|(pa, _)| *pa == handoff.event_log.pa).unwrap();
    let (events, _) = event_log::replay(log).unwrap();
    let expected: Vec<_> = events.iter().map(|event| (register(&event.name), event.digest)).collect();
    assert_eq!(machine.extended, expected);
    let mut plain = FakeMachine::default();
    Sealed::new().boot(&mut plain).unwrap();
    assert!(plain.extended.is_empty());
}

fn register(event: &[u8]) -> u8 {
    Rtmr::of(event).unwrap().index()
}

#[test]
fn a_register_that_is_not_extended_and_a_foreign_quote_have_codes_of_their_own() {
    let mut stubborn = FakeMachine { is_stubborn: true, ..FakeMachine::default() };
    assert_eq!(in_a_domain(&mut stubborn), Err(ExitCode::TdxModule));
    let mut foreign = FakeMachine { refuses: Some(CallError::ForeignQuote), ..FakeMachine::default() };
    assert_eq!(in_a_domain(&mut foreign), Err(ExitCode::ForeignQuote));
}
