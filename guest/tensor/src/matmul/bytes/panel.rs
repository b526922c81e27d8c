//! A stretch of some rows of weights, as bytes for tile registers and as numbers for what these give.

use core::marker::PhantomData;
use core::ops::Range;

use super::{PARTS, ROWS, SIDE};
use crate::matmul::Chunk;
use crate::matmul::planes::WholeFormat;
use crate::simd::{LINE_BYTES, Op, Simd};
use crate::words::{Multipliers, Numbers, STRETCH, UNIT, WordFormat, WordLanes};
use crate::x86::{Avx512, RowBytes};

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

/// How a format is unpacked.
pub(super) trait Unpacked {
    /// Bytes of a stretch.
    const BYTES: usize;
    /// Whether bytes are signed; otherwise there are offsets.
    const IS_SIGNED: bool;

    /// Unpacks a stretch, or what a row has left of it.
    fn unpack(s: Avx512, from: &[u8], tiles: [&mut [u8; 64]; 4], to: &mut RowNumbers);
}

/// Unpacks a stretch of some rows.
pub(super) struct Unpack<'c, 't, U> {
    s: Avx512,
    chunk: &'c Chunk<'t>,
    rows: &'c Range<usize>,
    stretch: usize,
    /// Which of the rows.
    part: Range<usize>,
    panel: &'c mut Panel,
    format: PhantomData<U>,
}

impl<'c, 't, U> Unpack<'c, 't, U> {
    pub(super) fn new(
        s: Avx512,
        (chunk, rows): (&'c Chunk<'t>, &'c Range<usize>),
        stretch: usize,
        part: Range<usize>,
        panel: &'c mut Panel,
    ) -> Self {
        Self { s, chunk, rows, stretch, part, panel, format: PhantomData }
    }
}

impl<U: Unpacked> Op for Unpack<'_, '_, U> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { s, chunk, rows, stretch, part, panel: Panel { bytes, numbers }, .. } = self;
        for r in part {
            // Rows beyond the last repeat it; their products are not written.
            let row = chunk.weights.row((rows.start + r).min(rows.end - 1));
            let from = row.get(stretch * U::BYTES..).unwrap_or_default();
            // What is unpacked next: the next stretch, or the first of the next rows.
            let ahead = if from.len() <= U::BYTES { ROWS * row.len() } else { (stretch + 1) * U::BYTES };
            for line in (0..U::BYTES).step_by(LINE_BYTES) {
                s.prefetch_far(row, ahead + line);
            }
            let tiles = bytes[r / SIDE].0.each_mut().map(|tile| &mut tile[r % SIDE]);
            U::unpack(s, &from[..from.len().min(U::BYTES)], tiles, &mut numbers[r]);
        }
    }
}

/// Formats as words are made of them.
pub(super) struct ByWords<F, const B: usize, const K: usize>(PhantomData<F>);

impl<F: WordFormat<B, K>, const B: usize, const K: usize> Unpacked for ByWords<F, B, K> {
    const BYTES: usize = B * K;
    const IS_SIGNED: bool = F::IS_SIGNED;

    #[inline(always)]
    fn unpack(s: Avx512, from: &[u8], tiles: [&mut [u8; 64]; 4], to: &mut RowNumbers) {
        let blocks = from.as_chunks::<B>().0;
        if let Some(blocks) = blocks.first_chunk::<K>() {
            return unpack::<F, B, K, _>(s.words(), blocks, tiles, to);
        }
        let mut padded = [[0; B]; K];
        padded[..blocks.len()].copy_from_slice(blocks);
        unpack::<F, B, K, _>(s.words(), &padded, tiles, to);
    }
}

/// Formats of which a register takes what 64 columns have.
pub(super) struct ByWholes<F, const B: usize>(PhantomData<F>);

impl<F: WholeFormat<B>, const B: usize> Unpacked for ByWholes<F, B> {
    const BYTES: usize = B;
    const IS_SIGNED: bool = F::MIDDLE > 0;

    #[inline(always)]
    fn unpack(s: Avx512, from: &[u8], tiles: [&mut [u8; 64]; 4], to: &mut RowNumbers) {
        let Some(block) = from.first_chunk::<B>() else { unreachable!("rows are whole blocks") };
        let block = F::read(s, block);
        s.store_whole(&block, F::MIDDLE, tiles);
        let [first, second] = to.scales.as_chunks_mut().0 else { unreachable!("two times sixteen scales") };
        if Self::IS_SIGNED {
            s.store(s.ordered(&TWICE[0], block.numbers), first);
            s.store(s.ordered(&TWICE[1], block.numbers), second);
        } else {
            s.store(s.ordered(&SCALES, block.numbers), first);
            let offsets = s.ordered(&MINIMA, block.numbers);
            s.store(s.mul(offsets, s.splat(-1.0)), &mut to.offsets);
        }
    }
}

/// Each of the first eight numbers twice, and each of the others.
const TWICE: [[u32; 16]; 2] = [order(1, 0), order(1, 8)];
/// Of scales and minima in turn each scale twice.
const SCALES: [u32; 16] = order(2, 0);
/// Of scales and minima in turn the minima, of which there are eight.
const MINIMA: [u32; 16] = {
    let (mut out, mut at) = ([1; 16], 0);
    while at < 8 {
        out[at as usize] = 2 * at + 1;
        at += 1;
    }
    out
};

/// Numbers from `first` on, `step` apart, each twice.
const fn order(step: u32, first: u32) -> [u32; 16] {
    let (mut out, mut at) = ([0; 16], 0);
    while at < 16 {
        out[at as usize] = first + at / 2 * step;
        at += 1;
    }
    out
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
