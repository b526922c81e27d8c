//! Boot logic: finds the sealed partition, compares everything with the manifest and the manifest with the launch
//! page, measures it, obtains the report, and hands over.
//!
//! [`boot`] is generic over [`Machine`], so that every refusal is tested on the host. Order is the promise: a digest
//! is compared before the bytes it covers are parsed or placed.
//!
//! Trust: disk and TEE answers come from the host. Every byte is copied to private memory before it is checked.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod image;
mod load;
mod machine;
mod measure;
mod models;
mod refusal;
mod registers;
mod report;
#[cfg(test)]
mod tests;

pub use machine::{Disk, Machine};
pub use refusal::Refusal;

use alloc::vec::Vec;
use image::Image;
use measure::Measured;
use vial_abi::memory::{BLOBS_MAX_BYTES, BLOBS_PA, HANDOFF_PA, PAGE, Region};
use vial_abi::{ExitCode, Handoff, LaunchPage, Mark};
use vial_weights::LEAF_BYTES;
use vial_weights::header::Part;

/// Checks and places everything. What is left to do is [`vial_abi::call::Call::HandOver`].
///
/// # Errors
/// The first thing that is not as sealed.
pub fn boot(machine: &mut impl Machine, disk: &mut impl Disk, launch: &LaunchPage) -> Result<(), Refusal> {
    let image = Image::find(disk)?;
    machine.mark(Mark::Found);
    let measured = measure::all(machine, disk, &image, launch)?;
    machine.mark(Mark::Measured);
    if launch.tee.is_tdx() {
        registers::extend(machine, &measured.log)?;
    }
    let report = report::obtain(machine, launch.tee, &measured)?;
    machine.mark(Mark::Reported);
    place(machine, &image, measured, &report, launch)
}

/// Writes blobs and handoff where the kernel expects them.
fn place(
    machine: &mut impl Machine,
    image: &Image,
    measured: Measured,
    report: &[u8],
    launch: &LaunchPage,
) -> Result<(), Refusal> {
    let mut blobs = Blobs { machine, end: BLOBS_PA };
    let handoff = Handoff {
        launch: *launch,
        weights_root: measured.manifest.weights.root,
        event_log_head: measured.log.head(),
        manifest: blobs.put(&measured.manifest_bytes)?,
        event_log: blobs.put(measured.log.bytes())?,
        bundle: blobs.put(&measured.bundle)?,
        tree: blobs.put(&measured.tree)?,
        draft_tree: blobs.put(&measured.draft_tree)?,
        tags: blobs.put(&measured.tags)?,
        draft_tags: blobs.put(&measured.draft_tags)?,
        boot_report: blobs.put(report)?,
        blobs_bytes: blobs.end - BLOBS_PA,
        weights_disk_offset: image.place(Part::Weights).start,
        weights_bytes: image.place(Part::Weights).bytes,
        draft_disk_offset: image.place(Part::DraftWeights).start,
        draft_bytes: image.place(Part::DraftWeights).bytes,
        leaf_bytes: LEAF_BYTES,
        tsc_khz: 0,
        unix_ns: 0,
        unix_tsc: 0,
    };
    let is_placed = machine.put(HANDOFF_PA, &handoff.encode());
    is_placed
        .then_some(())
        .ok_or_else(|| Refusal::new(ExitCode::FirmwarePanic, "handoff: found no place for it"))
}

/// The blobs area, filled from its start.
struct Blobs<'a, M> {
    machine: &'a mut M,
    end: u64,
}

impl<M: Machine> Blobs<'_, M> {
    fn put(&mut self, bytes: &[u8]) -> Result<Region, Refusal> {
        let region = Region { pa: self.end, len: bytes.len() as u64 };
        if !self.machine.put(region.pa, bytes) {
            let text = "blobs: found more than {} bytes of manifest, log, bundle, trees and report";
            let max = alloc::format!("{BLOBS_MAX_BYTES}");
            return Err(Refusal::new(ExitCode::FirmwareMemory, &text.replace("{}", &max)));
        }
        self.end = (region.pa + region.len).next_multiple_of(PAGE);
        Ok(region)
    }
}

/// A buffer of `bytes`, or the refusal that names them.
pub(crate) fn buffer(bytes: u64) -> Result<Vec<u8>, Refusal> {
    let mut buffer = Vec::new();
    let wanted = usize::try_from(bytes).unwrap_or(usize::MAX);
    let refused =
        || Refusal::new(ExitCode::FirmwareMemory, &alloc::format!("memory: found less than {bytes} bytes"));
    buffer.try_reserve_exact(wanted).map_err(|_| refused())?;
    buffer.resize(wanted, 0);
    Ok(buffer)
}
