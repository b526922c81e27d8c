//! What is expected: a policy's file, an image or its reference values, and a profile.

use std::path::{Path, PathBuf};
use vial_attest::{Profile, Question};
use vial_image::SealedImage;

use super::failed::{POLICY_HINT, REFERENCE_HINT};
use super::files::text;
use crate::failure::Failure;
use crate::measure;
use crate::shape::Shape;
use crate::terminal::json;

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
    /// A question about nothing yet: all but what is shown and what is trusted.
    pub(super) fn question(&self) -> Result<Question, Failure> {
        Ok(Question {
            policy: self.policy.as_deref().map(|path| text(path, POLICY_HINT)).transpose()?,
            profile: self.profile.into(),
            allow_simulated: self.allow_simulated,
            reference: self.reference()?,
            ..Question::default()
        })
    }

    /// The reference values as JSON, if an image or a file names some.
    fn reference(&self) -> Result<Option<String>, Failure> {
        let Some(image) = &self.image else {
            return self.measurements.as_deref().map(|path| text(path, REFERENCE_HINT)).transpose();
        };
        let reference = measure::reference(&SealedImage::open(image)?, &self.shape)?;
        Ok(Some(json(&reference)))
    }

    /// The files that policy and reference values come from.
    pub(super) fn files(&self) -> [Option<&Path>; 2] {
        [self.policy.as_deref(), self.measurements.as_deref()]
    }
}
