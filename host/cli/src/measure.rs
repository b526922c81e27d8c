//! `vial measure`: reference values of an image, without booting it.

use std::path::PathBuf;
use vial_attest::Reference;
use vial_image::SealedImage;

use crate::failure::Failure;
use crate::shape::{Shape, VmmArg};
use crate::terminal::print;

/// Print what an appliance of this image must show, as JSON, without booting it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The image.
    image: PathBuf,
    #[command(flatten)]
    shape: Shape,
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let reference = reference(&SealedImage::open(&args.image)?, &args.shape)?;
    print(&serde_json::to_string_pretty(&reference).unwrap_or_default());
    Ok(())
}

/// The reference values of an image on a machine.
pub(crate) fn reference(image: &SealedImage, shape: &Shape) -> Result<Reference, Failure> {
    let machine = shape.machine(shape.vmm.unwrap_or(VmmArg::Kvm))?;
    let reference = Reference::of_image(image.manifest(), image.firmware(), &machine);
    reference.map_err(|error| Failure::new(error.to_string(), "build the image again"))
}
