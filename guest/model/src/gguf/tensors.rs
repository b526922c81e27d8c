//! Tensor infos and the checks that make their byte ranges safe to read.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::ops::Range;

use super::error::GgufError;
use super::limit;
use super::reader::Reader;
use super::types::GgmlType;

/// A tensor of the file.
///
/// Holding one proves that its range lies inside the file, is aligned, has the length its shape and type
/// need, and shares no byte with another tensor. It proves nothing about the bytes there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo<'a> {
    /// Unique name.
    pub name: &'a str,
    /// 1 to 4 dimensions, the contiguous one first, none zero.
    pub dims: Vec<u64>,
    /// Type of its elements.
    pub kind: GgmlType,
    /// Byte range in the file.
    pub range: Range<u64>,
}

impl TensorInfo<'_> {
    /// Elements of a row: the contiguous dimension.
    #[must_use]
    pub fn columns(&self) -> u64 {
        self.dims.first().copied().unwrap_or(1)
    }

    /// Number of rows: the product of the other dimensions.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.dims.iter().skip(1).fold(1, |rows, dim| rows.saturating_mul(*dim))
    }

    /// Bytes of the tensor.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start)
    }
}

/// Reads one info; its range is still relative to the data section.
pub(super) fn read_info<'a>(from: &mut Reader<'a>) -> Result<TensorInfo<'a>, GgufError> {
    let name = from.string("tensor name", limit::TENSOR_NAME_BYTES)?;
    let count = from.u32("tensor dimension count")?;
    if !(1..=limit::DIMENSIONS).contains(&count) {
        let limit = limit::DIMENSIONS.into();
        return Err(GgufError::Limit { what: "tensor dimension count", found: count.into(), limit });
    }
    let dims: Vec<u64> = (0..count).map(|_| from.u64("tensor dimension")).collect::<Result<_, _>>()?;
    let kind = GgmlType(from.u32("tensor type")?);
    let start = from.u64("tensor offset")?;
    let bytes = tensor_bytes(name, &dims, kind)?;
    let end = start.checked_add(bytes).ok_or_else(|| GgufError::SizeOverflow { tensor: name.to_owned() })?;
    Ok(TensorInfo { name, dims, kind, range: start..end })
}

/// Bytes of a tensor of that shape and type.
fn tensor_bytes(name: &str, dims: &[u64], kind: GgmlType) -> Result<u64, GgufError> {
    let tensor = || name.to_owned();
    let layout = kind.layout().ok_or_else(|| GgufError::TensorType { tensor: tensor(), found: kind.0 })?;
    if dims.contains(&0) {
        return Err(GgufError::Dimensions { tensor: tensor(), found: dims.to_vec() });
    }
    let columns = dims.first().copied().unwrap_or(1);
    if !columns.is_multiple_of(layout.elements) {
        return Err(GgufError::RowLength { tensor: tensor(), found: columns, block: layout.elements, kind });
    }
    let elements = dims.iter().try_fold(1_u64, |all, dim| all.checked_mul(*dim));
    let blocks = elements.and_then(|elements| elements.checked_div(layout.elements));
    let bytes = blocks.and_then(|blocks| blocks.checked_mul(layout.bytes));
    bytes.ok_or_else(|| GgufError::SizeOverflow { tensor: tensor() })
}

/// Moves ranges from the data section to the file and checks them against alignment and file length.
pub(super) fn place(
    tensors: &mut [TensorInfo<'_>],
    data_start: u64,
    alignment: u64,
    file_bytes: u64,
) -> Result<(), GgufError> {
    for tensor in tensors {
        let found = tensor.range.start;
        if !found.is_multiple_of(alignment) {
            return Err(GgufError::Unaligned { tensor: tensor.name.to_owned(), found, alignment });
        }
        let start = data_start.saturating_add(found);
        let end = data_start.saturating_add(tensor.range.end);
        if end > file_bytes {
            return Err(GgufError::OutsideFile { tensor: tensor.name.to_owned(), found: end, file_bytes });
        }
        tensor.range = start..end;
    }
    Ok(())
}

/// Refuses tensors that share bytes.
pub(super) fn check_overlap(tensors: &[TensorInfo<'_>]) -> Result<(), GgufError> {
    let mut order: Vec<&TensorInfo<'_>> = tensors.iter().collect();
    order.sort_unstable_by_key(|tensor| tensor.range.start);
    let mut pairs = order.iter().zip(order.iter().skip(1));
    match pairs.find(|(before, after)| after.range.start < before.range.end) {
        None => Ok(()),
        Some((before, after)) => {
            Err(GgufError::Overlap { first: before.name.to_owned(), second: after.name.to_owned() })
        }
    }
}
