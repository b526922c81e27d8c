//! A model file in memory.

use memmap2::{Advice, MmapMut};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Bytes read between two words of progress.
const STEP_BYTES: usize = 16 << 20;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be opened or read.
    #[error("{0}")]
    Read(#[from] std::io::Error),
    /// A folder or device.
    #[error("found a folder or device, expected a GGUF file")]
    Kind,
    /// There is nothing in it.
    #[error("found an empty file, expected a GGUF file")]
    Empty,
}

/// The bytes of a file, in large pages where the system has them: matrices are read from end to end in every pass, and
/// small pages cost that a tenth of its speed.
#[derive(Debug)]
pub struct ModelFile(MmapMut);

impl ModelFile {
    /// Reads the file at `path`. `progress` is told the bytes read and all.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read(path: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Self, FileError> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(FileError::Kind);
        }
        let len = usize::try_from(metadata.len()).map_err(std::io::Error::other)?;
        if len == 0 {
            return Err(FileError::Empty);
        }
        let mut memory = MmapMut::map_anon(len)?;
        // Without large pages it is slower, not wrong.
        let _advice = memory.advise(Advice::HugePage);
        let mut done = 0;
        for piece in memory.chunks_mut(STEP_BYTES) {
            file.read_exact(piece)?;
            done += piece.len() as u64;
            progress(done, metadata.len());
        }
        Ok(Self(memory))
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_and_others_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, [1, 2, 3]).unwrap();
        let mut told = Vec::new();
        let file = ModelFile::read(&path, &mut |done, all| told.push((done, all))).unwrap();
        assert_eq!((file.bytes(), &told[..]), (&[1, 2, 3][..], &[(3, 3)][..]));
        assert!(matches!(ModelFile::read(folder.path(), &mut |_, _| ()), Err(FileError::Kind)));
        std::fs::write(&path, []).unwrap();
        assert!(matches!(ModelFile::read(&path, &mut |_, _| ()), Err(FileError::Empty)));
    }
}
