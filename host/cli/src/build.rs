//! `vial build`: seals a model.

use serde::Serialize;
use std::path::{Path, PathBuf};
use vial_image::{Guest, Recipe, Sealed};
use vial_weights::tree::Hex;

use crate::failure::Failure;
use crate::terminal::{Style, bar, print, say};
use crate::{key, terminal};

/// Seal a GGUF model into an image.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The GGUF file.
    model: PathBuf,
    /// Where the image goes; it appears when it is whole.
    #[arg(short, long, value_name = "IMAGE")]
    output: PathBuf,
    /// A smaller GGUF model with the same vocabulary, which drafts what the model then checks. Answers are the same, and sooner
    /// where it is right.
    #[arg(long, value_name = "GGUF")]
    draft: Option<PathBuf>,
    /// Folder with agent.toml and what belongs to it.
    #[arg(long, value_name = "DIR")]
    agent: Option<PathBuf>,
    /// Sign the manifest with this publisher key (`vial key new` makes one).
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    /// Encrypt the weights with this key (`vial key new --weights` makes one): the appliance waits for `vial unlock`.
    #[arg(long, value_name = "KEY")]
    encrypt: Option<PathBuf>,
    /// Most requests generated at once.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    max_streams: u32,
    /// Most tokens of prompt and answer together; the model's own limit caps it.
    #[arg(long, default_value_t = 8192, value_parser = clap::value_parser!(u32).range(64..))]
    max_context: u32,
    /// Take firmware.elf, kernel.elf and engine.elf from this folder.
    #[arg(long, value_name = "DIR")]
    guest: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Output {
    image: PathBuf,
    bytes: u64,
    manifest_digest: String,
    weights_root: String,
    weights_sha256: String,
    /// Of the draft model; missing for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    draft_weights_root: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    draft_weights_sha256: Option<String>,
    /// BLAKE3 of the model before it was encrypted; missing if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    plaintext_root: Option<String>,
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let guest = args.guest.as_deref().map_or_else(Guest::embedded, Guest::from_folder)?;
    let recipe = Recipe {
        model: args.model.clone(),
        draft: args.draft.clone(),
        agent: args.agent.clone(),
        publisher: args.sign.as_deref().map(key::read).transpose()?,
        encrypt: args.encrypt.as_deref().map(key::read_weights).transpose()?,
        guest,
        max_streams: args.max_streams,
        max_context: args.max_context,
    };
    let bar = bar("sealing", 0);
    let sealed = recipe.build(&args.output, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    show(&args.output, &sealed?, args.json);
    Ok(())
}

fn show(image: &Path, sealed: &Sealed, is_json: bool) {
    let weights = &sealed.manifest.weights;
    let draft = sealed.manifest.draft.as_ref().map(|draft| &draft.weights);
    let output = Output {
        image: image.to_owned(),
        bytes: sealed.bytes,
        manifest_digest: Hex(&sealed.manifest.digest()).to_string(),
        weights_root: Hex(&weights.root).to_string(),
        weights_sha256: Hex(&weights.sha256).to_string(),
        draft_weights_root: draft.map(|weights| Hex(&weights.root).to_string()),
        draft_weights_sha256: draft.map(|weights| Hex(&weights.sha256).to_string()),
        plaintext_root: sealed.manifest.encryption.map(|it| Hex(&it.plaintext_root).to_string()),
    };
    if is_json {
        print(&terminal::json(&output));
        return;
    }
    say(&format!("{} {} ({} bytes)", Style::Good.paint("sealed"), image.display(), sealed.bytes));
    print(&format!("manifest digest  {}", output.manifest_digest));
    match &output.plaintext_root {
        None => print(&format!("weights root     {}  (b3sum)", output.weights_root)),
        Some(plaintext) => {
            print(&format!("weights root     {}  (encrypted)", output.weights_root));
            print(&format!("plaintext root   {plaintext}  (b3sum)"));
        }
    }
    print(&format!("weights SHA-256  {}", output.weights_sha256));
    if let Some((root, sha256)) = output.draft_weights_root.zip(output.draft_weights_sha256) {
        print(&format!("draft root       {root}"));
        print(&format!("draft SHA-256    {sha256}"));
    }
}
