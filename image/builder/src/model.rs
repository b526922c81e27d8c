//! What the manifest says of a model, out of its header.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use vial_model::gguf::{Gguf, GgufError, limit};
use vial_model::scan::Scan;
use vial_tensor::Isa;

use crate::ImageError;

/// First read of a header; most are shorter.
const FIRST_BYTES: u64 = 4 << 20;

/// Name and architecture of a model that an engine can run.
#[derive(Clone, Debug)]
pub(crate) struct ModelFacts {
    pub(crate) name: String,
    pub(crate) architecture: String,
    pub(crate) context: u64,
    /// Looks at its scales as they stream by.
    pub(crate) scan: Scan,
}

/// Reads as much of the file's start as its header needs, and checks that the engine supports the model.
pub(crate) fn facts(path: &Path, file: &File, bytes: u64) -> Result<ModelFacts, ImageError> {
    let mut wanted = FIRST_BYTES.min(bytes);
    loop {
        let prefix = prefix(path, file, wanted)?;
        match Gguf::parse(&prefix, bytes) {
            Ok(gguf) => return of_header(path, &gguf),
            Err(GgufError::NeedMore { .. }) if wanted < bytes.min(limit::HEADER_BYTES) => {
                wanted = wanted.saturating_mul(4).min(bytes).min(limit::HEADER_BYTES);
            }
            Err(error) => return Err(refused(path, &error)),
        }
    }
}

fn prefix(path: &Path, file: &File, bytes: u64) -> Result<Vec<u8>, ImageError> {
    let mut prefix = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
    let read = file.read_exact_at(&mut prefix, 0);
    read.map_err(|error| ImageError::Read { path: path.to_owned(), error })?;
    Ok(prefix)
}

fn of_header(path: &Path, gguf: &Gguf<'_>) -> Result<ModelFacts, ImageError> {
    let supported = vial_model::check(gguf).map_err(|error| refused(path, &error))?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = gguf.str("general.name").map(str::to_owned).or(stem).unwrap_or_default();
    let name = name.chars().filter(|character| !character.is_control()).take(120).collect();
    let scan = Scan::new(Isa::detect(), gguf);
    Ok(ModelFacts { name, architecture: supported.architecture, context: supported.context, scan })
}

pub(crate) fn refused(path: &Path, what: &impl ToString) -> ImageError {
    ImageError::Model { path: path.to_owned(), what: what.to_string() }
}
