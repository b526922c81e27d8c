//! A host that loads another launch page than the sealed image's: each a boot on `/dev/kvm`, by the VMM's own parts.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use std::net::TcpListener;
use std::sync::Arc;
use vial_abi::launch_page::{Kv, Machine, Measure, Tee};
use vial_abi::{ExitCode, LaunchPage};
use vial_attest::MachineShape;
use vial_runner::Vial;
use vial_runner::machine::{self, listens};
use vial_vmm::Ended;

const MACHINE: MachineShape = MachineShape {
    cpus: 1,
    memory_bytes: 128 << 20,
    tee: Tee::Simulated,
    machine: Machine::Vial,
    measure: Measure::Nodes,
    kv: Kv::F16,
};

/// Boots the image with its launch page changed; why it ended, or `None` if it began to listen.
fn boot(change: impl FnOnce(&mut LaunchPage)) -> Option<Ended> {
    let (image, disk) = machine::tiny().unwrap()?;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listens(&machine::boot(&image, &MACHINE, (Arc::new(disk), listener), change).unwrap())
}

#[test]
fn another_manifest_digest_in_the_launch_page_is_refused_by_firmware() {
    if Vial::from_env().is_none() {
        return;
    }
    let ended = boot(|page| page.manifest_digest[47] ^= 1);
    assert_eq!(ended, Some(Ended::Exit(ExitCode::ManifestDigest)));
}

#[test]
fn the_images_own_launch_page_boots() {
    assert_eq!(boot(|_| ()), None);
}
