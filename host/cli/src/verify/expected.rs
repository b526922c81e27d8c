//! What is expected: a policy's file, an image or its reference values, and a profile.

use std::path::PathBuf;
use vial_attest::policy::FIELDS;
use vial_attest::{Policy, PolicyError, PolicyFile, Profile, Reference};
use vial_image::SealedImage;

use super::files::read;
use crate::failure::Failure;
use crate::measure;
use crate::shape::Shape;

/// Flags of what is expected.
#[derive(clap::Args)]
pub(crate) struct Expected {
    /// Expect this image.
    #[arg(long, conflicts_with = "measurements")]
    image: Option<PathBuf>,
    /// Expect these reference values (`vial measure` prints them).
    #[arg(long, value_name = "FILE")]
    measurements: Option<PathBuf>,
    /// Expect what this policy states (TOML); what it states is stronger than an image.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// What holds where nothing else is stated; a policy's file names its own.
    #[arg(long, value_enum, default_value = "own-host", conflicts_with = "policy")]
    profile: ProfileArg,
    #[command(flatten)]
    shape: Shape,
    /// Accept the simulated root of trust, which proves nothing about hardware.
    #[arg(long)]
    allow_simulated: bool,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum ProfileArg {
    /// Trusts nobody but the maker of the processor; least versions must be stated.
    Strict,
    /// The machine is yours: its versions may be what they are.
    OwnHost,
    /// A cloud's machine, whose paravisor or word is accepted.
    CloudVouched,
    /// Accepts simulated and old evidence, and debugging.
    Development,
}

impl From<ProfileArg> for Profile {
    fn from(profile: ProfileArg) -> Self {
        match profile {
            ProfileArg::Strict => Self::Strict,
            ProfileArg::OwnHost => Self::OwnHost,
            ProfileArg::CloudVouched => Self::CloudVouched,
            ProfileArg::Development => Self::Development,
        }
    }
}

impl Expected {
    /// The reference values, if an image or a file names some.
    pub(super) fn reference(&self) -> Result<Option<Reference>, Failure> {
        if let Some(image) = &self.image {
            return measure::reference(&SealedImage::open(image)?, &self.shape).map(Some);
        }
        let Some(path) = &self.measurements else { return Ok(None) };
        let hint = "make it with `vial measure IMAGE > FILE`";
        let reference = Reference::parse(&read(path, hint)?);
        reference.map(Some).map_err(|error| Failure::new(format!("{}: {error}", path.display()), hint))
    }

    /// The policy of an appliance.
    pub(super) fn of_appliance(&self, reference: Option<&Reference>) -> Result<Policy, Failure> {
        let mut file = self.file()?;
        reference.map_or(Ok(()), |reference| reference.state(&mut file)).map_err(wrong)?;
        file.complete().map_err(unset)
    }

    /// The policy of a report alone: nothing of an appliance is in it, so that only what is stated is asked for.
    pub(super) fn of_report(&self) -> Result<Policy, Failure> {
        let mut file = self.file()?;
        let names = FIELDS.iter().map(|field| field.name);
        for name in names.filter(|name| name.starts_with("appliance.") && *name != "appliance.measurement") {
            file.default_to(name, &["any".to_owned()], "no appliance is asked for").map_err(wrong)?;
        }
        file.complete().map_err(unset)
    }

    fn file(&self) -> Result<PolicyFile, Failure> {
        let mut file = match &self.policy {
            Some(path) => {
                let text =
                    String::from_utf8_lossy(&read(path, "see `vial verify --explain all`")?).into_owned();
                PolicyFile::parse(&text).map_err(|error| wrong_in(path, &error))?
            }
            None => PolicyFile::of_profile(self.profile.into()),
        };
        if self.allow_simulated {
            file.default_to("assurance", &["simulated".to_owned()], "--allow-simulated").map_err(wrong)?;
        }
        Ok(file)
    }
}

fn wrong_in(path: &std::path::Path, error: &PolicyError) -> Failure {
    Failure::new(format!("{}: {error}", path.display()), "see `vial verify --explain all`")
}

fn wrong(error: PolicyError) -> Failure {
    Failure::new(error.to_string(), "see `vial verify --explain all`")
}

fn unset(error: PolicyError) -> Failure {
    let hint = "name an image with --image, its reference values with --measurements, or state them in a file with --policy";
    Failure::new(error.to_string(), hint)
}
