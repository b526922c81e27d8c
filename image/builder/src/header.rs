//! Headers of GGUF files, read from a file of their own or out of an image.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use vial_model::gguf::{Gguf, GgufError, limit};
use vial_model::transformer::Transformer;
use vial_weights::gpt::Partition;

use crate::ImageError;

/// First read of a header; most are shorter.
const FIRST_BYTES: u64 = 4 << 20;

/// What a header says of a model's memory.
#[derive(Debug)]
pub struct ModelShape {
    /// Its numbers and tensors.
    pub transformer: Transformer,
    /// Bytes of its file.
    pub bytes: u64,
}

impl ModelShape {
    /// Of a GGUF file.
    ///
    /// # Errors
    /// It cannot be read, or holds no model that the engine supports.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let (file, bytes) = open(path)?;
        Self::at(path, &file, Partition { start: 0, bytes })
    }

    /// Of a GGUF file in another.
    pub(crate) fn at(path: &Path, file: &File, place: Partition) -> Result<Self, ImageError> {
        let of = |gguf: &Gguf<'_>| Transformer::from_gguf(gguf).map_err(|error| refused(path, &error));
        Ok(Self { transformer: read(path, file, place, of)?, bytes: place.bytes })
    }
}

/// A regular file and its length.
pub(crate) fn open(path: &Path) -> Result<(File, u64), ImageError> {
    let read_error = |error| ImageError::Read { path: path.to_owned(), error };
    let file = File::open(path).map_err(read_error)?;
    let metadata = file.metadata().map_err(read_error)?;
    if !metadata.is_file() {
        return Err(refused(path, &"found a folder or device, expected a GGUF file"));
    }
    Ok((file, metadata.len()))
}

/// Reads as much of a GGUF file's start as its header needs, and gives what `of` makes of it.
pub(crate) fn read<T>(
    path: &Path,
    file: &File,
    place: Partition,
    of: impl Fn(&Gguf<'_>) -> Result<T, ImageError>,
) -> Result<T, ImageError> {
    let bytes = place.bytes;
    let mut wanted = FIRST_BYTES.min(bytes);
    loop {
        let prefix = prefix(path, file, Partition { bytes: wanted, ..place })?;
        match Gguf::parse(&prefix, bytes) {
            Ok(gguf) => return of(&gguf),
            Err(GgufError::NeedMore { .. }) if wanted < bytes.min(limit::HEADER_BYTES) => {
                wanted = wanted.saturating_mul(4).min(bytes).min(limit::HEADER_BYTES);
            }
            Err(error) => return Err(refused(path, &error)),
        }
    }
}

fn prefix(path: &Path, file: &File, place: Partition) -> Result<Vec<u8>, ImageError> {
    let mut prefix = vec![0; usize::try_from(place.bytes).unwrap_or(usize::MAX)];
    let read = file.read_exact_at(&mut prefix, place.start);
    read.map_err(|error| ImageError::Read { path: path.to_owned(), error })?;
    Ok(prefix)
}

/// A model file that is refused.
pub(crate) fn refused(path: &Path, what: &impl ToString) -> ImageError {
    ImageError::Model { path: path.to_owned(), what: what.to_string() }
}
