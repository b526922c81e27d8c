//! Some inputs by tile registers: weights as bytes, inputs as words in two bytes each, sums in integers as far as a scale of the
//! weights holds and then in f32.
//!
//! A stretch of thirty-two rows is unpacked into first-level cache and multiplied with all inputs. A unit of bytes takes few
//! steps beside one of floats, so this pays off from two inputs on. While tile registers compute with one stretch, parts of the
//! next are unpacked: a tile that is loaded at once where vectors were stored waits for them.

mod inputs;
mod panel;

use alloc::boxed::Box;
use core::ops::Range;

use self::inputs::Inputs;
pub(crate) use self::inputs::{Bytes, Fill};
use self::panel::{ByWholes, ByWords, Panel, Unpack, Unpacked};
use super::planes::{FiveBits, FourBits, SixBits};
use super::{Chunk, WORDS_MAX};
use crate::Quant;
use crate::lanes::write;
use crate::simd::{Line, Op, Simd};
use crate::words::{ForWords, Multipliers, STRETCH, WordFormat, for_words};
use crate::x86::{Amx, Quad, Tiles};

/// Rows of a tile.
const SIDE: usize = 16;
/// Rows unpacked at once: tiles of inputs are read once for all of them.
pub(super) const ROWS: usize = 2 * SIDE;
/// Most inputs that share tiles of their own.
const GROUPS: usize = WORDS_MAX / 2;
/// Most parts of a stretch that have a scale, and each scale is there for both bytes of inputs.
const PARTS: usize = 2 * STRETCH;

/// Memory of one cpu.
pub(crate) struct Scratch {
    /// Two stretches in turn.
    panels: [Panel; 2],
    /// Sums of a group of inputs.
    sums: [Quad; 2],
    /// Of each group of inputs and each row what inputs have in each lane.
    products: [[Line; ROWS]; GROUPS],
    /// Of each sixteen inputs and each row what offsets have.
    offsets: [[Line; ROWS]; WORDS_MAX / 16],
}

impl Scratch {
    fn new() -> Box<Self> {
        Box::new(Self {
            panels: [Panel::ZERO; 2],
            sums: [Quad::ZERO; 2],
            products: [[Line::ZERO; ROWS]; GROUPS],
            offsets: [[Line::ZERO; ROWS]; WORDS_MAX / 16],
        })
    }
}

/// Whether scales of the format hold for a quarter of 64 columns, not for a half.
pub(super) const fn has_quarters(quant: Quant) -> bool {
    matches!(quant, Quant::Q2_K | Quant::Q3_K | Quant::Q6_K)
}

/// Computes a tile.
pub(super) fn compute(amx: Amx, chunk: Chunk<'_>, bytes: &Bytes, scratch: &mut Option<Box<Scratch>>) {
    let scratch = scratch.get_or_insert_with(Scratch::new);
    let (quant, tile) = (chunk.weights.quant(), Tile { amx, chunk, bytes, scratch });
    match quant {
        Quant::Q4_K => tile.all::<ByWholes<FourBits, 144>, 2, 4>(&bytes.halves),
        Quant::Q5_K => tile.all::<ByWholes<FiveBits, 176>, 2, 4>(&bytes.halves),
        Quant::Q6_K => tile.all::<ByWholes<SixBits, 210>, 4, 8>(&bytes.quarters),
        _ => for_words(quant, tile),
    }
}

struct Tile<'t> {
    amx: Amx,
    chunk: Chunk<'t>,
    bytes: &'t Bytes,
    scratch: &'t mut Scratch,
}

impl ForWords for Tile<'_> {
    fn run<F: WordFormat<B, K>, const B: usize, const K: usize>(self) {
        let bytes = self.bytes;
        match F::MULTIPLIERS {
            Multipliers::OfHalves => self.all::<ByWords<F, B, K>, 4, 8>(&bytes.quarters),
            Multipliers::None | Multipliers::OfUnits => self.all::<ByWords<F, B, K>, 2, 4>(&bytes.halves),
        }
    }
}

impl Tile<'_> {
    /// `P` parts of 64 columns have scales, which are there `T` times.
    fn all<U: Unpacked, const P: usize, const T: usize>(mut self, inputs: &Inputs<P>) {
        let tiles = self.amx.tiles();
        let all = self.chunk.tile.rows();
        for row in all.clone().step_by(ROWS) {
            let rows = row..all.end.min(row + ROWS);
            self.unpack::<U>(&rows, 0, 0..ROWS);
            for stretch in 0..inputs.stretches() {
                self.stretch::<U, P, T>(&tiles, inputs, &rows, stretch);
            }
            let Self { amx, chunk, scratch, .. } = &mut self;
            amx.avx512().enter(Write::<P> { chunk, rows, scratch, has_offsets: !U::IS_SIGNED });
        }
    }

    /// Unpacks a stretch of `part` of the rows.
    fn unpack<U: Unpacked>(&mut self, rows: &Range<usize>, stretch: usize, part: Range<usize>) {
        let Self { amx, chunk, scratch, .. } = self;
        let panel = &mut scratch.panels[stretch % 2];
        let s = amx.avx512();
        s.enter(Unpack::<U>::new(s, (chunk, rows), stretch, part, panel));
    }

    /// Multiplies a stretch of some rows, and unpacks the next.
    fn stretch<U: Unpacked, const P: usize, const T: usize>(
        &mut self,
        tiles: &Tiles,
        inputs: &Inputs<P>,
        rows: &Range<usize>,
        stretch: usize,
    ) {
        let s = self.amx.avx512();
        let count = self.chunk.tile.inputs().len();
        let groups = count.div_ceil(Inputs::<P>::SHARED);
        for group in 0..groups {
            let portion = &inputs.group(group)[stretch];
            for half in 0..2 {
                let Scratch { panels, sums, .. } = &mut *self.scratch;
                let bytes = &panels[stretch % 2].bytes;
                tiles.multiply_bytes(bytes, U::IS_SIGNED, &portion.bytes, half, sums);
                if stretch + 1 < inputs.stretches() {
                    let part = |at| (2 * group + half + at) * ROWS / (2 * groups);
                    self.unpack::<U>(rows, stretch + 1, part(0)..part(1));
                }
            }
            let Self { amx, scratch, .. } = self;
            s.enter(Add::<T> { amx: *amx, scratch, group, factors: &portion.factors, stretch });
        }
        if !U::IS_SIGNED {
            for vector in 0..count.div_ceil(16) {
                let sums = &inputs.sums(vector)[stretch][..4 * P];
                s.enter(AddOffsets { scratch: self.scratch, vector, sums, stretch });
            }
        }
    }
}

/// Adds the sums of a group of inputs to their products.
struct Add<'c, const T: usize> {
    amx: Amx,
    scratch: &'c mut Scratch,
    group: usize,
    factors: &'c Line,
    stretch: usize,
}

impl<const T: usize> Op for Add<'_, T> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { amx, scratch: Scratch { sums, panels, products, .. }, group, factors, stretch } = self;
        if stretch == 0 {
            products[group] = [Line::ZERO; ROWS];
        }
        let numbers = panels[stretch % 2].numbers.as_chunks::<SIDE>().0;
        let sides = products[group].as_chunks_mut::<SIDE>().0.iter_mut().zip(numbers);
        for ((products, numbers), sums) in sides.zip(sums.iter()) {
            for r in 0..SIDE {
                let scales = numbers[r].scales.as_chunks::<T>().0;
                let Some(scales) = scales.first_chunk::<4>() else { unreachable!("scales of four tiles") };
                let tiles = sums.0.each_ref().map(|tile| &tile[r]);
                products[r] = amx.add_integers(&products[r], tiles, scales, factors);
            }
        }
    }
}

/// Adds what offsets and sums of sixteen inputs have.
struct AddOffsets<'c> {
    scratch: &'c mut Scratch,
    vector: usize,
    /// Of the parts of the stretch.
    sums: &'c [Line],
    stretch: usize,
}

impl Op for AddOffsets<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { scratch: Scratch { panels, offsets, .. }, vector, sums, stretch } = self;
        // Eight rows at once: their sums do not wait for each other.
        let numbers = panels[stretch % 2].numbers.as_chunks::<8>().0;
        let rows = offsets[vector].as_chunks_mut::<8>().0.iter_mut().zip(numbers);
        for (offsets, numbers) in rows {
            let mut all = [s.splat(0.0); 8];
            if stretch > 0 {
                for r in 0..8 {
                    all[r] = s.load(&offsets[r].0);
                }
            }
            for (part, line) in sums.iter().enumerate() {
                let x = s.load(&line.0);
                for r in 0..8 {
                    all[r] = s.fma(s.splat(numbers[r].offsets[part]), x, all[r]);
                }
            }
            for r in 0..8 {
                s.store(all[r], &mut offsets[r].0);
            }
        }
    }
}

/// Writes the products of some rows.
struct Write<'c, 't, const P: usize> {
    chunk: &'c mut Chunk<'t>,
    rows: Range<usize>,
    scratch: &'c Scratch,
    has_offsets: bool,
}

impl<const P: usize> Op for Write<'_, '_, P> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { chunk, rows, scratch: Scratch { products, offsets, .. }, has_offsets } = self;
        let all = chunk.tile.inputs();
        let (mut lanes, mut rests) = ([Line::ZERO; 16], [Line::ZERO; 16]);
        for (side, start) in rows.clone().step_by(SIDE).enumerate() {
            for (at, input) in all.clone().enumerate() {
                if at % 16 == 0 && has_offsets {
                    s.transpose(&offsets[at / 16].as_chunks().0[side], &mut rests, 1);
                }
                let (group, place) = (at / Inputs::<P>::SHARED, at % Inputs::<P>::SHARED);
                if place == 0 {
                    s.transpose(&products[group].as_chunks().0[side], &mut lanes, 1);
                }
                let mut sum = s.load(&rests[at % 16].0);
                for lane in &lanes[place * Inputs::<P>::LANES..][..Inputs::<P>::LANES] {
                    sum = s.add(sum, s.load(&lane.0));
                }
                write(s, sum, chunk.tile.part(input, start..rows.end.min(start + SIDE)), false);
            }
        }
    }
}
