//! What goes wrong, told in one line with a hint and a fixed exit code.

use std::process::ExitCode;
use vial_image::ImageError;

use crate::terminal::{Style, say};

/// A verifier refused what it was shown.
pub(crate) const REFUSED: u8 = 1;
/// Something could not be done.
pub(crate) const COULD_NOT: u8 = 2;

/// A command that did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: String,
    code: u8,
}

impl Failure {
    /// Something could not be done.
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), code: COULD_NOT }
    }

    /// The same with another exit code.
    pub(crate) fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// What it says, without the hint.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Tells it and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            say(&format!("{} {}", Style::Bad.paint("vial: error:"), self.message));
        }
        if !self.hint.is_empty() {
            say(&format!("{} {}", Style::Dim.paint("hint:"), self.hint));
        }
        ExitCode::from(self.code)
    }
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        let hint = match &error {
            ImageError::Read { .. } => "check the path and its permissions",
            ImageError::Write { .. } => "check that the folder exists, is writable and has room",
            ImageError::Model { .. } => "see `vial build --help` for what is supported",
            ImageError::Agent { .. } => "correct the agent's folder and build again",
            ImageError::Blobs { .. } => {
                "take a smaller model or a shorter quantisation, or leave --draft or --encrypt out: a leaf of 128 KiB takes 32 bytes, \
                 encrypted 48"
            }
            ImageError::Changed { .. } => "build again when nothing writes the model file",
            ImageError::ChangedBetween { .. } => "build again when nothing writes the model file",
            ImageError::Locked { .. } => "name the key that it was built with: --key FILE",
            ImageError::WrongKey { .. } => "name the key that it was built with",
            ImageError::NoGuest => {
                "run `cargo xtask guest`, then build vial again, or name a folder with --guest"
            }
            ImageError::Newer { .. } => "use a vial of that format version or newer",
            ImageError::Short { .. } => "copy or build the image again",
            _ => "is it an image made by `vial build`? build it again if it was changed",
        };
        Self::new(error.to_string(), hint)
    }
}
