//! A stretch of some rows of weights, as bytes for tile registers and as numbers for what these give.

use core::marker::PhantomData;
use core::ops::Range;

use super::{PARTS, ROWS, SIDE};
use crate::matmul::Chunk;
use crate::simd::{LINE_BYTES, Op, Simd};
use crate::words::{Multipliers, Numbers, STRETCH, UNIT, WordFormat, WordLanes};
use crate::x86::RowBytes;

/// A stretch of [`ROWS`] rows.
pub(super) struct Panel {
    pub(super) bytes: [RowBytes; 2],
    pub(super) numbers: [RowNumbers; ROWS],
}

impl Panel {
    pub(super) const ZERO: Self = Self {
        bytes: [RowBytes::ZERO; 2],
        numbers: [RowNumbers { scales: [0.0; 2 * PARTS], offsets: [0.0; PARTS] }; ROWS],
    };
}

/// What a stretch of a row has besides its bytes.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct RowNumbers {
    /// Of each part, twice.
    pub(super) scales: [f32; 2 * PARTS],
    pub(super) offsets: [f32; PARTS],
}

/// Unpacks a stretch of some rows.
pub(super) struct Unpack<'c, 't, F, const B: usize, const K: usize> {
    chunk: &'c Chunk<'t>,
    rows: &'c Range<usize>,
    stretch: usize,
    panel: &'c mut Panel,
    format: PhantomData<F>,
}

impl<'c, 't, F, const B: usize, const K: usize> Unpack<'c, 't, F, B, K> {
    pub(super) fn new(
        chunk: &'c Chunk<'t>,
        rows: &'c Range<usize>,
        stretch: usize,
        panel: &'c mut Panel,
    ) -> Self {
        Self { chunk, rows, stretch, panel, format: PhantomData }
    }
}

impl<F: WordFormat<B, K>, const B: usize, const K: usize> Op for Unpack<'_, '_, F, B, K> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (Self { chunk, rows, stretch, panel: Panel { bytes, numbers }, .. }, s) = (self, s.words());
        for (r, numbers) in numbers.iter_mut().enumerate() {
            // Rows beyond the last repeat it; their products are not written.
            let row = chunk.weights.row((rows.start + r).min(rows.end - 1)).as_chunks::<B>().0;
            // What is unpacked next: the next stretch, or the first of the next rows.
            let is_last = (stretch + 1) * K >= row.len();
            let ahead = if is_last { ROWS * row.len() * B } else { (stretch + 1) * B * K };
            for line in (0..B * K).step_by(LINE_BYTES) {
                s.prefetch_far(row, ahead + line);
            }
            let (whole, rest) = row.as_chunks::<K>();
            let tiles = bytes[r / SIDE].0.each_mut().map(|tile| &mut tile[r % SIDE]);
            if let Some(blocks) = whole.get(stretch) {
                unpack::<F, B, K, _>(s, blocks, tiles, numbers);
            } else {
                let mut blocks = [[0; B]; K];
                blocks[..rest.len()].copy_from_slice(rest);
                unpack::<F, B, K, _>(s, &blocks, tiles, numbers);
            }
        }
    }
}

/// Unpacks a stretch.
#[inline(always)]
fn unpack<F: WordFormat<B, K>, const B: usize, const K: usize, S: WordLanes>(
    s: S,
    blocks: &[[u8; B]; K],
    tiles: [&mut [u8; 64]; 4],
    to: &mut RowNumbers,
) {
    macro_rules! units {
        ($($unit:literal)*) => {$(
            let (halves, _) = tiles[$unit / 2].as_chunks_mut::<UNIT>();
            s.store_bytes(F::bytes(s, blocks, $unit), &mut halves[$unit % 2]);
        )*};
    }
    units!(0 1 2 3 4 5 6 7);
    let mut numbers = Numbers::ZERO;
    F::numbers(s, blocks, &mut numbers);
    for unit in 0..STRETCH {
        let scale = numbers.scales[unit / F::RUN * F::RUN];
        match F::MULTIPLIERS {
            Multipliers::None => to.scales[2 * unit..][..2].fill(scale),
            Multipliers::OfUnits => to.scales[2 * unit..][..2].fill(scale * multiplier(&numbers, unit)),
            Multipliers::OfHalves => {
                for half in 0..2 {
                    let at = unit / 4 * 8 + half * 4 + unit % 4;
                    to.scales[4 * unit + 2 * half..][..2].fill(scale * multiplier(&numbers, at));
                }
            }
        }
    }
    if !F::IS_SIGNED {
        to.offsets.copy_from_slice(numbers.offsets.as_flattened());
    }
}

/// A multiplier, which fits a word.
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "16 bits fit")]
fn multiplier(numbers: &Numbers, at: usize) -> f32 {
    numbers.multipliers[at] as f32
}
