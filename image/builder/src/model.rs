//! Model files: what the manifest says of them, out of their headers.

use std::fs::File;
use std::path::Path;
use vial_model::gguf::Gguf;
use vial_model::scan::Scan;
use vial_model::tokenizer::Tokenizer;
use vial_model::{CheckError, Supported};
use vial_tensor::Isa;
use vial_weights::cipher::Cipher;
use vial_weights::gpt::Partition;

use crate::ImageError;
use crate::header::{self, refused};
use crate::stream::{Copy, Hashed, root};

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
        let (file, bytes) = header::open(path)?;
        let place = Partition { start: 0, bytes };
        let of = |gguf: &Gguf<'_>| facts(path, gguf, check);
        let Facts { name, supported, scan } = header::read(path, &file, place, of)?;
        let Supported { architecture, context, tokenizer } = supported;
        Ok(Self { path, file, bytes, name, architecture, context, tokenizer, scan })
    }

    /// BLAKE3 of the file; tells `progress` the bytes done so far.
    pub(crate) fn root(&self, progress: &mut dyn FnMut(u64)) -> Result<[u8; 32], ImageError> {
        root(self.path, &self.file, self.bytes, progress)
    }

    /// Copies the file to `offset` of another, encrypted if there is a cipher, and hashes it; tells `progress` the bytes done so far.
    pub(crate) fn copy(
        &self,
        to: (&Path, &File),
        offset: u64,
        cipher: Option<&Cipher>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Hashed, ImageError> {
        let (from, scan) = ((self.path, &self.file), self.scan.clone());
        Copy { from, bytes: self.bytes, scan, to, offset, cipher }.run(progress)
    }

    /// Refuses a file of which other bytes were copied than their key was made for: one nonce must not meet two texts.
    pub(crate) fn check(&self, first: &[u8; 32], copied: &Hashed) -> Result<(), ImageError> {
        let is_same = copied.plaintext_root == *first;
        if is_same { Ok(()) } else { Err(ImageError::ChangedBetween { path: self.path.to_owned() }) }
    }
}

fn facts(path: &Path, gguf: &Gguf<'_>, check: Check) -> Result<Facts, ImageError> {
    let supported = check(gguf).map_err(|error| refused(path, &error))?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = gguf.str("general.name").map(str::to_owned).or(stem).unwrap_or_default();
    let name = name.chars().filter(|character| !character.is_control()).take(120).collect();
    Ok(Facts { name, supported, scan: Scan::new(Isa::detect(), gguf) })
}
