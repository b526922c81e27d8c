//! Appliances as guests of SEV-SNP on `/dev/kvm`, whose host and secure processor the VMM plays: the same firmware, kernel and engine
//! as in all other boots, by GHCB, page states and messages.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::Value;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use vial_abi::ExitCode;
use vial_abi::launch_page::{Kv, Machine, Measure, Tee};
use vial_abi::memory::{BLOBS_PA, DMA_PA, KERNEL_TEXT_PA};
use vial_attest::MachineShape;
use vial_client::Opening;
use vial_runner::Vial;
use vial_runner::machine::{self, listens};
use vial_runner::played::answered;
use vial_vmm::{Ended, Played};
use vm_memory::{Bytes as _, GuestAddress};

const C_BIT: u8 = 45;
const MACHINE: MachineShape = MachineShape {
    cpus: 2,
    memory_bytes: 128 << 20,
    tee: Tee::SimulatedSnp { c_bit: C_BIT },
    machine: Machine::Vial,
    measure: Measure::Nodes,
    kv: Kv::F16,
};

/// Boots with what is around the guest changed; why it ended, or `None` if it began to listen. There is nothing to boot without the
/// programs: that is `Err`.
fn boot(shape: &MachineShape, change: impl FnOnce(&mut Played)) -> Result<Option<Ended>, ()> {
    let (image, disk) = machine::tiny().unwrap().ok_or(())?;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let vmm = machine::boot_played(&image, shape, (Arc::new(disk), listener), C_BIT, change).unwrap();
    Ok(listens(&vmm))
}

fn expect(code: ExitCode, change: impl FnOnce(&mut Played)) {
    if let Ok(ended) = boot(&MACHINE, change) {
        assert_eq!(ended, Some(Ended::Exit(code)));
    }
}

#[test]
fn an_appliance_as_a_guest_of_snp_answers_the_same_and_verifies_as_such_alone() {
    let (Some(vial), Ok(model)) = (Vial::from_env(), std::env::var("VIAL_TEST_MODEL")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("model.img");
    vial.build(Path::new(&model), &image).unwrap();
    let snp: &[&str] = &["--tee", "simulated-snp"];
    let (plain, codes) = answered(&vial, &image, &[], &[&[], snp]).unwrap();
    assert_eq!(codes, [Some(0), Some(1)], "a plain appliance is none of SEV-SNP");
    // Memory above the device hole is the kernel's to claim; three cpus have three GHCBs.
    for machine in
        [&["--memory", "512M"][..], &["--memory", "4G", "--cpus", "3"], &["--memory", "280M", "--cpus", "1"]]
    {
        let flags = [machine, snp].concat();
        let (answer, codes) = answered(&vial, &image, &flags, &[&flags, machine]).unwrap();
        assert_eq!(codes, [Some(0), Some(1)], "{machine:?}");
        assert_eq!(answer, plain, "{machine:?}");
    }
}

/// A host's table with one entry, the chip's key, and its certificate. Spec: AMD 56421 rev 2.03 §4.1.8.1.
fn table(certificate: &[u8]) -> Vec<u8> {
    let guid = 0x63DA_758D_E664_4564_ADC5_F4B9_3BE8_ACCD_u128.to_be_bytes();
    let numbers = [48, u32::try_from(certificate.len()).unwrap()].map(u32::to_le_bytes).concat();
    [&guid[..], &numbers, &[0; 24], certificate].concat()
}

#[test]
fn a_certificate_that_the_host_adds_travels_with_the_evidence() {
    let Some((image, disk)) = machine::tiny().unwrap() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let patience = core::time::Duration::from_secs(30);
    let opening = Opening::over(TcpStream::connect(address).unwrap(), address.to_string(), patience).unwrap();
    let certificate = [&[0x30, 0x82, 0x04, 0x00][..], &[0xCE; 1024]].concat();
    let certificates = table(&certificate);
    let change = move |played: &mut Played| played.host.certificates = certificates;
    let vmm = machine::boot_played(&image, &MACHINE, (Arc::new(disk), listener), C_BIT, change).unwrap();
    assert_eq!(listens(&vmm), None);
    let path = format!("/v1/attestation?nonce={}", "11".repeat(64));
    let answer = opening.open().unwrap().ask("GET", &path, None, 1 << 20).unwrap();
    assert_eq!(answer.status, 200);
    let evidence: Value = serde_json::from_slice(&answer.body).unwrap();
    let hex: String = certificate.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(evidence["certificates"], hex);
}

#[test]
fn a_guest_of_snp_boots_in_memory_full_of_something() {
    // What a page holds when it becomes the guest's own is ciphertext read with the guest's key.
    let ended = boot(&MACHINE, |played| {
        let noise = vec![0xA5; 2 << 20];
        let places = (KERNEL_TEXT_PA..DMA_PA).step_by(2 << 20);
        for pa in places.chain((BLOBS_PA..128 << 20).step_by(2 << 20)) {
            played.memory.write_slice(&noise, GuestAddress(pa)).unwrap();
        }
    });
    assert!(!matches!(ended, Ok(Some(_))), "{ended:?}");
}

#[test]
fn a_host_with_another_c_bit_than_was_measured_is_refused() {
    expect(ExitCode::SnpHost, |played| played.host.c_bit = 46);
}

#[test]
fn memory_that_was_validated_before_is_refused() {
    expect(ExitCode::SnpMemory, |played| {
        // The request for it would take that away; such a host forgets to do what it is asked for.
        played.host.is_forgetful = true;
        played.host.ownership.launch(BLOBS_PA, 4096);
    });
}

#[test]
fn pages_of_the_secure_processor_that_are_not_right_are_refused() {
    expect(ExitCode::SnpPage, |played| played.cpuid.fill(0));
}

#[test]
fn a_secure_processor_that_gives_no_report_is_refused() {
    expect(ExitCode::NoReport, |played| {
        played.host.processor =
            vial_simulated_snp::SecureProcessor::new([[7; 32]; 4], Box::new(|_| vec![0; 9]));
    });
}

#[test]
fn a_secure_processor_without_keys_is_refused() {
    expect(ExitCode::NoReport, |played| {
        played.host.processor =
            vial_simulated_snp::SecureProcessor::new([[0; 32]; 4], Box::new(|_| vec![0; 1184]));
    });
}
