//! Products of matrices with the rows of a pass: weights are required for each, by pieces where there is no room for a whole.

use core::ops::Range;
use vial_tensor::{Product, matmul_shared};

use super::Engine;
use crate::transformer::PassError;
use crate::transformer::layout::Matrix;
use crate::transformer::scales::Scales;
use crate::weights::Weights;

/// Rows of a piece are a multiple of this where they can be: what kernels unpack at once.
const ROWS: usize = 48;

/// What multiplies, and where weights come from.
pub(super) struct Source<'a, W> {
    pub(super) engine: Engine<'a>,
    pub(super) scales: &'a mut Scales,
    pub(super) weights: &'a mut W,
}

impl<W: Weights> Source<'_, W> {
    /// Multiplies matrices of one width with the same inputs `x`, `[n, columns]`; writes `[n, rows]` of each.
    ///
    /// Each output has the same bits whatever the pieces.
    pub(super) fn products<const N: usize>(
        &mut self,
        x: &[f32],
        targets: [(&Matrix, &mut [f32]); N],
    ) -> Result<(), PassError> {
        let bytes: u64 = targets.iter().map(|(matrix, _)| matrix.bytes()).sum();
        if bytes > self.weights.most() {
            return targets.into_iter().try_for_each(|(matrix, out)| self.pieces(x, matrix, out));
        }
        let Engine { team, isa } = self.engine;
        self.scales.require(self.engine, self.weights, targets.each_ref().map(|(matrix, _)| *matrix))?;
        let weights = &*self.weights;
        let mut products = targets.map(|(matrix, out)| Product::new(matrix.over(weights), out));
        matmul_shared(team, isa, x, &mut products);
        Ok(())
    }

    /// The product with one matrix.
    pub(super) fn product(&mut self, x: &[f32], matrix: &Matrix, out: &mut [f32]) -> Result<(), PassError> {
        self.products(x, [(matrix, out)])
    }

    fn pieces(&mut self, x: &[f32], matrix: &Matrix, out: &mut [f32]) -> Result<(), PassError> {
        let Engine { team, isa } = self.engine;
        for rows in pieces(matrix, self.weights.most()) {
            let (piece, first) = (matrix.part(rows.clone()), rows.start);
            self.scales.require(self.engine, self.weights, [&piece])?;
            let product = Product::part(piece.over(self.weights), out, matrix.rows, first);
            matmul_shared(team, isa, x, &mut [product]);
        }
        Ok(())
    }
}

/// What is required for the products of matrices with one input, in turn, where there is room for `most` bytes.
pub(in crate::transformer) fn required<'m, const N: usize>(
    matrices: [&'m Matrix; N],
    most: u64,
) -> impl Iterator<Item = Range<u64>> + 'm {
    let room = if matrices.iter().map(|matrix| matrix.bytes()).sum::<u64>() > most { most } else { u64::MAX };
    matrices.into_iter().flat_map(move |matrix| pieces(matrix, room).map(|rows| matrix.part(rows).range))
}

/// The rows of a matrix in pieces of at most `most` bytes, or of one row.
fn pieces(matrix: &Matrix, most: u64) -> impl Iterator<Item = Range<usize>> + use<> {
    let all = matrix.rows;
    let fit = usize::try_from(most / matrix.row_bytes().max(1)).unwrap_or(usize::MAX).min(all);
    let step = if (ROWS..all).contains(&fit) { fit - fit % ROWS } else { fit.max(1) };
    (0..all).step_by(step).map(move |start| start..all.min(start + step))
}

#[cfg(test)]
mod tests {
    use super::pieces;
    use crate::transformer::layout::Matrix;
    use alloc::vec::Vec;
    use core::ops::Range;
    use vial_tensor::Quant;

    /// Of 100 rows of 128 bytes.
    fn of(most: u64) -> Vec<Range<usize>> {
        let matrix = Matrix { range: 0..12_800, rows: 100, columns: 32, kind: Quant::F32 };
        pieces(&matrix, most).collect()
    }

    #[test]
    fn pieces_have_room_and_are_whole_panels_where_they_can_be() {
        let all = core::slice::from_ref(&(0..100));
        assert_eq!((of(u64::MAX), of(12_800)), (all.to_vec(), all.to_vec()));
        assert_eq!(of(12_799), [0..96, 96..100]);
        assert_eq!(of(90 * 128), [0..48, 48..96, 96..100]);
        assert_eq!(of(40 * 128), [0..40, 40..80, 80..100]);
        assert_eq!(of(1).len(), 100);
    }
}
