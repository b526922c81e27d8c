//! Why a file is refused.

use alloc::string::String;

use super::types::GgmlType;

/// Why bytes are not a GGUF file this parser takes, or that it has not seen enough of them yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GgufError {
    /// The prefix ends inside the header. Not a fault of the file: parse again with more of it.
    #[error("the header goes on past byte {have}: at least {at_least} bytes are needed")]
    NeedMore {
        /// Length of the prefix.
        have: u64,
        /// Length with which parsing gets further; twice `have` is the better choice.
        at_least: u64,
    },
    /// The whole file ends inside the header.
    #[error("the file is cut short: {what} needs {needed} bytes, the file has {file_bytes}")]
    CutShort {
        /// What was being read.
        what: &'static str,
        /// Bytes needed so far.
        needed: u64,
        /// Bytes of the file.
        file_bytes: u64,
    },
    /// Not a GGUF file at all.
    #[error("not a GGUF file: it starts with {found:02x?}, expected 47 47 55 46 (\"GGUF\")")]
    Magic {
        /// First four bytes.
        found: [u8; 4],
    },
    /// Version 1, a future one, or a big-endian file.
    #[error("GGUF version {found} is not supported, expected 2 or 3 (little-endian)")]
    Version {
        /// The version field.
        found: u32,
    },
    /// A count or length above its documented cap.
    #[error("{what} is {found}, above the limit of {limit}")]
    Limit {
        /// Which number.
        what: &'static str,
        /// Its value.
        found: u64,
        /// The cap.
        limit: u64,
    },
    /// A string that is not UTF-8.
    #[error("{what} at byte {offset} is not UTF-8")]
    Utf8 {
        /// Which string.
        what: &'static str,
        /// Where it starts.
        offset: u64,
    },
    /// A boolean that is neither 0 nor 1.
    #[error("a boolean at byte {offset} is {found}, expected 0 or 1")]
    Bool {
        /// Where.
        offset: u64,
        /// The byte.
        found: u8,
    },
    /// A metadata value of a type outside the specification.
    #[error("metadata {key:?} has value type {found}, expected 0 to 12")]
    ValueType {
        /// The key.
        key: String,
        /// The type number.
        found: u32,
    },
    /// Arrays inside arrays beyond the cap.
    #[error("metadata {key:?} nests arrays deeper than {limit}")]
    Nesting {
        /// The key.
        key: String,
        /// The cap.
        limit: u32,
    },
    /// Two metadata entries or tensors share a name.
    #[error("{what} {name:?} appears twice")]
    Duplicate {
        /// "metadata" or "tensor".
        what: &'static str,
        /// The name.
        name: String,
    },
    /// `general.alignment` is no power of two in range or not an integer.
    #[error("general.alignment is {found}, expected a power of two from 1 to {limit}")]
    Alignment {
        /// The value as text.
        found: String,
        /// The cap.
        limit: u64,
    },
    /// A tensor of a type outside the table.
    #[error("tensor {tensor:?} has ggml type {found}, which is not known")]
    TensorType {
        /// The tensor.
        tensor: String,
        /// Type number.
        found: u32,
    },
    /// A tensor with no or too many dimensions, or an empty one.
    #[error("tensor {tensor:?} has dimensions {found:?}, expected 1 to 4 that are not zero")]
    Dimensions {
        /// The tensor.
        tensor: String,
        /// Its dimensions.
        found: alloc::vec::Vec<u64>,
    },
    /// The product of the dimensions does not fit 64 bits.
    #[error("tensor {tensor:?} is too large: its size does not fit 64 bits")]
    SizeOverflow {
        /// The tensor.
        tensor: String,
    },
    /// The first dimension is no multiple of the type's block.
    #[error("tensor {tensor:?} has rows of {found}, expected a multiple of {block} for {kind}")]
    RowLength {
        /// The tensor.
        tensor: String,
        /// First dimension.
        found: u64,
        /// Elements of a block.
        block: u64,
        /// The type.
        kind: GgmlType,
    },
    /// An offset that is no multiple of the alignment.
    #[error("tensor {tensor:?} starts at offset {found}, expected a multiple of {alignment}")]
    Unaligned {
        /// The tensor.
        tensor: String,
        /// Offset in the data section.
        found: u64,
        /// The file's alignment.
        alignment: u64,
    },
    /// A tensor ends after the file.
    #[error("tensor {tensor:?} ends at byte {found}, the file has {file_bytes}: it is cut short or damaged")]
    OutsideFile {
        /// The tensor.
        tensor: String,
        /// Where it ends.
        found: u64,
        /// Bytes of the file.
        file_bytes: u64,
    },
    /// Two tensors share bytes.
    #[error("tensors {first:?} and {second:?} overlap")]
    Overlap {
        /// The one that starts first.
        first: String,
        /// The other one.
        second: String,
    },
}
