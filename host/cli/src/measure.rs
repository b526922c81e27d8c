//! `vial measure`: reference values of an image, without booting it.

use std::path::{Path, PathBuf};
use vial_attest::{Reference, corim};
use vial_image::SealedImage;
use vial_weights::tree::Hex;

use crate::failure::Failure;
use crate::key;
use crate::shape::{Shape, VmmArg};
use crate::terminal::print;

/// What computes the values.
const TOOL: &str = concat!("vial ", env!("CARGO_PKG_VERSION"));

/// Print what an appliance of this image must show, as JSON, without booting it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The image.
    image: PathBuf,
    #[command(flatten)]
    shape: Shape,
    /// Also write them as a signed CoRIM (draft-ietf-rats-corim), for other verifiers; never overwrites.
    #[arg(long, value_name = "FILE", requires = "sign")]
    corim: Option<PathBuf>,
    /// Publisher key that signs the CoRIM (`vial key new` makes one).
    #[arg(long, value_name = "KEY", requires = "corim")]
    sign: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let reference = reference(&SealedImage::open(&args.image)?, &args.shape)?;
    if let Some((path, key)) = args.corim.as_deref().zip(args.sign.as_deref()) {
        write(&reference, path, key)?;
    }
    print(&serde_json::to_string_pretty(&reference).unwrap_or_default());
    Ok(())
}

/// The reference values of an image on a machine.
pub(crate) fn reference(image: &SealedImage, shape: &Shape) -> Result<Reference, Failure> {
    let machine = shape.machine(shape.vmm.unwrap_or(VmmArg::Kvm))?;
    let reference = Reference::of_image(image.manifest(), image.firmware(), &machine);
    let reference = reference.map_err(|error| Failure::new(error.to_string(), "build the image again"))?;
    Ok(Reference { tool: Some(TOOL.to_owned()), ..reference })
}

/// The signer is named by its public key, which `vial key public` prints.
fn write(reference: &Reference, path: &Path, key: &Path) -> Result<(), Failure> {
    let key = key::read(key)?;
    let signer = Hex(&key.public()).to_string();
    let document = corim(reference, TOOL, &signer, |content| key.sign_cose(content));
    let document = document.ok_or_else(|| Failure::new("values that are no hex", "build the image again"))?;
    let hint = "name a file that does not exist yet, in a folder you can write";
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()), hint);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    std::io::Write::write_all(&mut file, &document).map_err(failed)
}
