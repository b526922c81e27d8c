//! GGUF headers: typed metadata and checked tensor ranges out of a prefix of a file.
//!
//! Trust: the bytes are hostile. Every count and length is capped ([`limit`]), nothing is allocated by a
//! count that has not been backed by bytes, and every refusal is a named [`GgufError`]. Reading the data
//! section and computing on it is not done here.
//!
//! Spec: ggml `docs/gguf.md`, versions 2 and 3, little-endian.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions)
)]

mod error;
mod reader;
mod tensors;
#[cfg(test)]
mod tests;
mod types;
mod value;

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

pub use error::GgufError;
pub use tensors::TensorInfo;
pub use types::{BlockLayout, GgmlType};
pub use value::{Array, NumberKind, Numbers, Value};

use reader::Reader;

/// Caps on what a header may hold. Models seen in the wild stay below a tenth of each.
pub mod limit {
    /// Metadata entries.
    pub const METADATA: u64 = 65_536;
    /// Tensors.
    pub const TENSORS: u64 = 65_536;
    /// Bytes of a metadata key. Spec: 2^16 - 1.
    pub const KEY_BYTES: u64 = 65_535;
    /// Bytes of a tensor name. Spec: 64; longer ones exist.
    pub const TENSOR_NAME_BYTES: u64 = 1024;
    /// Bytes of one string.
    pub const STRING_BYTES: u64 = 16 << 20;
    /// Items of one array.
    pub const ARRAY_ITEMS: u64 = 16 << 20;
    /// Arrays inside arrays.
    pub const ARRAY_DEPTH: u32 = 4;
    /// Dimensions of a tensor.
    pub const DIMENSIONS: u32 = 4;
    /// Largest `general.alignment`.
    pub const ALIGNMENT: u64 = 1 << 20;
    /// Bytes of the whole header.
    pub const HEADER_BYTES: u64 = 128 << 20;
}

/// Alignment of tensors where the file names none. Spec: `general.alignment`.
const DEFAULT_ALIGNMENT: u64 = 32;

/// A parsed header. Holding one proves what [`TensorInfo`] says of each tensor and that names are unique.
#[derive(Clone, Debug)]
pub struct Gguf<'a> {
    version: u32,
    metadata: Vec<(&'a str, Value<'a>)>,
    tensors: Vec<TensorInfo<'a>>,
    by_name: BTreeMap<&'a str, usize>,
    data_start: u64,
    file_bytes: u64,
}

impl<'a> Gguf<'a> {
    /// Parses the header in `prefix`, the first bytes of a file of `file_bytes` bytes.
    ///
    /// ```
    /// use vial_model::gguf::{Gguf, GgufError};
    /// let refused = Gguf::parse(b"GGUF", 1000).unwrap_err();
    /// assert_eq!(refused, GgufError::NeedMore { have: 4, at_least: 8 });
    /// ```
    ///
    /// # Errors
    /// [`GgufError::NeedMore`] where the prefix ends inside the header; every other variant refuses the file.
    pub fn parse(prefix: &'a [u8], file_bytes: u64) -> Result<Self, GgufError> {
        let mut from = Reader::new(prefix, file_bytes);
        let version = read_version(&mut from)?;
        let tensor_count = from.count("tensor count", limit::TENSORS)?;
        let metadata_count = from.count("metadata count", limit::METADATA)?;
        let metadata = read_metadata(&mut from, metadata_count)?;
        let alignment = alignment(&metadata)?;
        let mut tensors = read_tensors(&mut from, tensor_count)?;
        check_header_bytes(&from)?;
        let data_start = from.offset().next_multiple_of(alignment);
        tensors::place(&mut tensors, data_start, alignment, file_bytes)?;
        tensors::check_overlap(&tensors)?;
        let by_name = index(&tensors)?;
        Ok(Self { version, metadata, tensors, by_name, data_start, file_bytes })
    }

    /// Version of the format.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// All metadata in file order.
    #[must_use]
    pub fn metadata(&self) -> &[(&'a str, Value<'a>)] {
        &self.metadata
    }

    /// The metadata value of that key.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&Value<'a>> {
        self.metadata.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// The string of that key.
    #[must_use]
    pub fn str(&self, key: &str) -> Option<&'a str> {
        self.value(key)?.as_str()
    }

    /// The integer of that key.
    #[must_use]
    pub fn u64(&self, key: &str) -> Option<u64> {
        self.value(key)?.as_u64()
    }

    /// All tensors in file order.
    #[must_use]
    pub fn tensors(&self) -> &[TensorInfo<'a>] {
        &self.tensors
    }

    /// The tensor of that name.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo<'a>> {
        self.tensors.get(*self.by_name.get(name)?)
    }

    /// First byte of the data section; the header lies before it.
    #[must_use]
    pub fn data_start(&self) -> u64 {
        self.data_start
    }

    /// Bytes of the whole file, as the caller gave them.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }
}

fn read_version(from: &mut Reader<'_>) -> Result<u32, GgufError> {
    let found = from.array("magic")?;
    if found != *b"GGUF" {
        return Err(GgufError::Magic { found });
    }
    match from.u32("version")? {
        version @ 2..=3 => Ok(version),
        found => Err(GgufError::Version { found }),
    }
}

fn read_metadata<'a>(from: &mut Reader<'a>, count: u64) -> Result<Vec<(&'a str, Value<'a>)>, GgufError> {
    let (mut metadata, mut seen) = (Vec::new(), BTreeSet::new());
    for _ in 0..count {
        let key = from.string("metadata key", limit::KEY_BYTES)?;
        if !seen.insert(key) {
            return Err(GgufError::Duplicate { what: "metadata", name: key.to_owned() });
        }
        metadata.push((key, Value::read(from, key)?));
        check_header_bytes(from)?;
    }
    Ok(metadata)
}

fn read_tensors<'a>(from: &mut Reader<'a>, count: u64) -> Result<Vec<TensorInfo<'a>>, GgufError> {
    let mut tensors = Vec::new();
    for _ in 0..count {
        tensors.push(tensors::read_info(from)?);
    }
    Ok(tensors)
}

fn check_header_bytes(from: &Reader<'_>) -> Result<(), GgufError> {
    let (found, limit) = (from.offset(), limit::HEADER_BYTES);
    if found > limit { Err(GgufError::Limit { what: "header length", found, limit }) } else { Ok(()) }
}

fn alignment(metadata: &[(&str, Value<'_>)]) -> Result<u64, GgufError> {
    let Some((_, value)) = metadata.iter().find(|(key, _)| *key == "general.alignment") else {
        return Ok(DEFAULT_ALIGNMENT);
    };
    match value.as_u64() {
        Some(found) if found.is_power_of_two() && found <= limit::ALIGNMENT => Ok(found),
        Some(found) => Err(GgufError::Alignment { found: format!("{found}"), limit: limit::ALIGNMENT }),
        None => Err(GgufError::Alignment { found: "not an integer".to_owned(), limit: limit::ALIGNMENT }),
    }
}

fn index<'a>(tensors: &[TensorInfo<'a>]) -> Result<BTreeMap<&'a str, usize>, GgufError> {
    let mut by_name = BTreeMap::new();
    for (at, tensor) in tensors.iter().enumerate() {
        if by_name.insert(tensor.name, at).is_some() {
            return Err(GgufError::Duplicate { what: "tensor", name: tensor.name.to_owned() });
        }
    }
    Ok(by_name)
}
