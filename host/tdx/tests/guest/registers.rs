//! Reports and run-time registers, and that they are what the verifier predicts.

use sha2::{Digest as _, Sha384};
use vial_abi::LaunchPage;
use vial_abi::launch_page::{Kv, Machine, Measure, Tee};
use vial_launch::{Contents, LoadPlan, tdx};
use vial_simulated_tdx::Builder;
use vial_tdx::report::{ReportError, report};
use vial_tdx::rtmr::extend;
use vial_tdx::status::Refusal;
use vial_tdx::{Registers, TRIES, Tdcall};
use vial_weights::event_log::{EventLog, names};
use vial_weights::rtmr::Rtmr;

use crate::memory::Page;
use crate::seat::Module;
use crate::{OPERANDS, domain};

#[test]
fn a_report_says_what_the_module_keeps_and_what_the_guest_binds() {
    let (mut module, mut page) = domain();
    let found = report(&mut module, &mut page, &[9; 64]).unwrap();
    assert_eq!(found.report_data(), [9; 64]);
    assert_eq!(found.mrtd(), module.info.mrtd);
    assert_eq!(found.rtmr(), [[0; 48]; 4]);
    assert_eq!(found.bytes()[..], module.info.report(&[9; 64]));
    let hash: [u8; 48] = Sha384::digest(&found.bytes()[512..]).into();
    assert_eq!(found.bytes()[80..128], hash);
    assert_eq!(module.called, [4]);
}

#[test]
fn a_report_in_memory_that_is_not_ours_or_not_aligned_is_refused() {
    let (mut module, page) = domain();
    let error =
        |module: &mut Module, at: u64| report(module, &mut Page(page.0.clone(), at), &[9; 64]).unwrap_err();
    assert_eq!(error(&mut module, OPERANDS + 512), ReportError::Module(Refusal::Operand(1)));
    assert_eq!(error(&mut module, OPERANDS + 32), ReportError::Module(Refusal::Operand(1)));
    let operands = Registers { rcx: OPERANDS, rdx: OPERANDS + 1024, r8: 1, ..Registers::default() };
    assert_eq!(module.tdcall(4, operands).rax, 0xC000_0100_0000_0008, "a subtype that is none");
}

/// A module that writes something else over what the real one writes.
struct Forged(Module, usize);

impl Tdcall for Forged {
    fn tdcall(&mut self, leaf: u64, registers: Registers) -> Registers {
        let answer = self.0.tdcall(leaf, registers);
        self.0.memory.borrow_mut().page(registers.rcx)[self.1] ^= 1;
        answer
    }
}

#[test]
fn a_report_of_another_type_or_over_other_data_is_refused() {
    let found = |at: usize| {
        let (module, mut page) = domain();
        report(&mut Forged(module, at), &mut page, &[9; 64]).map(drop)
    };
    assert_eq!(found(0), Err(ReportError::Type([0x80, 0])));
    assert_eq!(found(1), Err(ReportError::Type([0x81, 1])));
    assert_eq!(found(128), Err(ReportError::Data));
    assert_eq!(found(191), Err(ReportError::Data));
    assert_eq!(found(192), Ok(()), "what else changes, the quoting enclave refuses by the MAC");
}

#[test]
fn a_register_is_extended_by_the_digest_and_no_other_is() {
    let (mut module, mut page) = domain();
    extend(&mut module, &mut page, 3, &[7; 48]).unwrap();
    let by_hand: [u8; 48] = Sha384::digest([[0; 48], [7; 48]].concat()).into();
    let rtmr = report(&mut module, &mut page, &[0; 64]).unwrap().rtmr();
    assert_eq!(rtmr, [[0; 48], [0; 48], [0; 48], by_hand]);
}

#[test]
fn a_register_that_is_none_and_a_digest_that_is_not_aligned_are_refused() {
    let (mut module, mut page) = domain();
    assert_eq!(extend(&mut module, &mut page, 4, &[7; 48]), Err(Refusal::Operand(2)));
    assert_eq!(module.called, [0_u64; 0], "the module is not asked");
    let mut page = Page(page.0, OPERANDS + 32);
    assert_eq!(extend(&mut module, &mut page, 0, &[7; 48]), Err(Refusal::Operand(1)));
    assert_eq!(module.info.rtmr, [[0; 48]; 4]);
}

#[test]
fn a_module_that_is_busy_is_asked_again_and_not_for_ever() {
    let (mut module, mut page) = domain();
    module.busy = TRIES - 1;
    extend(&mut module, &mut page, 0, &[7; 48]).unwrap();
    let by_hand: [u8; 48] = Sha384::digest([[0; 48], [7; 48]].concat()).into();
    assert_eq!(module.info.rtmr[0], by_hand, "once");
    module.busy = TRIES;
    assert_eq!(extend(&mut module, &mut page, 0, &[7; 48]), Err(Refusal::Busy(168)));
    assert_eq!(module.info.rtmr[0], by_hand);
    module.busy = TRIES - 1;
    report(&mut module, &mut page, &[0; 64]).unwrap();
}

fn firmware() -> Vec<u8> {
    let code: Vec<u8> = (0..9000_u32).map(|at| (at * 7 % 251) as u8).collect();
    vial_launch::tiny::firmware(0x20_0010, &code)
}

fn plan() -> LoadPlan {
    let page = LaunchPage {
        manifest_digest: [7; 48],
        memory_bytes: 512 << 20,
        cpus: 2,
        tee: Tee::Tdx { shared_bit: 51 },
        machine: Machine::Vial,
        measure: Measure::Full,
        kv: Kv::F16,
    };
    LoadPlan::new(&firmware(), &page).unwrap()
}

/// What firmware writes and extends, event by event.
fn measured(module: &mut Module, page: &mut Page) -> EventLog {
    let mut log = EventLog::default();
    let all = [names::LAUNCH_PAGE, names::MANIFEST, names::KERNEL, names::ENGINE, names::BUNDLE];
    for name in all.into_iter().chain([names::WEIGHTS_ROOT, names::DRAFT]) {
        let digest = vial_weights::sha384(name.as_bytes());
        extend(module, page, Rtmr::of(name.as_bytes()).unwrap().index(), &digest).unwrap();
        log.append(name, digest);
    }
    log
}

#[test]
fn a_domain_built_of_the_plan_reports_what_the_verifier_predicts() {
    let memory: crate::memory::Common = std::rc::Rc::new(crate::memory::Memory::default().into());
    let mut builder = Builder::new(1 << 32);
    for part in plan().parts() {
        let bytes = match part.contents {
            Contents::Normal(bytes) => bytes,
            Contents::Zero(bytes) => vec![0; usize::try_from(bytes).unwrap()],
            other => panic!("{other:?}"),
        };
        builder.add(&mut *memory.borrow_mut(), part.gpa, &bytes).unwrap();
    }
    let mut module = Module::new(builder, &memory);
    let mut page = Page(memory, OPERANDS);
    let log = measured(&mut module, &mut page);
    let found = report(&mut module, &mut page, &[9; 64]).unwrap();
    let predicted = tdx::predict(&plan(), log.bytes()).unwrap();
    assert_eq!(found.mrtd(), predicted.mrtd);
    assert_eq!(found.rtmr(), predicted.rtmr);
    // Twins: another byte in memory, another event.
    extend(&mut module, &mut page, 1, &[0; 48]).unwrap();
    assert_ne!(report(&mut module, &mut page, &[9; 64]).unwrap().rtmr()[1], predicted.rtmr[1]);
    assert_eq!(plan().digest(), found.mrtd());
}
