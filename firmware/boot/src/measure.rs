//! Comparing every part with what was sealed, and writing the event log of it.

use alloc::format;
use alloc::vec::Vec;
use vial_abi::launch_page::Measure;
use vial_abi::{ExitCode, LaunchPage};
use vial_weights::event_log::{EventLog, names};
use vial_weights::gpt::Partition;
use vial_weights::header::Part;
use vial_weights::tree::{Hex, LEAF_BYTES, LeafMismatch, Tree};
use vial_weights::{Lanes, Manifest, sha384, signature};

use crate::image::Image;
use crate::{Disk, Machine, Refusal, load};

/// What has been compared, in private memory.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) manifest: Manifest,
    pub(crate) manifest_bytes: Vec<u8>,
    pub(crate) bundle: Vec<u8>,
    pub(crate) tree: Vec<u8>,
    pub(crate) log: EventLog,
}

/// Compares all parts, writes the log, and puts kernel and engine in their places.
pub(crate) fn all<D: Disk>(
    machine: &mut impl Machine,
    disk: &mut D,
    image: &Image,
    launch: &LaunchPage,
) -> Result<Measured, Refusal> {
    let mut log = EventLog::default();
    log.measure(names::LAUNCH_PAGE, &launch.encode());
    let manifest_bytes = image.read(disk, Part::Manifest)?;
    let manifest = manifest(&manifest_bytes, &launch.manifest_digest, &mut log)?;
    check_signature(&manifest, &launch.manifest_digest, &image.read(disk, Part::Signature)?)?;
    let programs = [
        (Part::Kernel, manifest.kernel, ExitCode::KernelDigest, names::KERNEL),
        (Part::Engine, manifest.engine, ExitCode::EngineDigest, names::ENGINE),
    ];
    for (part, digest, code, name) in programs {
        let bytes = image.read(disk, part)?;
        compare(&bytes, &digest, code, name, &mut log)?;
        load::program(machine, part.name(), &bytes)?;
    }
    let bundle = image.read(disk, Part::Bundle)?;
    compare(&bundle, &manifest.bundle, ExitCode::BundleDigest, names::BUNDLE, &mut log)?;
    let tree = image.read(disk, Part::Tree)?;
    let name = weights(machine.lanes(), disk, image, &manifest, &tree, launch.measure)?;
    log.measure(name, &manifest.weights.root);
    Ok(Measured { manifest, manifest_bytes, bundle, tree, log })
}

fn manifest(bytes: &[u8], digest: &[u8; 48], log: &mut EventLog) -> Result<Manifest, Refusal> {
    compare(bytes, digest, ExitCode::ManifestDigest, names::MANIFEST, log)?;
    Manifest::decode(bytes).map_err(|error| Refusal::of(ExitCode::ManifestForm, &error))
}

/// A publisher named in the measured manifest must have signed it.
fn check_signature(manifest: &Manifest, digest: &[u8; 48], signature: &[u8]) -> Result<(), Refusal> {
    let is_valid = match &manifest.publisher {
        Some(publisher) => signature::is_valid(publisher, digest, signature),
        None => signature.is_empty(),
    };
    let line = "publisher signature: found one that does not verify, expected the manifest's publisher's";
    is_valid.then_some(()).ok_or_else(|| Refusal::new(ExitCode::ManifestForm, line))
}

fn compare(
    bytes: &[u8],
    expected: &[u8; 48],
    code: ExitCode,
    name: &str,
    log: &mut EventLog,
) -> Result<(), Refusal> {
    let found = sha384(bytes);
    if found != *expected {
        let line = format!("{name} SHA-384: found {}, expected {}", Hex(&found), Hex(expected));
        return Err(Refusal::new(code, &line));
    }
    log.append(name, found);
    Ok(())
}

/// Recomputes the weights root from the tree and, if asked to, compares every leaf; gives the event's name.
fn weights<D: Disk>(
    lanes: Lanes,
    disk: &mut D,
    image: &Image,
    manifest: &Manifest,
    tree: &[u8],
    measure: Measure,
) -> Result<&'static str, Refusal> {
    let Partition { start, bytes } = image.weights();
    if bytes != manifest.weights.bytes {
        let line = format!("weights length: found {bytes} bytes, expected {}", manifest.weights.bytes);
        return Err(Refusal::new(ExitCode::WeightsRoot, &line));
    }
    let tree = Tree::new(tree, bytes, &manifest.weights.root);
    let tree = tree.map_err(|error| Refusal::of(ExitCode::WeightsRoot, &error))?;
    match measure {
        Measure::Nodes => Ok(names::WEIGHTS_ROOT),
        Measure::Full => every_leaf(lanes, disk, start, &tree).map(|()| names::WEIGHTS),
    }
}

fn every_leaf<D: Disk>(lanes: Lanes, disk: &mut D, start: u64, tree: &Tree<'_>) -> Result<(), Refusal> {
    let mut checked = Ok(());
    let mut next = 0..tree.leaves();
    let mut take = |bytes: &[u8]| {
        let mut leaves = bytes.chunks(usize::try_from(LEAF_BYTES).unwrap_or(usize::MAX));
        checked = leaves.try_for_each(|leaf| {
            let number = next.next().ok_or(LeafMismatch { leaf: u64::MAX })?;
            tree.check(lanes, number, leaf)
        });
        checked.is_ok()
    };
    let read = disk.stream(start, tree.file_bytes(), &mut take);
    read.map_err(|error| Refusal::new(ExitCode::DiskRead, &format!("weights: {error}")))?;
    checked.map_err(|error| Refusal::of(ExitCode::WeightsLeaf, &error))
}
