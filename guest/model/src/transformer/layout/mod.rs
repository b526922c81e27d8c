//! Which tensor of the file plays which part, checked against the config.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use super::config::Config;
use super::error::ModelError;
use crate::gguf::{GgmlType, Gguf};
use vial_tensor::Quant;

/// Types with a kernel, by ggml's names.
const SUPPORTED: &str = "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, \
    IQ4_XS, MXFP4";

/// A matrix of weights in the file. Its shape and type have been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    /// Where its bytes lie.
    pub range: Range<u64>,
    /// Outputs.
    pub rows: usize,
    /// Inputs; contiguous.
    pub columns: usize,
    /// How its numbers are stored.
    pub kind: Quant,
}

/// Tensors of one layer.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is named as in the file")]
pub struct Layer {
    pub attn_norm: Matrix,
    pub attn_q: Matrix,
    pub attn_k: Matrix,
    pub attn_v: Matrix,
    pub attn_output: Matrix,
    pub ffn_norm: Matrix,
    pub ffn_gate: Matrix,
    pub ffn_up: Matrix,
    pub ffn_down: Matrix,
}

/// Every tensor of a model.
#[derive(Clone, Debug)]
pub struct Layout {
    /// One row a token.
    pub embedding: Matrix,
    /// The layers in order.
    pub layers: Vec<Layer>,
    /// Norm before the output.
    pub output_norm: Matrix,
    /// Output matrix; the embedding itself where the two are tied.
    pub output: Matrix,
    /// Divisors of the rotary frequencies, where the model has them.
    pub rope_factors: Option<Matrix>,
}

impl Layer {
    /// The layer's matrices in the order a pass uses them.
    #[must_use]
    pub fn matrices(&self) -> [&Matrix; 9] {
        [
            &self.attn_norm,
            &self.attn_q,
            &self.attn_k,
            &self.attn_v,
            &self.attn_output,
            &self.ffn_norm,
            &self.ffn_gate,
            &self.ffn_up,
            &self.ffn_down,
        ]
    }
}

impl Matrix {
    /// Bytes of one row.
    #[must_use]
    pub fn row_bytes(&self) -> u64 {
        (self.range.end - self.range.start) / self.rows as u64
    }

    /// Where row `row` lies.
    #[must_use]
    pub fn row(&self, row: usize) -> Range<u64> {
        let start = self.range.start + row as u64 * self.row_bytes();
        start..start + self.row_bytes()
    }
}

impl Layout {
    /// Finds every tensor the config asks for.
    ///
    /// # Errors
    /// The tensor that is missing, misshapen, of an unsupported type, or of no use to this architecture.
    pub fn from_gguf(gguf: &Gguf<'_>, config: &Config) -> Result<Self, ModelError> {
        let mut find = Finder { gguf, used: BTreeSet::new() };
        let embedding = find.matrix("token_embd.weight", config.vocabulary, config.width)?;
        let output = find.optional("output.weight", config.vocabulary, config.width)?;
        let layout = Self {
            output: output.unwrap_or_else(|| embedding.clone()),
            embedding,
            layers: (0..config.layers).map(|at| find.layer(at, config)).collect::<Result<_, _>>()?,
            output_norm: find.vector("output_norm.weight", config.width)?,
            rope_factors: find.optional_vector("rope_freqs.weight", config.rope.dims / 2)?,
        };
        find.check_all_used()?;
        Ok(layout)
    }
}

struct Finder<'a> {
    gguf: &'a Gguf<'a>,
    used: BTreeSet<String>,
}

impl Finder<'_> {
    fn layer(&mut self, at: usize, config: &Config) -> Result<Layer, ModelError> {
        let (width, inner) = (config.width, config.feed_forward);
        let (queries, keys) = (config.query_width(), config.kv_width());
        let name = |part: &str| format!("blk.{at}.{part}.weight");
        Ok(Layer {
            attn_norm: self.vector(&name("attn_norm"), width)?,
            attn_q: self.matrix(&name("attn_q"), queries, width)?,
            attn_k: self.matrix(&name("attn_k"), keys, width)?,
            attn_v: self.matrix(&name("attn_v"), keys, width)?,
            attn_output: self.matrix(&name("attn_output"), width, queries)?,
            ffn_norm: self.vector(&name("ffn_norm"), width)?,
            ffn_gate: self.matrix(&name("ffn_gate"), inner, width)?,
            ffn_up: self.matrix(&name("ffn_up"), inner, width)?,
            ffn_down: self.matrix(&name("ffn_down"), width, inner)?,
        })
    }

    fn matrix(&mut self, name: &str, rows: usize, columns: usize) -> Result<Matrix, ModelError> {
        let found = self.optional(name, rows, columns)?;
        found.ok_or_else(|| ModelError::Missing { tensor: name.to_owned() })
    }

    fn vector(&mut self, name: &str, length: usize) -> Result<Matrix, ModelError> {
        let found = self.optional_vector(name, length)?;
        found.ok_or_else(|| ModelError::Missing { tensor: name.to_owned() })
    }

    fn optional(&mut self, name: &str, rows: usize, columns: usize) -> Result<Option<Matrix>, ModelError> {
        let expected = [columns as u64, rows as u64];
        let Some((range, found)) = self.checked(name, &expected)? else { return Ok(None) };
        let kind = Quant::from_ggml(found.0).ok_or_else(|| unsupported(name, found, SUPPORTED))?;
        Ok(Some(Matrix { range, rows, columns, kind }))
    }

    /// Norms and factors are kept as F32 by every converter.
    fn optional_vector(&mut self, name: &str, length: usize) -> Result<Option<Matrix>, ModelError> {
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

    fn check_all_used(&self) -> Result<(), ModelError> {
        let unknown = self.gguf.tensors().iter().find(|tensor| !self.used.contains(tensor.name));
        unknown.map_or(Ok(()), |tensor| Err(ModelError::Unknown { tensor: tensor.name.to_owned() }))
    }
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
