//! Comparing every part with what was sealed, and writing the event log of it.

use alloc::format;
use alloc::vec::Vec;
use vial_abi::{ExitCode, LaunchPage};
use vial_weights::event_log::{EventLog, names};
use vial_weights::header::Part;
use vial_weights::tree::Hex;
use vial_weights::{Manifest, sha384, signature};

use crate::image::Image;
use crate::models::{DRAFT, MODEL, Models};
use crate::{Disk, Machine, Refusal, load};

/// What has been compared, in private memory.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) manifest: Manifest,
    pub(crate) manifest_bytes: Vec<u8>,
    pub(crate) bundle: Vec<u8>,
    pub(crate) tree: Vec<u8>,
    /// Empty if there is no draft model.
    pub(crate) draft_tree: Vec<u8>,
    /// Of encrypted leaves; empty if weights are not. Compared with nothing here: only who has the key can.
    pub(crate) tags: Vec<u8>,
    pub(crate) draft_tags: Vec<u8>,
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
    let mut models = Models { lanes: machine.lanes(), disk, image, measure: launch.measure, log: &mut log };
    let tree = models.measure(&MODEL, Some(&manifest.weights))?;
    let draft = manifest.draft.as_ref().map(|draft| &draft.weights);
    let draft_tree = models.measure(&DRAFT, draft)?;
    let is_encrypted = manifest.encryption.is_some();
    let tags = models.tags(&MODEL, Some(&manifest.weights).filter(|_| is_encrypted))?;
    let draft_tags = models.tags(&DRAFT, draft.filter(|_| is_encrypted))?;
    Ok(Measured { manifest, manifest_bytes, bundle, tree, draft_tree, tags, draft_tags, log })
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
