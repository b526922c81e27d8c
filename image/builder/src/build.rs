//! Building a sealed image.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use vial_agent::Agent;
use vial_disk::{DiskPlan, PARTITION_START};
use vial_weights::bundle::{self, File as BundleFile};
use vial_weights::header::{Part, SealedHeader};
use vial_weights::manifest::{Manifest, Policy, Weights};
use vial_weights::sha384;
use vial_weights::signature::{PublisherKey, SIGNATURE_BYTES};
use vial_weights::tree::leaves;

use crate::stream::{Copy, Hashed};
use crate::{Guest, ImageError, model};

/// GGUF bytes start on a multiple of this from the start of the disk, so that direct reads fill large pages.
const WEIGHTS_ALIGN: u64 = 1 << 20;

/// What to seal.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The GGUF file.
    pub model: PathBuf,
    /// The agent bundle's folder, if any.
    pub agent: Option<PathBuf>,
    /// The publisher's key, if any.
    pub publisher: Option<PublisherKey>,
    /// Firmware, kernel and engine.
    pub guest: Guest,
    /// Most requests generated at once.
    pub max_streams: u32,
    /// Most tokens of a context; the model's own limit caps it.
    pub max_context: u32,
}

/// What was sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The manifest.
    pub manifest: Manifest,
    /// Bytes of the image.
    pub bytes: u64,
}

impl Recipe {
    /// Writes the image to `output`, which appears when it is whole. `progress` is told the model's bytes done and all.
    ///
    /// # Errors
    /// An input that is not understood, or a file that cannot be read or written. `output` is then as it was.
    pub fn build(&self, output: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Sealed, ImageError> {
        let read_error = |error| ImageError::Read { path: self.model.clone(), error };
        let file = File::open(&self.model).map_err(read_error)?;
        let metadata = file.metadata().map_err(read_error)?;
        if !metadata.is_file() {
            let what = "found a folder or device, expected a GGUF file".to_owned();
            return Err(ImageError::Model { path: self.model.clone(), what });
        }
        let bytes = metadata.len();
        let facts = model::facts(&self.model, &file, bytes)?;
        let bundle = self.bundle()?;
        let draft = Draft::create(output)?;
        let lens = self.lens(bundle.len(), bytes);
        let header = SealedHeader::plan(lens, PARTITION_START, WEIGHTS_ALIGN);
        let copy = Copy {
            from: (&self.model, file),
            bytes,
            scan: facts.scan.clone(),
            to: (output, draft.file.as_file()),
            offset: PARTITION_START + header.place(Part::Weights).offset,
        };
        let hashed = copy.run(&mut |done| progress(done, bytes))?;
        let manifest = self.manifest(&facts, &bundle, &hashed, bytes);
        let image = self.finish(&draft, &manifest, bundle, hashed)?;
        draft.publish(output)?;
        Ok(Sealed { manifest, bytes: image })
    }

    /// Lengths of all parts. The manifest's is not known yet: it gets a whole block, and its header entry the real one.
    fn lens(&self, bundle: usize, weights: u64) -> [u64; Part::ALL.len()] {
        let signature = self.publisher.as_ref().map_or(0, |_| SIGNATURE_BYTES);
        let len = |bytes: usize| bytes as u64;
        let Guest { firmware, kernel, engine } = &self.guest;
        [
            1,
            len(signature),
            len(firmware.len()),
            len(kernel.len()),
            len(engine.len()),
            len(bundle),
            leaves(weights) * 32,
            weights,
        ]
    }

    fn manifest(&self, facts: &model::ModelFacts, bundle: &[u8], hashed: &Hashed, bytes: u64) -> Manifest {
        Manifest {
            firmware: sha384(&self.guest.firmware),
            kernel: sha384(&self.guest.kernel),
            engine: sha384(&self.guest.engine),
            bundle: sha384(bundle),
            model: facts.name.clone(),
            architecture: facts.architecture.clone(),
            weights: Weights { root: hashed.root, sha256: hashed.sha256, bytes },
            policy: Policy {
                max_streams: self.max_streams,
                max_context: u32::try_from(facts.context).unwrap_or(u32::MAX).min(self.max_context),
            },
            publisher: self.publisher.as_ref().map(PublisherKey::public),
        }
    }

    /// Writes everything but the weights; gives the image's length.
    fn finish(
        &self,
        draft: &Draft,
        manifest: &Manifest,
        bundle: Vec<u8>,
        hashed: Hashed,
    ) -> Result<u64, ImageError> {
        let digest = manifest.digest();
        let manifest_bytes = manifest.encode();
        let signature = self.publisher.as_ref().map(|key| key.sign(&digest).to_vec()).unwrap_or_default();
        let mut lens = self.lens(bundle.len(), manifest.weights.bytes);
        lens[0] = manifest_bytes.len() as u64;
        let header = SealedHeader::plan(lens, PARTITION_START, WEIGHTS_ALIGN);
        let plan = DiskPlan::new(header.partition_bytes(), &digest);
        draft.set_len(plan.bytes())?;
        draft.write(0, &plan.head())?;
        draft.write(plan.tail_offset(), &plan.tail())?;
        draft.write(PARTITION_START, &header.encode())?;
        let Guest { firmware, kernel, engine } = &self.guest;
        let parts: [&[u8]; 7] =
            [&manifest_bytes, &signature, firmware, kernel, engine, &bundle, &hashed.tree];
        for (part, bytes) in Part::ALL.into_iter().zip(parts) {
            draft.write(PARTITION_START + header.place(part).offset, bytes)?;
        }
        Ok(plan.bytes())
    }

    /// The agent's folder as a blob, checked as the engine would.
    fn bundle(&self) -> Result<Vec<u8>, ImageError> {
        let mut files = Vec::new();
        if let Some(folder) = &self.agent {
            collect(folder, folder, &mut files)?;
        }
        let path = self.agent.clone().unwrap_or_default();
        let refused = |what: String| ImageError::Agent { path: path.clone(), what };
        let blob = bundle::encode(files).map_err(|error| refused(error.to_string()))?;
        if blob.len() as u64 > Part::Bundle.max_bytes() {
            let what = format!("found {} bytes, expected at most {}", blob.len(), Part::Bundle.max_bytes());
            return Err(refused(what));
        }
        Agent::from_bundle(&blob).map_err(|error| refused(error.to_string()))?;
        Ok(blob)
    }
}

/// Adds every file below `folder`.
fn collect(root: &Path, folder: &Path, files: &mut Vec<BundleFile>) -> Result<(), ImageError> {
    let read = |path: &Path, error| ImageError::Read { path: path.to_owned(), error };
    for entry in std::fs::read_dir(folder).map_err(|error| read(folder, error))? {
        let path = entry.map_err(|error| read(folder, error))?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
            continue;
        }
        let name = path.strip_prefix(root).ok().and_then(Path::to_str).map(str::to_owned);
        let what = "found a name that is not UTF-8".to_owned();
        let name = name.ok_or(ImageError::Agent { path: path.clone(), what })?;
        let bytes = std::fs::read(&path).map_err(|error| read(&path, error))?;
        files.push(BundleFile { path: name, bytes });
    }
    Ok(())
}

/// The image while it is written: a file beside the output that goes away unless it is published.
struct Draft {
    file: NamedTempFile,
    output: PathBuf,
}

impl Draft {
    fn create(output: &Path) -> Result<Self, ImageError> {
        let folder =
            output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new().prefix(".vial-").suffix(".part").tempfile_in(folder);
        let write = |error| ImageError::Write { path: output.to_owned(), error };
        Ok(Self { file: file.map_err(write)?, output: output.to_owned() })
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), ImageError> {
        self.file.as_file().write_all_at(bytes, offset).map_err(|error| self.error(error))
    }

    fn set_len(&self, bytes: u64) -> Result<(), ImageError> {
        self.file.as_file().set_len(bytes).map_err(|error| self.error(error))
    }

    fn publish(self, output: &Path) -> Result<(), ImageError> {
        use std::os::unix::fs::PermissionsExt as _;
        let readable = std::fs::Permissions::from_mode(0o644);
        self.file.as_file().set_permissions(readable).map_err(|error| self.error(error))?;
        let write = |error| ImageError::Write { path: output.to_owned(), error };
        self.file.persist(output).map_err(|error| write(error.error))?;
        Ok(())
    }

    fn error(&self, error: std::io::Error) -> ImageError {
        ImageError::Write { path: self.output.clone(), error }
    }
}
