//! Calls of the host: what it is shown, and what is made of its answers.

use core::cell::RefCell;
use std::rc::Rc;

use vial_tdx::end::report_fatal_error;
use vial_tdx::instruction::{
    Width, cpuid, halt, read_mmio, read_msr, read_port, write_mmio, write_msr, write_port,
};
use vial_tdx::map::{make_private, share};
use vial_tdx::status::Refusal;
use vial_tdx::vmcall::{HostError, vmcall};
use vial_tdx::{Registers, SharedBit, Tdcall};

use crate::domain;
use crate::seat::Module;

const SHARED: u64 = 1 << 51;

/// What the host saw, call by call: R10 to R15.
type Seen = Rc<RefCell<Vec<[u64; 6]>>>;

/// A domain whose host gives `answers` in turn (R10, R11), then repeats the last.
fn answered(answers: &[[u64; 2]]) -> (Module, Seen) {
    let (mut module, _) = domain();
    let seen = Seen::default();
    let (answers, log) = (answers.to_vec(), seen.clone());
    module.host = Box::new(move |registers| {
        let at = log.borrow().len().min(answers.len() - 1);
        log.borrow_mut().push(registers);
        // What it answers beside R10 and R11 is noise that nothing may depend on.
        [answers[at][0], answers[at][1], !0, !0, !0, !0]
    });
    (module, seen)
}

fn bit(module: &mut Module) -> SharedBit {
    SharedBit::ask(module, 51).unwrap()
}

#[test]
fn each_instruction_has_its_number_and_operands() {
    let (mut module, seen) = answered(&[[0, 0xFFFF_FFFF_FFFF_FF12]]);
    let gpa = bit(&mut module).share(0xFEB0_0000);
    assert_eq!(read_port(&mut module, 0x3F8, Width::One), Ok(0x12));
    write_port(&mut module, 0x3F8, Width::Four, 0x1_0000_0041).unwrap();
    assert_eq!(read_mmio(&mut module, gpa, Width::Two), Ok(0xFF12));
    write_mmio(&mut module, gpa, Width::Eight, u64::MAX).unwrap();
    assert_eq!(read_msr(&mut module, 0x1B), Ok(0xFFFF_FFFF_FFFF_FF12));
    write_msr(&mut module, 0x1B, 7).unwrap();
    halt(&mut module, true).unwrap();
    assert_eq!(cpuid(&mut module, 0x4000_0001, 7), Ok([!0; 4]));
    report_fatal_error(&mut module, 77);
    let place = 0xFEB0_0000 | SHARED;
    let expected = [
        [0, 30, 1, 0, 0x3F8, 0],
        [0, 30, 4, 1, 0x3F8, 0x41],
        [0, 48, 2, 0, place, 0],
        [0, 48, 8, 1, place, u64::MAX],
        [0, 31, 0x1B, 0, 0, 0],
        [0, 32, 0x1B, 7, 0, 0],
        [0, 12, 1, 0, 0, 0],
        [0, 10, 0x4000_0001, 7, 0, 0],
        [0, 0x10003, 77, 0, 0, 0],
    ];
    assert_eq!(*seen.borrow(), expected);
}

#[test]
fn eight_bytes_of_a_port_are_refused_without_asking() {
    let (mut module, seen) = answered(&[[0, 0]]);
    assert_eq!(read_port(&mut module, 0x3F8, Width::Eight), Err(HostError::Operand));
    assert_eq!(write_port(&mut module, 0x3F8, Width::Eight, 1), Err(HostError::Operand));
    assert_eq!(seen.borrow().len(), 0);
}

#[test]
fn each_status_of_the_host_is_named_and_none_but_zero_is_success() {
    let error = |status: u64| vmcall(&mut answered(&[[status, 0x77]]).0, 0x10000, [0; 4]).unwrap_err();
    assert_eq!(error(1), HostError::Retry(0x77));
    assert_eq!(error(1 << 63), HostError::Operand);
    assert_eq!(error(1 << 63 | 1), HostError::InUse);
    assert_eq!(error(1 << 63 | 2), HostError::Unaligned);
    for status in [2, 1 << 62, 1 << 63 | 3, u64::MAX] {
        assert_eq!(error(status), HostError::Unknown(status));
    }
}

/// A module that passes on nothing.
struct Deaf;

impl Tdcall for Deaf {
    fn tdcall(&mut self, _leaf: u64, registers: Registers) -> Registers {
        Registers { rax: 0xC000_0100_0000_0001, ..registers }
    }
}

#[test]
fn a_call_that_the_module_does_not_pass_on_is_no_answer() {
    assert_eq!(vmcall(&mut Deaf, 30, [0; 4]), Err(HostError::Module(Refusal::Operand(1))));
    assert_eq!(SharedBit::ask(&mut Deaf, 51), Err(Refusal::Operand(1)));
}

#[test]
fn the_shared_bit_is_measured_and_the_modules_word() {
    let (mut module, _) = domain();
    for bit in [45, 47, 51] {
        module.width = bit + 1;
        let shared = SharedBit::ask(&mut module, bit).unwrap();
        assert_eq!(shared, SharedBit::known(bit));
        assert_eq!(shared.share(0x1000).value(), 1 << bit | 0x1000);
        assert!(shared.is_private(0x1000) && !shared.is_private(1 << bit));
    }
    for width in [0, 36, 51, 53, 63] {
        module.width = width;
        assert_eq!(SharedBit::ask(&mut module, 51), Err(Refusal::Unknown(width.into())));
    }
}

#[test]
fn sharing_goes_on_where_the_host_stopped() {
    let (mut module, seen) = answered(&[[1, SHARED | 0x3000], [1, SHARED | 0x3000], [0, 0]]);
    let gpa = bit(&mut module).share(0x1000);
    share(&mut module, gpa, 0x4000).unwrap();
    let asked: Vec<_> = seen.borrow().iter().map(|registers| registers[1..4].to_vec()).collect();
    let rest = [0x10001, SHARED | 0x3000, 0x2000];
    assert_eq!(asked, [[0x10001, SHARED | 0x1000, 0x4000], rest, rest]);
}

#[test]
fn a_host_that_stands_still_goes_back_or_leaves_the_range_is_given_up() {
    for at in [SHARED | 0x1000, SHARED, SHARED | 0x5000, SHARED | 0x1800, 0x2000] {
        let (mut module, seen) = answered(&[[1, at]]);
        let gpa = bit(&mut module).share(0x1000);
        assert_eq!(share(&mut module, gpa, 0x4000), Err(HostError::Retry(at)), "{at:#x}");
        assert!(seen.borrow().len() <= 8);
    }
    let (mut module, seen) = answered(&[[1, SHARED | 0x3000], [1, SHARED | 0x2000]]);
    let gpa = bit(&mut module).share(0x1000);
    assert_eq!(share(&mut module, gpa, 0x4000), Err(HostError::Retry(SHARED | 0x2000)));
    assert_eq!(seen.borrow().len(), 2);
}

#[test]
fn only_whole_pages_are_mapped_and_only_private_ones_become_private() {
    let (mut module, seen) = answered(&[[0, 0]]);
    let bit = bit(&mut module);
    make_private(&mut module, bit, 0x1000, 0x2000).unwrap();
    assert_eq!(seen.borrow()[0], [0, 0x10001, 0x1000, 0x2000, 0, 0]);
    assert_eq!(make_private(&mut module, bit, SHARED | 0x1000, 0x2000), Err(HostError::Operand));
    assert_eq!(share(&mut module, bit.share(0x1001), 0x1000), Err(HostError::Unaligned));
    assert_eq!(share(&mut module, bit.share(0x1000), 0x1001), Err(HostError::Unaligned));
    assert_eq!(share(&mut module, bit.share(0x1000), u64::MAX), Err(HostError::Operand));
    assert_eq!(seen.borrow().len(), 1);
}
