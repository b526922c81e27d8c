//! What the host does for the guest, and what it refuses.

use core::cell::RefCell;
use std::rc::Rc;

use vial_abi::ExitCode;
use vial_abi::memory::{LARGE_PAGE, PAGE, QUOTE_BYTES, QUOTE_PA};
use vial_simulated_tdx::{Around, Host, Mapping, Offence, Pages, Then, is_genuine};
use vial_tdx::end::report_fatal_error;
use vial_tdx::instruction::{
    Width, cpuid, halt, read_mmio, read_msr, read_port, write_mmio, write_msr, write_port,
};
use vial_tdx::map::{make_private, share};
use vial_tdx::quote::{QuoteError, is_simulated_over, quote};
use vial_tdx::report::report;
use vial_tdx::vmcall::{HostError, vmcall};
use vial_tdx::{SharedBit, SharedPages};

use crate::domain;
use crate::memory::{Common, Pages as Buffer};
use crate::seat::Module;

const BIT: u8 = 51;

/// Ports, devices and registers that remember, and shared memory.
struct Machine {
    memory: Common,
    log: Vec<String>,
}

impl Around for Machine {
    fn read(&self, pa: u64, to: &mut [u8]) -> Option<()> {
        let memory = self.memory.borrow();
        let bytes = memory
            .shared
            .contains_key(&(1 << BIT | pa & !0xFFF))
            .then(|| memory.shared_bytes(1 << BIT | pa, to.len()));
        to.copy_from_slice(&bytes?);
        Some(())
    }
    fn write(&mut self, pa: u64, from: &[u8]) -> Option<()> {
        self.memory.borrow_mut().write_shared(1 << BIT | pa, from);
        Some(())
    }
    fn out(&mut self, port: u16, bytes: &[u8]) {
        self.log.push(format!("out {port:#x} {bytes:x?}"));
    }
    fn input(&mut self, port: u16, bytes: &mut [u8]) {
        bytes.fill(port.to_le_bytes()[0]);
    }
    fn write_device(&mut self, pa: u64, bytes: &[u8]) {
        self.log.push(format!("device {pa:#x} {bytes:x?}"));
    }
    fn read_device(&mut self, pa: u64, bytes: &mut [u8]) {
        bytes.copy_from_slice(&pa.to_le_bytes()[..bytes.len()]);
    }
    fn write_msr(&mut self, register: u32, value: u64) -> Option<()> {
        (register != 0xBAD).then(|| self.log.push(format!("msr {register:#x} {value:#x}")))
    }
    fn read_msr(&mut self, register: u32) -> Option<u64> {
        (register != 0xBAD).then_some(u64::from(register) << 32 | 5)
    }
    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        [leaf, subleaf, 3, 4]
    }
}

/// What the last call came to.
type Last = Rc<RefCell<Result<Then, Offence>>>;

struct Guest {
    module: Module,
    machine: Rc<RefCell<Machine>>,
    pages: Rc<RefCell<Pages>>,
    host: Rc<RefCell<Host>>,
    last: Last,
}

/// A domain with the host that is played behind it. Its table of pages is the host's alone here.
fn guest() -> Guest {
    let (mut module, _page) = domain();
    let signer = Box::new(|report: &[u8; 1024]| {
        let mut quote = vec![0; 1184];
        quote[0x50..0x90].copy_from_slice(&report[128..192]);
        quote[0x90..0xC0].copy_from_slice(&report[528..576]);
        is_genuine(report).then_some(quote)
    });
    let shareable = vec![0..LARGE_PAGE, 12 * LARGE_PAGE..16 * LARGE_PAGE];
    let host = Host { shared_bit: BIT, shareable, signer, is_unwilling: false };
    let host = Rc::new(RefCell::new(host));
    let machine = Rc::new(RefCell::new(Machine { memory: module.memory.clone(), log: Vec::new() }));
    let pages = Rc::new(RefCell::new(Pages::absent(32 * LARGE_PAGE)));
    let last: Last = Rc::new(RefCell::new(Ok(Then::Resumed)));
    let parts = (machine.clone(), pages.clone(), host.clone(), last.clone());
    module.host = Box::new(move |seen| {
        let (machine, pages, host, last) = &parts;
        let served = host.borrow_mut().serve(&mut pages.borrow_mut(), seen, &mut *machine.borrow_mut());
        *last.borrow_mut() = served.clone().map(|(_, then)| then);
        served.map_or([1 << 63, 0, 0, 0, 0, 0], |(answer, _)| answer)
    });
    Guest { module, machine, pages, host, last }
}

fn bit() -> SharedBit {
    SharedBit::known(BIT)
}

#[test]
fn ports_registers_and_devices_are_the_hosts() {
    let Guest { mut module, machine, last, .. } = guest();
    let device = bit().share(0xFEB0_0050);
    write_port(&mut module, 0xF4, Width::One, 0x77).unwrap();
    write_port(&mut module, 0x600, Width::Four, 0x1234_5678).unwrap();
    assert_eq!(read_port(&mut module, 0x3FD, Width::One), Ok(0xFD));
    write_msr(&mut module, 0x830, 0x1_0000_4620).unwrap();
    assert_eq!(read_msr(&mut module, 0x1B), Ok(0x1B_0000_0005));
    write_mmio(&mut module, device, Width::Four, 7).unwrap();
    assert_eq!(read_mmio(&mut module, device, Width::Four), Ok(0xFEB0_0050));
    assert_eq!(cpuid(&mut module, 0x4000_0000, 2), Ok([0x4000_0000, 2, 3, 4]));
    let log = [
        "out 0xf4 [77]",
        "out 0x600 [78, 56, 34, 12]",
        "msr 0x830 0x100004620",
        "device 0xfeb00050 [7, 0, 0, 0]",
    ];
    assert_eq!(machine.borrow().log, log);
    assert_eq!(read_msr(&mut module, 0xBAD), Err(HostError::Operand));
    assert_eq!(write_msr(&mut module, 0xBAD, 1), Err(HostError::Operand));
    halt(&mut module, false).unwrap();
    assert_eq!(*last.borrow(), Ok(Then::Halted));
    report_fatal_error(&mut module, ExitCode::TdxMemory.value());
    assert_eq!(*last.borrow(), Ok(Then::Ended(56)));
}

#[test]
fn what_the_specifications_do_not_allow_ends_the_machine() {
    let offences: [fn(&mut Module) -> bool; 4] = [
        |module| halt(module, true).is_err(),
        |module| cpuid(module, 1, 0).is_err(),
        |module| vmcall(module, 0x10009, [0; 4]).is_err(),
        |module| vmcall(module, 48, [4, 0, 0xFEB0_0000, 0]).is_err(),
    ];
    for offend in offences {
        let Guest { mut module, last, .. } = guest();
        assert!(offend(&mut module));
        assert!(matches!(*last.borrow(), Err(Offence(_))));
    }
}

#[test]
fn memory_is_shared_where_the_host_can_and_is_pending_when_it_is_given_back() {
    let Guest { mut module, pages, host, .. } = guest();
    let window = 12 * LARGE_PAGE;
    share(&mut module, bit().share(window), 2 * LARGE_PAGE).unwrap();
    assert_eq!(pages.borrow().of(window + LARGE_PAGE), Mapping::Shared);
    make_private(&mut module, bit(), window, LARGE_PAGE + PAGE).unwrap();
    assert_eq!(pages.borrow().of(window), Mapping::Pending { is_large: true });
    assert_eq!(pages.borrow().of(window + LARGE_PAGE), Mapping::Pending { is_large: false });
    assert_eq!(pages.borrow().of(window + LARGE_PAGE + PAGE), Mapping::Shared);
    assert_eq!(share(&mut module, bit().share(16 * LARGE_PAGE), PAGE), Err(HostError::Operand));
    host.borrow_mut().is_unwilling = true;
    assert_eq!(share(&mut module, bit().share(window), PAGE), Err(HostError::Operand));
}

#[test]
fn a_quote_comes_through_shared_pages_alone_and_over_genuine_reports_alone() {
    let Guest { mut module, last, host, .. } = guest();
    let mut page = crate::memory::Page(module.memory.clone(), crate::OPERANDS);
    let found = report(&mut module, &mut page, &[9; 64]).unwrap();
    let mut buffer =
        Buffer::new(&module.memory.clone(), bit(), QUOTE_PA, usize::try_from(QUOTE_BYTES).unwrap());
    let mut ask =
        |module: &mut Module| quote(module, &mut buffer, &found, &mut [0; 8192], is_simulated_over, || false);
    assert_eq!(ask(&mut module), Err(QuoteError::Host(HostError::Operand)));
    assert!(matches!(*last.borrow(), Err(Offence(_))), "nothing is shared yet");
    share(&mut module, bit().share(0), LARGE_PAGE).unwrap();
    assert_eq!(ask(&mut module), Ok(1184));
    host.borrow_mut().signer = Box::new(|_| None);
    assert_eq!(ask(&mut module), Err(QuoteError::Failed(1 << 63)));
    assert_eq!(buffer.gpa().value(), 1 << BIT | QUOTE_PA);
}
