//! Rows of weights into registers, some columns of them.

use core::ops::Range;

use crate::simd::{LINE_BYTES, Simd};
use crate::unpack::{Format, Scales, Sink, padded};

/// Takes the units of a row, block by block.
struct From<'k, K> {
    sink: &'k mut K,
    /// Units of earlier blocks.
    base: usize,
}

impl<'k, K> From<'k, K> {
    /// From the first block on.
    #[inline(always)]
    fn first(sink: &'k mut K) -> Self {
        Self { sink, base: 0 }
    }
}

impl<S: Simd, K: Sink<S>> Sink<S> for From<'_, K> {
    #[inline(always)]
    fn take(&mut self, s: S, unit: usize, value: S::V) {
        self.sink.take(s, self.base + unit, value);
    }
}

/// Gives the units of some columns of a row to `sink`.
#[inline(always)]
pub(super) fn unpack_row<F: Format<B>, const B: usize, S: Simd>(
    s: S,
    row: &[u8],
    columns: &Range<usize>,
    sink: &mut impl Sink<S>,
) {
    let mut sink = From::first(sink);
    let (blocks, rest) = row.as_chunks::<B>();
    let elements = F::UNITS * 16;
    for group in blocks[columns.start / elements..columns.end / elements].chunks(F::GROUP) {
        prefetch_after(s, group.as_flattened());
        let scales = F::scales(s, group);
        for (place, block) in group.iter().enumerate() {
            F::unpack(s, block, &scales, place, &mut sink);
            sink.base += F::UNITS;
        }
    }
    if !columns.end.is_multiple_of(elements) {
        // Only formats without scales have rows that are not whole blocks.
        F::unpack(s, &padded(rest), &Scales::ZERO, 0, &mut sink);
    }
}

/// Asks for as many bytes as these are, after them: other rows come first.
#[inline(always)]
fn prefetch_after(s: impl Simd, bytes: &[u8]) {
    for line in (0..bytes.len()).step_by(LINE_BYTES) {
        s.prefetch(bytes, bytes.len() + line);
    }
}
