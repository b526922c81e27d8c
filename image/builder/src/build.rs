//! Building a sealed image.

use std::path::{Path, PathBuf};
use vial_disk::{DiskPlan, PARTITION_START};
use vial_weights::cipher::{File, OwnerKey, tags_bytes};
use vial_weights::header::{Part, SealedHeader};
use vial_weights::manifest::{Draft, Manifest, Policy, Weights};
use vial_weights::sha384;
use vial_weights::signature::{PublisherKey, SIGNATURE_BYTES};
use vial_weights::tree::leaves;

use crate::agent;
use crate::blobs;
use crate::encrypted::Ciphers;
use crate::model::Model;
use crate::stream::Hashed;
use crate::unpublished::Unpublished;
use crate::{Guest, ImageError};

/// GGUF bytes start on a multiple of this from the start of the disk, so that direct reads fill large pages.
const WEIGHTS_ALIGN: u64 = 1 << 20;

/// What to seal.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The GGUF file.
    pub model: PathBuf,
    /// The GGUF file of a smaller model with the same vocabulary that drafts for it, if any.
    pub draft: Option<PathBuf>,
    /// The agent bundle's folder, if any.
    pub agent: Option<PathBuf>,
    /// The publisher's key, if any.
    pub publisher: Option<PublisherKey>,
    /// The owner's key, if weights are to be encrypted.
    pub encrypt: Option<OwnerKey>,
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

/// A model file, and what hashing it gave.
type Written<'a> = (&'a Model<'a>, Hashed);

impl Recipe {
    /// Writes the image to `output`, which appears when it is whole. `progress` is told the models' bytes done and all.
    ///
    /// # Errors
    /// An input that is not understood, or a file that cannot be read or written. `output` is then as it was.
    pub fn build(&self, output: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Sealed, ImageError> {
        let model = Model::open(&self.model)?;
        let draft = self.draft.as_deref().map(|path| Model::open_draft(path, &model)).transpose()?;
        let bundle = agent::bundle(self.agent.as_deref())?;
        let bytes = [model.bytes, draft.as_ref().map_or(0, |draft| draft.bytes)];
        let header = SealedHeader::plan(self.lens(bundle.len(), bytes), PARTITION_START, WEIGHTS_ALIGN);
        blobs::check(&self.model, &header)?;
        let unpublished = Unpublished::create(output)?;
        let once: u64 = bytes.iter().sum();
        // To be encrypted they are read twice.
        let (before, all) = if self.encrypt.is_some() { (once, 2 * once) } else { (0, once) };
        let ciphers = self
            .encrypt
            .as_ref()
            .map(|owner| Ciphers::new(owner, &model, draft.as_ref(), &mut |done| progress(done, all)))
            .transpose()?;
        let mut write = |model: &Model<'_>, part, file, before| {
            let offset = PARTITION_START + header.place(part).offset;
            let cipher = ciphers.as_ref().map(|ciphers| ciphers.get(file));
            model.copy((output, unpublished.file()), offset, cipher, &mut |done| progress(before + done, all))
        };
        let hashed = write(&model, Part::Weights, File::Model, before)?;
        let before = before + model.bytes;
        let draft =
            draft.as_ref().map(|draft| Ok((draft, write(draft, Part::DraftWeights, File::Draft, before)?)));
        let draft = draft.transpose()?;
        let encryption =
            ciphers.map(|ciphers| ciphers.encryption((&model, &hashed), draft.as_ref())).transpose()?;
        let manifest = Manifest { encryption, ..self.manifest(&bundle, (&model, &hashed), draft.as_ref()) };
        let draft = draft.map(|(_, hashed)| hashed);
        let image = self.finish(&unpublished, &manifest, &bundle, [Some(hashed), draft])?;
        unpublished.publish(output)?;
        Ok(Sealed { manifest, bytes: image })
    }

    /// Lengths of all parts, given those of both models. The manifest's is not known yet: it gets a whole block, and its header
    /// entry the real one.
    fn lens(&self, bundle: usize, [weights, draft]: [u64; 2]) -> [u64; Part::ALL.len()] {
        let signature = self.publisher.as_ref().map_or(0, |_| SIGNATURE_BYTES);
        let len = |bytes: usize| bytes as u64;
        let Guest { firmware, kernel, engine } = &self.guest;
        let tags = |bytes| self.encrypt.as_ref().map_or(0, |_| tags_bytes(bytes));
        [
            1,
            len(signature),
            len(firmware.len()),
            len(kernel.len()),
            len(engine.len()),
            len(bundle),
            leaves(weights) * 32,
            weights,
            leaves(draft) * 32,
            draft,
            tags(weights),
            tags(draft),
        ]
    }

    fn manifest(
        &self,
        bundle: &[u8],
        (model, hashed): (&Model<'_>, &Hashed),
        draft: Option<&Written<'_>>,
    ) -> Manifest {
        Manifest {
            firmware: sha384(&self.guest.firmware),
            kernel: sha384(&self.guest.kernel),
            engine: sha384(&self.guest.engine),
            bundle: sha384(bundle),
            model: model.name.clone(),
            architecture: model.architecture.clone(),
            weights: weights(model, hashed),
            policy: Policy {
                max_streams: self.max_streams,
                max_context: u32::try_from(model.context).unwrap_or(u32::MAX).min(self.max_context),
            },
            publisher: self.publisher.as_ref().map(PublisherKey::public),
            draft: draft
                .map(|(model, hashed)| Draft { model: model.name.clone(), weights: weights(model, hashed) }),
            encryption: None,
        }
    }

    /// Writes everything but the weights; gives the image's length.
    fn finish(
        &self,
        image: &Unpublished,
        manifest: &Manifest,
        bundle: &[u8],
        hashed: [Option<Hashed>; 2],
    ) -> Result<u64, ImageError> {
        let digest = manifest.digest();
        let manifest_bytes = manifest.encode();
        let signature = self.publisher.as_ref().map(|key| key.sign(&digest).to_vec()).unwrap_or_default();
        let draft_bytes = manifest.draft.as_ref().map_or(0, |draft| draft.weights.bytes);
        let mut lens = self.lens(bundle.len(), [manifest.weights.bytes, draft_bytes]);
        lens[0] = manifest_bytes.len() as u64;
        let header = SealedHeader::plan(lens, PARTITION_START, WEIGHTS_ALIGN);
        let plan = DiskPlan::new(header.partition_bytes(), &digest);
        image.set_len(plan.bytes())?;
        image.write(0, &plan.head())?;
        image.write(plan.tail_offset(), &plan.tail())?;
        image.write(PARTITION_START, &header.encode())?;
        let Guest { firmware, kernel, engine } = &self.guest;
        let [model, draft] = hashed.map(|hashed| hashed.map(|it| (it.tree, it.tags)).unwrap_or_default());
        let parts: [(Part, &[u8]); 10] = [
            (Part::Manifest, &manifest_bytes),
            (Part::Signature, &signature),
            (Part::Firmware, firmware),
            (Part::Kernel, kernel),
            (Part::Engine, engine),
            (Part::Bundle, bundle),
            (Part::Tree, &model.0),
            (Part::DraftTree, &draft.0),
            (Part::Tags, &model.1),
            (Part::DraftTags, &draft.1),
        ];
        for (part, bytes) in parts.into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
            image.write(PARTITION_START + header.place(part).offset, bytes)?;
        }
        Ok(plan.bytes())
    }
}

fn weights(model: &Model<'_>, hashed: &Hashed) -> Weights {
    Weights { root: hashed.root, sha256: hashed.sha256, bytes: model.bytes }
}
