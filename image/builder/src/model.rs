//! Model files: what the manifest says of them, out of their headers.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use vial_model::gguf::{Gguf, GgufError, limit};
use vial_model::scan::Scan;
use vial_model::tokenizer::Tokenizer;
use vial_model::{CheckError, Supported};
use vial_tensor::Isa;

use crate::ImageError;
use crate::stream::{Copy, Hashed};

/// First read of a header; most are shorter.
const FIRST_BYTES: u64 = 4 << 20;

/// The file of a model that an engine can run.
#[derive(Debug)]
pub(crate) struct Model<'a> {
    path: &'a Path,
    file: File,
    pub(crate) bytes: u64,
    pub(crate) name: String,
    pub(crate) architecture: String,
    pub(crate) context: u64,
    tokenizer: Tokenizer,
    /// Looks at its scales as they stream by.
    scan: Scan,
}

/// What a header says.
struct Facts {
    name: String,
    supported: Supported,
    scan: Scan,
}

/// Whether an engine supports the model of a header.
type Check = fn(&Gguf<'_>) -> Result<Supported, CheckError>;

impl<'a> Model<'a> {
    /// Opens a file, and checks that the engine supports its model.
    pub(crate) fn open(path: &'a Path) -> Result<Self, ImageError> {
        Self::checked(path, vial_model::check)
    }

    /// As [`Self::open`], for a model that is to draft for `model`.
    pub(crate) fn open_draft(path: &'a Path, model: &Model<'_>) -> Result<Self, ImageError> {
        let draft = Self::checked(path, vial_model::check_draft)?;
        model.tokenizer.check_draft(&draft.tokenizer).map_err(|error| refused(path, &error))?;
        Ok(draft)
    }

    fn checked(path: &'a Path, check: Check) -> Result<Self, ImageError> {
        let read_error = |error| ImageError::Read { path: path.to_owned(), error };
        let file = File::open(path).map_err(read_error)?;
        let metadata = file.metadata().map_err(read_error)?;
        if !metadata.is_file() {
            return Err(refused(path, &"found a folder or device, expected a GGUF file"));
        }
        let bytes = metadata.len();
        let Facts { name, supported, scan } = facts(path, &file, bytes, check)?;
        let Supported { architecture, context, tokenizer } = supported;
        Ok(Self { path, file, bytes, name, architecture, context, tokenizer, scan })
    }

    /// Copies the file to `offset` of another and hashes it; tells `progress` the bytes done so far.
    pub(crate) fn copy(
        &self,
        to: (&Path, &File),
        offset: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Hashed, ImageError> {
        let (from, scan) = ((self.path, &self.file), self.scan.clone());
        Copy { from, bytes: self.bytes, scan, to, offset }.run(progress)
    }
}

/// Reads as much of the file's start as its header needs.
fn facts(path: &Path, file: &File, bytes: u64, check: Check) -> Result<Facts, ImageError> {
    let mut wanted = FIRST_BYTES.min(bytes);
    loop {
        let prefix = prefix(path, file, wanted)?;
        match Gguf::parse(&prefix, bytes) {
            Ok(gguf) => return of_header(path, &gguf, check),
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

fn of_header(path: &Path, gguf: &Gguf<'_>, check: Check) -> Result<Facts, ImageError> {
    let supported = check(gguf).map_err(|error| refused(path, &error))?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = gguf.str("general.name").map(str::to_owned).or(stem).unwrap_or_default();
    let name = name.chars().filter(|character| !character.is_control()).take(120).collect();
    Ok(Facts { name, supported, scan: Scan::new(Isa::detect(), gguf) })
}

pub(crate) fn refused(path: &Path, what: &impl ToString) -> ImageError {
    ImageError::Model { path: path.to_owned(), what: what.to_string() }
}
