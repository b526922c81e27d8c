//! An image that appears when it is whole.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

use crate::ImageError;

/// The image while it is written: a file beside the output that goes away unless it is published.
pub(crate) struct Unpublished {
    file: NamedTempFile,
    output: PathBuf,
}

impl Unpublished {
    pub(crate) fn create(output: &Path) -> Result<Self, ImageError> {
        let folder =
            output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new().prefix(".vial-").suffix(".part").tempfile_in(folder);
        let write = |error| ImageError::Write { path: output.to_owned(), error };
        Ok(Self { file: file.map_err(write)?, output: output.to_owned() })
    }

    /// The file, to write to from elsewhere.
    pub(crate) fn file(&self) -> &File {
        self.file.as_file()
    }

    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), ImageError> {
        self.file.as_file().write_all_at(bytes, offset).map_err(|error| self.error(error))
    }

    pub(crate) fn set_len(&self, bytes: u64) -> Result<(), ImageError> {
        self.file.as_file().set_len(bytes).map_err(|error| self.error(error))
    }

    pub(crate) fn publish(self, output: &Path) -> Result<(), ImageError> {
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
