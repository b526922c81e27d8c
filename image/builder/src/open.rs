//! Opening a sealed image.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use vial_weights::cipher::{self, Decryptor, OwnerKey};
use vial_weights::gpt::{GptError, Partition, find};
use vial_weights::header::{HEADER_BYTES, HeaderError, Part, SealedHeader};
use vial_weights::tree::Hex;
use vial_weights::{Manifest, ReadAt, sha384};

use crate::{ImageError, ModelShape};

/// An image that is whole and whose firmware is the one its manifest names. Proves nothing of the other parts: the
/// appliance compares those with the manifest when it starts.
#[derive(Debug)]
pub struct SealedImage {
    path: PathBuf,
    file: File,
    bytes: u64,
    partition: Partition,
    header: SealedHeader,
    manifest: Manifest,
    firmware: Vec<u8>,
}

impl SealedImage {
    /// Opens the image at `path`.
    ///
    /// # Errors
    /// It cannot be read, is no sealed image, is cut short, or its firmware is not the manifest's.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let read = |error| ImageError::Read { path: path.to_owned(), error };
        let mut file = File::open(path).map_err(read)?;
        let bytes = file.metadata().map_err(read)?.len();
        let partition = find(&mut FileReader(&mut file)).map_err(|error| gpt_error(path, &error))?;
        let mut header = [0; HEADER_BYTES];
        let short =
            |_| ImageError::Short { path: path.to_owned(), found: bytes, expected: partition.start + 4096 };
        file.read_exact_at(&mut header, partition.start).map_err(short)?;
        let header = SealedHeader::decode(&header).map_err(|error| header_error(path, error))?;
        let expected = partition.start.saturating_add(header.partition_bytes());
        if bytes < expected {
            return Err(ImageError::Short { path: path.to_owned(), found: bytes, expected });
        }
        let path = path.to_owned();
        let manifest = part(&path, &file, partition, &header, Part::Manifest)?;
        let manifest = Manifest::decode(&manifest);
        let manifest = manifest.map_err(|error| ImageError::Manifest { path: path.clone(), error })?;
        let firmware = part(&path, &file, partition, &header, Part::Firmware)?;
        let found = sha384(&firmware);
        if found != manifest.firmware {
            let [found, expected] = [found, manifest.firmware].map(|digest| Hex(&digest).to_string());
            return Err(ImageError::Digest { path, part: "firmware", found, expected });
        }
        Ok(Self { path, file, bytes, partition, header, manifest, firmware })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Bytes of the image.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The firmware ELF; compared with the manifest.
    #[must_use]
    pub fn firmware(&self) -> &[u8] {
        &self.firmware
    }

    /// Where a part lies, in bytes from the start of the disk.
    #[must_use]
    pub fn place(&self, part: Part) -> Partition {
        let place = self.header.place(part);
        Partition { start: self.partition.start + place.offset, bytes: place.len }
    }

    /// What the model's header says, and the draft model's if there is one. Not compared with the tree here. Encrypted ones are read
    /// with the owner's key.
    ///
    /// # Errors
    /// The file cannot be read, no key or another one, or this version of the engine does not support a model.
    pub fn models(&self, key: Option<&OwnerKey>) -> Result<(ModelShape, Option<ModelShape>), ImageError> {
        let shape = |weights, tags, file| {
            let place = self.place(weights);
            match &self.manifest.encryption {
                None => ModelShape::at(&self.path, &self.file, place),
                Some(_) => {
                    let tags = self.part(tags)?;
                    let decryptor = self.decryptor(key, &tags, file, place.bytes)?;
                    ModelShape::encrypted(&self.path, &self.file, place, &decryptor)
                }
            }
        };
        let draft = self.manifest.draft.as_ref();
        let draft =
            draft.map(|_| shape(Part::DraftWeights, Part::DraftTags, cipher::File::Draft)).transpose()?;
        Ok((shape(Part::Weights, Part::Tags, cipher::File::Model)?, draft))
    }

    fn decryptor<'a>(
        &self,
        key: Option<&OwnerKey>,
        tags: &'a [u8],
        file: cipher::File,
        file_bytes: u64,
    ) -> Result<Decryptor<'a>, ImageError> {
        let path = || self.path.clone();
        let locked = || ImageError::Locked { path: path() };
        let (encryption, key) = self.manifest.encryption.as_ref().zip(key).ok_or_else(locked)?;
        let id = encryption.image_id();
        let key = key.image_key(&id);
        if !encryption.is_opened_by(&key) {
            return Err(ImageError::WrongKey { path: path() });
        }
        let decryptor = Decryptor::new(key.cipher(id, file), tags, file_bytes);
        decryptor.map_err(|error| ImageError::Form { path: path(), what: error.to_string() })
    }

    fn part(&self, wanted: Part) -> Result<Vec<u8>, ImageError> {
        part(&self.path, &self.file, self.partition, &self.header, wanted)
    }

    /// The publisher's signature, if there is one. Not compared with anything here.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn signature(&self) -> Result<Vec<u8>, ImageError> {
        self.part(Part::Signature)
    }
}

fn part(
    path: &Path,
    file: &File,
    partition: Partition,
    header: &SealedHeader,
    part: Part,
) -> Result<Vec<u8>, ImageError> {
    let place = header.place(part);
    let mut bytes = vec![0; usize::try_from(place.len).unwrap_or(usize::MAX)];
    let read = file.read_exact_at(&mut bytes, partition.start + place.offset);
    read.map_err(|error| ImageError::Read { path: path.to_owned(), error })?;
    Ok(bytes)
}

struct FileReader<'a>(&'a mut File);

impl ReadAt for FileReader<'_> {
    type Error = std::io::Error;

    fn read_at(&mut self, offset: u64, to: &mut [u8]) -> Result<(), std::io::Error> {
        self.0.read_exact_at(to, offset)
    }
}

fn gpt_error(path: &Path, error: &GptError<std::io::Error>) -> ImageError {
    let is_short =
        matches!(error, GptError::Read(error) if error.kind() == std::io::ErrorKind::UnexpectedEof);
    let what = if is_short { "found too few bytes for a sealed image".to_owned() } else { error.to_string() };
    ImageError::Form { path: path.to_owned(), what }
}

fn header_error(path: &Path, error: HeaderError) -> ImageError {
    match error {
        HeaderError::Newer { .. } => ImageError::Newer { path: path.to_owned(), error },
        _ => ImageError::Form { path: path.to_owned(), what: error.to_string() },
    }
}
