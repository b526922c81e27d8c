//! Few inputs: unpack, scale and sum in registers.

use core::marker::PhantomData;

use super::Chunk;
use crate::simd::{Op, Registers, Simd, Unit};
use crate::unpack::{ForFormat, Format, Scales, Sink, for_float_format, group, padded};

/// Most rows computed side by side, so that their sums do not wait for each other.
pub(super) const ROWS: usize = 4;

/// How far ahead of its use a cache line is asked for: rows follow each other, so it will be of use. Four rows of usual
/// width: with a distance of one row, of two in turn the second is asked for when it is used.
const AHEAD_BYTES: usize = 16384;

/// Shorter rows are computed one by one for one input where registers are few: memory gives less of two such in turn.
const LONG_BYTES: usize = 4096;

/// Computes a tile.
pub(super) fn compute<S: Simd>(s: S, chunk: Chunk<'_>) {
    for_float_format(chunk.weights.quant(), Fused { s, chunk });
}

struct Fused<'t, S> {
    s: S,
    chunk: Chunk<'t>,
}

impl<S: Simd> ForFormat for Fused<'_, S> {
    /// All inputs of the tile: fours, then twos, then the last.
    fn run<F: Format<B>, const B: usize>(mut self) {
        let mut inputs = self.chunk.tile.inputs();
        while let left @ 1.. = inputs.len() {
            let taken = match left {
                4.. => self.some::<F, B, 4>(inputs.start),
                2.. => self.some::<F, B, 2>(inputs.start),
                _ => self.some::<F, B, 1>(inputs.start),
            };
            inputs.start += taken;
        }
    }
}

impl<S: Simd> Fused<'_, S> {
    /// `N` inputs from `input` on; gives `N`.
    fn some<F: Format<B>, const B: usize, const N: usize>(&mut self, input: usize) -> usize {
        let chunk = &mut self.chunk;
        match S::REGISTERS {
            Registers::Many => self.s.enter(Rows::<F, B, N, 4> { chunk, input, format: PhantomData }),
            Registers::Few if N == 1 && chunk.weights.row_bytes() < LONG_BYTES => {
                self.s.enter(Rows::<F, B, N, 1> { chunk, input, format: PhantomData });
            }
            Registers::Few | Registers::None => {
                self.s.enter(Rows::<F, B, N, 2> { chunk, input, format: PhantomData });
            }
        }
        N
    }
}

/// All rows of a tile times `N` inputs from `input` on, `R` rows at a time.
struct Rows<'c, 't, F, const B: usize, const N: usize, const R: usize> {
    chunk: &'c mut Chunk<'t>,
    input: usize,
    format: PhantomData<F>,
}

impl<F: Format<B>, const B: usize, const N: usize, const R: usize> Op for Rows<'_, '_, F, B, N, R> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { chunk, input, .. } = self;
        let mut inputs = [[].as_slice(); N];
        for (n, slot) in inputs.iter_mut().enumerate() {
            *slot = chunk.input(input + n);
        }
        let all = chunk.tile.rows();
        for start in all.clone().step_by(R) {
            let rows = start..all.end.min(start + R);
            // The last rows may be fewer than `R`: the last is then computed more than once.
            let mut bytes = [[].as_slice(); R];
            for (r, slot) in bytes.iter_mut().enumerate() {
                *slot = chunk.weights.row((start + r).min(all.end - 1));
            }
            let sums = dot::<F, B, N, R, S>(s, bytes, inputs);
            for (n, sums) in sums.iter().enumerate() {
                let out = chunk.tile.part(input + n, rows.clone());
                match out.as_mut_array() {
                    // The usual case without a call.
                    Some(out) => *out = *sums,
                    None => out.copy_from_slice(&sums[..rows.len()]),
                }
            }
        }
    }
}

/// Joins the units of one block of one row with the inputs.
struct Join<'s, V, const N: usize> {
    /// Two sums for each input where registers allow: the second does not wait for the first.
    sums: &'s mut [[V; 2]; N],
    /// The inputs, and the unit in them where the block begins.
    inputs: &'s [&'s [Unit]; N],
    base: usize,
}

impl<S: Simd, const N: usize> Sink<S> for Join<'_, S::V, N> {
    #[inline(always)]
    fn take(&mut self, s: S, unit: usize, value: S::V) {
        for n in 0..N {
            let x = s.load(&self.inputs[n][self.base + unit]);
            let sum = &mut self.sums[n][if N == 1 && S::REGISTERS == Registers::Many { unit % 2 } else { 0 }];
            *sum = s.fma(value, x, *sum);
        }
    }
}

/// `[N][R]` dot products.
#[inline(always)]
fn dot<F: Format<B>, const B: usize, const N: usize, const R: usize, S: Simd>(
    s: S,
    rows: [&[u8]; R],
    inputs: [&[f32]; N],
) -> [[f32; R]; N] {
    let mut sums = [[[s.splat(0.0); 2]; N]; R];
    let units = inputs.map(|input| input.as_chunks().0);
    let blocks = rows.map(|row| row.as_chunks::<B>().0);
    for start in (0..blocks[0].len()).step_by(F::GROUP) {
        let groups = blocks.map(|blocks| group::<F, B>(blocks, start));
        let mut scales = [Scales::ZERO; R];
        for r in 0..R {
            scales[r] = F::scales(s, groups[r].0);
        }
        for place in groups[0].1..groups[0].0.len() {
            for r in 0..R {
                let block = &groups[r].0[place];
                s.prefetch(block, AHEAD_BYTES);
                let base = (start - groups[0].1 + place) * F::UNITS;
                let mut join = Join { sums: &mut sums[r], inputs: &units, base };
                F::unpack(s, block, &scales[r], place, &mut join);
            }
        }
    }
    let rests = rows.map(|row| row.as_chunks::<B>().1);
    if !rests[0].is_empty() {
        let tails = inputs.map(|input| [padded::<f32, 16>(input.as_chunks::<16>().1)]);
        let tails = core::array::from_fn(|n| tails[n].as_slice());
        for r in 0..R {
            // Only formats without scales have rows that are not whole blocks.
            let mut join = Join { sums: &mut sums[r], inputs: &tails, base: 0 };
            F::unpack(s, &padded(rests[r]), &Scales::ZERO, 0, &mut join);
        }
    }
    let mut out = [[0.0; R]; N];
    for n in 0..N {
        for r in 0..R {
            out[n][r] = s.sum(s.add(sums[r][n][0], sums[r][n][1]));
        }
    }
    out
}
