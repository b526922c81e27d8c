//! Looking at the scales of a whole file once, as it streams by: before it is sealed, or when it is loaded.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use vial_tensor::{Isa, Quant, first_not_finite};

use crate::gguf::Gguf;

/// A tensor with a number that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "tensor {tensor:?}: block {block} ({kind}) has a scale that is not finite, expected numbers: convert the model again"
)]
pub struct ScaleError {
    /// Its name.
    pub tensor: String,
    /// The first such block, from 0.
    pub block: u64,
    /// Its format.
    pub kind: Quant,
}

/// A file under way, piece by piece.
#[derive(Clone, Debug)]
pub struct Scan {
    isa: Isa,
    /// In the order of the file.
    tensors: Vec<Tensor>,
    /// Tensors that are done, and bytes of the file.
    done: usize,
    at: u64,
    /// The start of a block whose end is in the next piece.
    carry: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Tensor {
    name: String,
    range: Range<u64>,
    kind: Quant,
}

impl Scan {
    /// A scan of the file with that header. Tensors of formats without a kernel are left out: models that have them are
    /// refused by [`crate::check`].
    #[must_use]
    pub fn new(isa: Isa, gguf: &Gguf<'_>) -> Self {
        let tensors = gguf.tensors().iter().filter_map(|tensor| {
            let kind = Quant::from_ggml(tensor.kind.0)?;
            Some(Tensor { name: tensor.name.to_owned(), range: tensor.range.clone(), kind })
        });
        let mut tensors: Vec<Tensor> = tensors.collect();
        tensors.sort_by_key(|tensor| tensor.range.start);
        Self { isa, tensors, done: 0, at: 0, carry: Vec::new() }
    }

    /// Takes the file's next bytes.
    ///
    /// # Errors
    /// The first block of them that has no numbers.
    pub fn add(&mut self, mut bytes: &[u8]) -> Result<(), ScaleError> {
        while let Some(tensor) = self.tensors.get(self.done).filter(|_| !bytes.is_empty()) {
            let Range { start, end } = tensor.range;
            let is_before = self.at < start;
            let left = if is_before { start } else { end } - self.at;
            let (part, rest) = bytes.split_at(bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
            if !is_before {
                self.look(part)?;
            }
            self.at += part.len() as u64;
            if self.at == end {
                self.done += 1;
                self.carry.clear();
            }
            bytes = rest;
        }
        Ok(())
    }

    /// Looks at a part of the tensor under way.
    fn look(&mut self, part: &[u8]) -> Result<(), ScaleError> {
        let Tensor { kind, .. } = self.tensors[self.done];
        let block = kind.block_bytes();
        let missing = (block - self.carry.len()) % block;
        let (head, part) = part.split_at(missing.min(part.len()));
        self.carry.extend_from_slice(head);
        if self.carry.len() == block {
            let carry = core::mem::take(&mut self.carry);
            self.refuse(first_not_finite(self.isa, kind, &carry), 0)?;
        }
        let (blocks, tail) = part.split_at(part.len() / block * block);
        self.refuse(first_not_finite(self.isa, kind, blocks), head.len())?;
        self.carry.extend_from_slice(tail);
        Ok(())
    }

    /// An error for a block found `found` blocks and `ahead` bytes behind the place under way.
    fn refuse(&self, found: Option<usize>, ahead: usize) -> Result<(), ScaleError> {
        let Some(found) = found else { return Ok(()) };
        let Tensor { name, range, kind } = &self.tensors[self.done];
        let before = (self.at - range.start + ahead as u64) / kind.block_bytes() as u64;
        Err(ScaleError { tensor: name.clone(), block: before + found as u64, kind: *kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiny;

    fn scan(file: &[u8], piece: usize) -> Result<(), ScaleError> {
        let gguf = Gguf::parse(file, file.len() as u64).unwrap();
        let mut scan = Scan::new(Isa::detect(), &gguf);
        file.chunks(piece).try_for_each(|piece| scan.add(piece))
    }

    #[test]
    fn a_bad_scale_is_named_wherever_pieces_are_cut() {
        let good = tiny::llama(3);
        let output =
            Gguf::parse(&good, good.len() as u64).unwrap().tensor("output.weight").unwrap().range.clone();
        for piece in [1, 7, 33, 34, 35, 1000, good.len()] {
            assert_eq!(scan(&good, piece), Ok(()), "{piece}");
            for block in [0_u64, 1, 287] {
                let mut bad = good.clone();
                let at = usize::try_from(output.start + block * 34).unwrap();
                bad[at..at + 2].copy_from_slice(&[0x00, 0x7e]);
                let error = ScaleError { tensor: "output.weight".to_owned(), block, kind: Quant::Q8_0 };
                assert_eq!(scan(&bad, piece), Err(error), "{piece}");
            }
        }
    }

    #[test]
    fn an_infinite_float_is_named_by_its_place() {
        let mut file = tiny::llama(3);
        let norm = Gguf::parse(&file, file.len() as u64)
            .unwrap()
            .tensor("output_norm.weight")
            .unwrap()
            .range
            .clone();
        let at = usize::try_from(norm.start + 5 * 4).unwrap();
        file[at..at + 4].copy_from_slice(&f32::INFINITY.to_le_bytes());
        let error = ScaleError { tensor: "output_norm.weight".to_owned(), block: 5, kind: Quant::F32 };
        assert_eq!(scan(&file, 13), Err(error));
    }
}
