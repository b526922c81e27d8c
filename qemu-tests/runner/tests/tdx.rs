//! Appliances as trust domains on `/dev/kvm`, whose module, host and quoting service the VMM plays: the same firmware, kernel and
//! engine as in all other boots, by TDCALL, accepted pages and quotes.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use vial_abi::ExitCode;
use vial_abi::launch_page::{Kv, Machine, Measure, Tee};
use vial_abi::memory::{BLOBS_PA, LARGE_PAGE, LAUNCH_PAGE_PA, PAGE};
use vial_attest::MachineShape;
use vial_runner::Vial;
use vial_runner::machine::{self, listens};
use vial_runner::played::answered;
use vial_simulated_tdx::Mapping;
use vial_vmm::{Ended, PlayedDomain};

const SHARED_BIT: u8 = 45;
const MACHINE: MachineShape = MachineShape {
    cpus: 2,
    memory_bytes: 128 << 20,
    tee: Tee::SimulatedTdx { shared_bit: SHARED_BIT },
    machine: Machine::Vial,
    measure: Measure::Nodes,
    kv: Kv::F16,
};
/// Leaves of TDCALL.
const RTMR_EXTEND: u64 = 2;
const MR_REPORT: u64 = 4;

/// Boots with what is around the domain changed; why it ended, or `None` if it began to listen. There is nothing to boot without the
/// programs: that is `Err`.
fn boot(change: impl FnOnce(&mut PlayedDomain)) -> Result<Option<Ended>, ()> {
    let (image, disk) = machine::tiny().unwrap().ok_or(())?;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let vmm = machine::boot_domain(&image, &MACHINE, (Arc::new(disk), listener), SHARED_BIT, change);
    Ok(listens(&vmm.unwrap()))
}

fn expect(code: ExitCode, change: impl FnOnce(&mut PlayedDomain)) {
    if let Ok(ended) = boot(change) {
        assert_eq!(ended, Some(Ended::Exit(code)));
    }
}

#[test]
fn an_appliance_as_a_trust_domain_answers_the_same_and_verifies_as_such_alone() {
    let (Some(vial), Ok(model)) = (Vial::from_env(), std::env::var("VIAL_TEST_MODEL")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("model.img");
    vial.build(Path::new(&model), &image).unwrap();
    let (tdx, snp): (&[&str], &[&str]) = (&["--tee", "simulated-tdx"], &["--tee", "simulated-snp"]);
    let (plain, codes) = answered(&vial, &image, &[], &[&[], tdx]).unwrap();
    assert_eq!(codes, [Some(0), Some(1)], "a plain appliance is no trust domain");
    // Memory above the device hole is the kernel's to accept; other cpus come from the reset page, all at once.
    for machine in
        [&["--memory", "512M"][..], &["--memory", "4G", "--cpus", "3"], &["--memory", "280M", "--cpus", "1"]]
    {
        let flags = [machine, tdx].concat();
        let (answer, codes) =
            answered(&vial, &image, &flags, &[&flags, machine, &[machine, snp].concat()]).unwrap();
        assert_eq!(codes, [Some(0), Some(1), Some(1)], "{machine:?}");
        assert_eq!(answer, plain, "{machine:?}");
    }
}

#[test]
fn a_trust_domain_that_is_served_well_begins_to_listen() {
    let ended = boot(|_| ());
    assert!(!matches!(ended, Ok(Some(_))), "{ended:?}");
}

#[test]
fn a_page_that_was_accepted_before_is_refused() {
    expect(ExitCode::TdxMemory, |played| {
        let page = BLOBS_PA..BLOBS_PA + LARGE_PAGE;
        played.module.pages.set(page, Mapping::Accepted { is_large: true });
    });
}

#[test]
fn a_host_that_shares_no_memory_is_refused() {
    expect(ExitCode::TdxHost, |played| played.host.is_unwilling = true);
}

#[test]
fn a_module_with_another_shared_bit_than_was_measured_is_refused() {
    expect(ExitCode::TdxModule, |played| played.module.width = 48);
}

#[test]
fn a_module_that_extends_no_register_is_refused() {
    expect(ExitCode::TdxModule, |played| played.module.busy_leaf = Some(RTMR_EXTEND));
}

#[test]
fn a_module_that_gives_no_report_is_refused() {
    expect(ExitCode::NoReport, |played| played.module.busy_leaf = Some(MR_REPORT));
}

#[test]
fn a_quoting_service_that_signs_nothing_is_refused() {
    expect(ExitCode::NoReport, |played| played.host.signer = Box::new(|_| None));
}

#[test]
fn a_quote_over_another_report_is_refused() {
    expect(ExitCode::ForeignQuote, |played| flip(played, 0x50));
}

#[test]
fn a_quote_of_another_domain_is_refused() {
    expect(ExitCode::ForeignQuote, |played| flip(played, 0x90));
}

/// A quoting service that changes a byte of what it signs: the simulated TEE's reports have report data at 0x50, and the launch
/// measurement at 0x90.
fn flip(played: &mut PlayedDomain, at: usize) {
    let mut signer = core::mem::replace(&mut played.host.signer, Box::new(|_| None));
    played.host.signer = Box::new(move |report| {
        let mut quote = signer(report)?;
        quote[at] ^= 1;
        Some(quote)
    });
}

#[test]
fn tables_that_map_what_was_not_accepted_break_the_machine() {
    // Firmware takes for granted that all that is launched is its own: its tables then say more than was agreed on.
    let page = LAUNCH_PAGE_PA - PAGE..LAUNCH_PAGE_PA;
    let pending = Mapping::Pending { is_large: false };
    let Ok(ended) = boot(|played| played.module.pages.set(page, pending)) else { return };
    assert!(matches!(&ended, Some(Ended::Broken(why)) if why.contains("0x9fe000, Pending")), "{ended:?}");
}
