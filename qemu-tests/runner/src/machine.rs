//! A machine in the test's own process, by the VMM's parts: what a host could do otherwise is an argument.

use anyhow::{Context as _, Result};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use vial_abi::{LaunchPage, Mark};
use vial_attest::MachineShape;
use vial_attest::host_data;
use vial_attest::simulated::SimulatedTee;
use vial_devices::block::Backend;
use vial_image::SealedImage;
use vial_launch::LoadPlan;
use vial_vmm::{Config, Ended, Event, FileDisk, Played, PlayedDomain, ReportDevice, Vmm};

use crate::Vial;

struct Tee(SimulatedTee);

impl ReportDevice for Tee {
    fn report(&mut self, report_data: &[u8; 64]) -> (Vec<u8>, Vec<u8>) {
        (self.0.report(report_data), Vec::new())
    }
}

/// A sealed image and its disk, both open; whose file nobody else needs may go before the boot.
///
/// # Errors
/// It cannot be opened, or is no image.
pub fn open(image: &Path) -> Result<(SealedImage, FileDisk)> {
    Ok((SealedImage::open(image)?, FileDisk::open(image)?))
}

/// An image of the tiny model, whose file is gone already; nothing without the programs.
///
/// # Errors
/// It cannot be built.
pub fn tiny() -> Result<Option<(SealedImage, FileDisk)>> {
    let Some(vial) = Vial::from_env() else { return Ok(None) };
    let folder = tempfile::tempdir()?;
    let (model, image) = (folder.path().join("tiny.gguf"), folder.path().join("tiny.img"));
    std::fs::write(&model, vial_model::tiny::llama(1))?;
    vial.build(&model, &image)?;
    Ok(Some(open(&image)?))
}

/// Boots an image on a disk, with its launch page changed. Afterwards this process can open nothing, nor remove it.
///
/// # Errors
/// What the image lacks or the system refused.
pub fn boot(
    image: &SealedImage,
    shape: &MachineShape,
    outside: (Arc<dyn Backend>, TcpListener),
    change: impl FnOnce(&mut LaunchPage),
) -> Result<Vmm> {
    Ok(Vmm::start(config(image, shape, outside, change)?)?)
}

/// As [`boot`] as a guest of SEV-SNP with this C-bit, with what is played around it changed.
///
/// # Errors
/// What the image lacks or the system refused.
pub fn boot_played(
    image: &SealedImage,
    shape: &MachineShape,
    outside: (Arc<dyn Backend>, TcpListener),
    c_bit: u8,
    change: impl FnOnce(&mut Played),
) -> Result<Vmm> {
    Ok(Vmm::start_played(config(image, shape, outside, |_| ())?, c_bit, change)?)
}

/// As [`boot`] as a trust domain with this shared bit, with what is played around it changed.
///
/// # Errors
/// What the image lacks or the system refused.
pub fn boot_domain(
    image: &SealedImage,
    shape: &MachineShape,
    outside: (Arc<dyn Backend>, TcpListener),
    shared_bit: u8,
    change: impl FnOnce(&mut PlayedDomain),
) -> Result<Vmm> {
    Ok(Vmm::start_domain(config(image, shape, outside, |_| ())?, shared_bit, change)?)
}

fn config(
    image: &SealedImage,
    shape: &MachineShape,
    (disk, listener): (Arc<dyn Backend>, TcpListener),
    change: impl FnOnce(&mut LaunchPage),
) -> Result<Config> {
    let mut page = shape.launch_page(image.manifest());
    change(&mut page);
    let plan = LoadPlan::new(image.firmware(), &page)?;
    let tee = SimulatedTee::new(plan.digest(), host_data(&page.manifest_digest));
    let tee = Box::new(Tee(tee.context("the simulated TEE has no key")?));
    Ok(Config { plan, memory_bytes: shape.memory_bytes, disk, listener, tee })
}

/// Waits until the appliance listens; why it ended, if it does.
#[must_use]
pub fn listens(vmm: &Vmm) -> Option<Ended> {
    let ended = vmm.events.iter().find_map(|event| match event {
        Event::Ended(ended) => Some(Some(ended)),
        Event::Mark(Mark::Listening, _) => Some(None),
        _ => None,
    });
    ended.unwrap_or_else(|| Some(Ended::Broken("it tells nothing any more".to_owned())))
}
