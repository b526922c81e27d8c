//! Tensors by name, with the shape and type they must have.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::string::String;
use core::ops::Range;

use super::matrix::{Matrix, Stack};
use crate::gguf::{GgmlType, Gguf};
use crate::transformer::error::ModelError;
use vial_tensor::Quant;

/// Types with a kernel, by ggml's names.
const SUPPORTED: &str = "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, \
    IQ4_XS, MXFP4";

/// The tensors of a file, and which of them have been asked for.
pub(super) struct Finder<'a> {
    gguf: &'a Gguf<'a>,
    used: BTreeSet<String>,
}

impl<'a> Finder<'a> {
    pub(super) fn new(gguf: &'a Gguf<'a>) -> Self {
        Self { gguf, used: BTreeSet::new() }
    }
}

impl Finder<'_> {
    pub(super) fn matrix(&mut self, name: &str, rows: usize, columns: usize) -> Result<Matrix, ModelError> {
        let found = self.optional(name, rows, columns)?;
        found.ok_or_else(|| ModelError::Missing { tensor: name.to_owned() })
    }

    /// `[experts, rows, columns]`.
    pub(super) fn stack(
        &mut self,
        name: &str,
        [experts, rows, columns]: [usize; 3],
    ) -> Result<Stack, ModelError> {
        let found = self.checked(name, &[columns as u64, rows as u64, experts as u64])?;
        let (range, found) = found.ok_or_else(|| ModelError::Missing { tensor: name.to_owned() })?;
        let kind = quant(name, found)?;
        Ok(Stack { all: Matrix { range, rows: experts * rows, columns, kind }, rows })
    }

    pub(super) fn vector(&mut self, name: &str, length: usize) -> Result<Matrix, ModelError> {
        let found = self.optional_vector(name, length)?;
        found.ok_or_else(|| ModelError::Missing { tensor: name.to_owned() })
    }

    pub(super) fn optional(
        &mut self,
        name: &str,
        rows: usize,
        columns: usize,
    ) -> Result<Option<Matrix>, ModelError> {
        let Some((range, found)) = self.checked(name, &[columns as u64, rows as u64])? else {
            return Ok(None);
        };
        let kind = quant(name, found)?;
        Ok(Some(Matrix { range, rows, columns, kind }))
    }

    /// Norms, biases and divisors are kept as F32 by every converter.
    pub(super) fn optional_vector(
        &mut self,
        name: &str,
        length: usize,
    ) -> Result<Option<Matrix>, ModelError> {
        let Some((range, found)) = self.checked(name, &[length as u64])? else { return Ok(None) };
        if found != GgmlType::F32 {
            return Err(unsupported(name, found, "F32"));
        }
        Ok(Some(Matrix { range, rows: 1, columns: length, kind: Quant::F32 }))
    }

    /// Range and type of a tensor of exactly these dimensions; trailing ones do not matter.
    fn checked(
        &mut self,
        name: &str,
        expected: &[u64],
    ) -> Result<Option<(Range<u64>, GgmlType)>, ModelError> {
        let Some(tensor) = self.gguf.tensor(name) else { return Ok(None) };
        self.used.insert(name.to_owned());
        let (dims, rest) = tensor.dims.split_at(expected.len().min(tensor.dims.len()));
        if dims != expected || rest.iter().any(|dim| *dim != 1) {
            let (found, expected) = (tensor.dims.clone(), expected.to_vec());
            return Err(ModelError::Shape { tensor: name.to_owned(), found, expected });
        }
        Ok(Some((tensor.range.clone(), tensor.kind)))
    }

    pub(super) fn check_all_used(&self) -> Result<(), ModelError> {
        let unknown = self.gguf.tensors().iter().find(|tensor| !self.used.contains(tensor.name));
        unknown.map_or(Ok(()), |tensor| Err(ModelError::Unknown { tensor: tensor.name.to_owned() }))
    }
}

fn quant(name: &str, found: GgmlType) -> Result<Quant, ModelError> {
    Quant::from_ggml(found.0).ok_or_else(|| unsupported(name, found, SUPPORTED))
}

fn unsupported(name: &str, found: GgmlType, supported: &'static str) -> ModelError {
    ModelError::Kind { tensor: name.to_owned(), found, supported }
}

#[cfg(test)]
mod tests {
    use super::SUPPORTED;
    use crate::gguf::GgmlType;
    use alloc::vec::Vec;
    use vial_tensor::Quant;

    #[test]
    fn every_format_with_a_kernel_is_named_and_has_the_parsers_block() {
        assert_eq!(SUPPORTED.split(", ").collect::<Vec<_>>(), Quant::ALL.map(Quant::name));
        for quant in Quant::ALL {
            let block = GgmlType(quant.ggml_id()).layout().unwrap();
            let ours = (quant.name(), quant.block_elements() as u64, quant.block_bytes() as u64);
            assert_eq!((block.name, block.elements, block.bytes), ours);
        }
    }
}
