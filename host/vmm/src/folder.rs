//! A private folder that goes away with its owner.

use std::fs::DirBuilder;
use std::io::Result;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// The folder.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A new folder nobody else may enter.
    pub(crate) fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("vial-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed stays for the system to clean up.
        let _left = std::fs::remove_dir_all(&self.0);
    }
}
