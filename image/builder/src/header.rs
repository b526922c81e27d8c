//! Headers of GGUF files, read from a file of their own or out of an image.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use vial_model::gguf::{Gguf, GgufError, limit};
use vial_model::transformer::Transformer;
use vial_weights::LEAF_BYTES;
use vial_weights::cipher::Decryptor;
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

    /// Of an encrypted GGUF file in another.
    pub(crate) fn encrypted(
        path: &Path,
        file: &File,
        place: Partition,
        decryptor: &Decryptor<'_>,
    ) -> Result<Self, ImageError> {
        let of = |gguf: &Gguf<'_>| Transformer::from_gguf(gguf).map_err(|error| refused(path, &error));
        let prefix = |bytes: u64| {
            let whole = bytes.next_multiple_of(LEAF_BYTES).min(place.bytes);
            let mut prefix = prefix(path, file, Partition { bytes: whole, ..place })?;
            let mut leaves = (0..).zip(prefix.chunks_mut(usize::try_from(LEAF_BYTES).unwrap_or(usize::MAX)));
            let opened = leaves.try_for_each(|(leaf, bytes)| decryptor.decrypt(leaf, bytes));
            opened.map_err(|error| refused(path, &error))?;
            prefix.truncate(usize::try_from(bytes).unwrap_or(usize::MAX));
            Ok(prefix)
        };
        Ok(Self { transformer: grow(path, place.bytes, prefix, of)?, bytes: place.bytes })
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
    let prefix = |bytes| prefix(path, file, Partition { bytes, ..place });
    grow(path, place.bytes, prefix, of)
}

/// Reads ever longer prefixes of a file until its header is whole.
fn grow<T>(
    path: &Path,
    bytes: u64,
    prefix: impl Fn(u64) -> Result<Vec<u8>, ImageError>,
    of: impl Fn(&Gguf<'_>) -> Result<T, ImageError>,
) -> Result<T, ImageError> {
    let mut wanted = FIRST_BYTES.min(bytes);
    loop {
        match Gguf::parse(&prefix(wanted)?, bytes) {
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
