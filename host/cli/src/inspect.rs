//! `vial inspect`: shows what an image holds.

use serde::Serialize;
use std::path::PathBuf;
use vial_image::SealedImage;
use vial_weights::header::Part;
use vial_weights::manifest::{Draft, Encryption};
use vial_weights::signature::is_valid;
use vial_weights::tree::Hex;

use crate::failure::Failure;
use crate::terminal::{json, print};

/// Show what an image holds: manifest, digests, sizes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The image.
    image: PathBuf,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

/// The manifest and sizes, as printed.
#[derive(Serialize)]
struct Shown {
    manifest_digest: String,
    model: String,
    architecture: String,
    weights_root: String,
    weights_sha256: String,
    weights_bytes: u64,
    /// How weights are encrypted; `null` if they are not.
    encryption: Option<ShownEncryption>,
    /// The model that drafts for it; `null` for none.
    draft: Option<ShownDraft>,
    max_streams: u32,
    max_context: u32,
    /// Hex of the publisher's key; `null` for none.
    publisher: Option<String>,
    /// Whether the publisher's signature verifies; `null` for none.
    signature_is_valid: Option<bool>,
    image_bytes: u64,
    parts: Vec<ShownPart>,
}

/// What tells the plaintext; the key opens the image alone.
#[derive(Serialize)]
struct ShownEncryption {
    algorithm: &'static str,
    plaintext_root: String,
    draft_plaintext_root: Option<String>,
}

#[derive(Serialize)]
struct ShownDraft {
    model: String,
    weights_root: String,
    weights_sha256: String,
    weights_bytes: u64,
}

#[derive(Serialize)]
struct ShownPart {
    name: &'static str,
    /// From the start of the disk.
    offset: u64,
    bytes: u64,
    /// SHA-384 in the manifest, where it names the part.
    sha384: Option<String>,
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let image = SealedImage::open(&args.image)?;
    let shown = shown(&image)?;
    if args.json {
        print(&json(&shown));
    } else {
        lines(&shown).iter().for_each(|line| print(line));
    }
    Ok(())
}

fn shown(image: &SealedImage) -> Result<Shown, Failure> {
    let manifest = image.manifest();
    let (digest, signature) = (manifest.digest(), image.signature()?);
    let is_there = |part: &Part| match part {
        Part::DraftTree | Part::DraftWeights => manifest.draft.is_some(),
        Part::Tags => manifest.encryption.is_some(),
        Part::DraftTags => manifest.encryption.is_some() && manifest.draft.is_some(),
        _ => true,
    };
    let parts = Part::ALL.into_iter().filter(is_there);
    Ok(Shown {
        manifest_digest: Hex(&digest).to_string(),
        model: manifest.model.clone(),
        architecture: manifest.architecture.clone(),
        weights_root: Hex(&manifest.weights.root).to_string(),
        weights_sha256: Hex(&manifest.weights.sha256).to_string(),
        weights_bytes: manifest.weights.bytes,
        encryption: manifest.encryption.as_ref().map(shown_encryption),
        draft: manifest.draft.as_ref().map(shown_draft),
        max_streams: manifest.policy.max_streams,
        max_context: manifest.policy.max_context,
        publisher: manifest.publisher.map(|key| Hex(&key).to_string()),
        signature_is_valid: manifest.publisher.map(|key| is_valid(&key, &digest, &signature)),
        image_bytes: image.bytes(),
        parts: parts.map(|part| shown_part(image, part)).collect(),
    })
}

fn shown_encryption(encryption: &Encryption) -> ShownEncryption {
    ShownEncryption {
        algorithm: "AES-256-GCM",
        plaintext_root: Hex(&encryption.plaintext_root).to_string(),
        draft_plaintext_root: encryption.draft_plaintext_root.map(|root| Hex(&root).to_string()),
    }
}

fn shown_draft(draft: &Draft) -> ShownDraft {
    ShownDraft {
        model: draft.model.clone(),
        weights_root: Hex(&draft.weights.root).to_string(),
        weights_sha256: Hex(&draft.weights.sha256).to_string(),
        weights_bytes: draft.weights.bytes,
    }
}

fn shown_part(image: &SealedImage, part: Part) -> ShownPart {
    let manifest = image.manifest();
    let digest = match part {
        Part::Manifest => Some(manifest.digest()),
        Part::Firmware => Some(manifest.firmware),
        Part::Kernel => Some(manifest.kernel),
        Part::Engine => Some(manifest.engine),
        Part::Bundle => Some(manifest.bundle),
        Part::Signature | Part::Tree | Part::Weights | Part::DraftTree | Part::DraftWeights => None,
        Part::Tags | Part::DraftTags => None,
    };
    let place = image.place(part);
    let sha384 = digest.map(|digest| Hex(&digest).to_string());
    ShownPart { name: part.name(), offset: place.start, bytes: place.bytes, sha384 }
}

fn lines(shown: &Shown) -> Vec<String> {
    let signature = match (&shown.publisher, shown.signature_is_valid) {
        (Some(key), Some(true)) => format!("{key}  (signature verifies)"),
        (Some(key), _) => format!("{key}  (SIGNATURE DOES NOT VERIFY)"),
        (None, _) => "none".to_owned(),
    };
    let mut lines = vec![
        format!("model            {} ({})", shown.model, shown.architecture),
        format!("manifest digest  {}", shown.manifest_digest),
        format!("weights root     {}", shown.weights_root),
        format!("weights SHA-256  {}", shown.weights_sha256),
        format!(
            "policy           at most {} streams, {} tokens of context",
            shown.max_streams, shown.max_context
        ),
        format!("publisher        {signature}"),
        format!("image            {} bytes", shown.image_bytes),
    ];
    if let Some(ShownDraft { model, weights_root, weights_sha256, .. }) = &shown.draft {
        let draft = [("model", model), ("root", weights_root), ("SHA-256", weights_sha256)];
        lines.extend(draft.map(|(name, value)| format!("draft {name:<10} {value}")));
    }
    if let Some(ShownEncryption { algorithm, plaintext_root, draft_plaintext_root }) = &shown.encryption {
        lines.push(format!("encrypted        {algorithm}; `vial unlock` opens it"));
        lines.push(format!("plaintext root   {plaintext_root}"));
        lines.extend(draft_plaintext_root.as_ref().map(|root| format!("draft plaintext  {root}")));
    }
    for part in &shown.parts {
        let digest = part.sha384.as_deref().unwrap_or_default();
        lines.push(format!("  {:<13} {:>12} bytes at {:>9}  {}", part.name, part.bytes, part.offset, digest));
    }
    lines
}
