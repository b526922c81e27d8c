//! Few inputs, as words: unpack, multiply and sum in registers. Rows have at least one stretch.

use core::marker::PhantomData;

use super::Chunk;
use crate::simd::{Op, Registers, Simd, Unit};
use crate::words::{ForWords, Input, Pair, Pairs, STRETCH, UNIT, WordFormat, Words, for_words};

/// How far ahead of its use a cache line is asked for: rows follow each other, so it will be of use.
const AHEAD_BYTES: usize = 4096;
const LINE_BYTES: usize = 64;

/// Computes a tile.
pub(super) fn compute<S: Simd>(s: S, chunk: Chunk<'_>, words: &Words) {
    for_words(chunk.weights.quant(), Tile { s, chunk, words });
}

struct Tile<'t, S> {
    s: S,
    chunk: Chunk<'t>,
    words: &'t Words,
}

impl<S: Simd> ForWords for Tile<'_, S> {
    /// All inputs of the tile: fours, then twos, then the last.
    fn run<F: WordFormat<B, K>, const B: usize, const K: usize>(mut self) {
        let mut inputs = self.chunk.tile.inputs();
        while let left @ 1.. = inputs.len() {
            inputs.start += match (S::REGISTERS, left) {
                (Registers::None, _) => self.some::<F, B, K, 1>(inputs.start),
                (_, 4..) => self.some::<F, B, K, 4>(inputs.start),
                (_, 2..) => self.some::<F, B, K, 2>(inputs.start),
                _ => self.some::<F, B, K, 1>(inputs.start),
            };
        }
    }
}

impl<S: Simd> Tile<'_, S> {
    /// `N` inputs from `input` on; gives `N`.
    fn some<F: WordFormat<B, K>, const B: usize, const K: usize, const N: usize>(
        &mut self,
        input: usize,
    ) -> usize {
        let (chunk, words) = (&mut self.chunk, self.words);
        self.s.enter(Rows::<F, B, K, N> { chunk, words, input, format: PhantomData });
        N
    }
}

/// All rows of a tile times `N` inputs from `input` on.
struct Rows<'c, 't, F, const B: usize, const K: usize, const N: usize> {
    chunk: &'c mut Chunk<'t>,
    words: &'t Words,
    input: usize,
    format: PhantomData<F>,
}

impl<F: WordFormat<B, K>, const B: usize, const K: usize, const N: usize> Op for Rows<'_, '_, F, B, K, N> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { chunk, words, input, .. } = self;
        let mut inputs = [words.input(input); N];
        for (n, slot) in inputs.iter_mut().enumerate() {
            *slot = words.input(input + n);
        }
        for row in chunk.tile.rows() {
            let sums = dot::<F, B, K, N, S>(s, chunk.weights.row(row), &inputs);
            for (n, sum) in sums.into_iter().enumerate() {
                chunk.tile.part(input + n, row..row + 1).fill(sum);
            }
        }
    }
}

/// What a row has of one input so far: two sums, so that one does not wait for the other.
#[derive(Clone, Copy)]
struct Sum<S: Simd> {
    dots: [S::Sums; 2],
    /// Of [`Pairs::ScaleAndOffset`] every second lane.
    offsets: S::V,
}

impl<S: Simd> Sum<S> {
    #[inline(always)]
    fn total(self, s: S, pairs: Pairs) -> f32 {
        let dots = s.total(s.join(self.dots[0], self.dots[1]));
        if pairs == Pairs::TwoScales { dots } else { dots + s.sum(self.offsets) }
    }
}

/// Picks the offsets among scales and offsets.
const OFFSETS: Unit = [0., 1., 0., 1., 0., 1., 0., 1., 0., 1., 0., 1., 0., 1., 0., 1.];

/// A row's dot products with `N` inputs.
#[inline(always)]
fn dot<F: WordFormat<B, K>, const B: usize, const K: usize, const N: usize, S: Simd>(
    s: S,
    row: &[u8],
    inputs: &[Input<'_>; N],
) -> [f32; N] {
    let mut sums = [Sum { dots: [s.no_sums(); 2], offsets: s.splat(0.0) }; N];
    let blocks = row.as_chunks::<B>().0;
    let (stretches, rest) = blocks.as_chunks::<K>();
    for (at, blocks) in stretches.iter().enumerate() {
        for line in 0..(B * K).div_ceil(LINE_BYTES) {
            s.prefetch(&blocks[0], AHEAD_BYTES + line * LINE_BYTES);
        }
        stretch::<F, B, K, N, S>(s, blocks, 0, at * STRETCH, inputs, &mut sums);
    }
    if let Some(last) = blocks.last_chunk().filter(|_| !rest.is_empty()) {
        // The last stretch overlaps the one before.
        stretch::<F, B, K, N, S>(s, last, STRETCH - rest.len(), blocks.len() - K, inputs, &mut sums);
    }
    let mut out = [0.0; N];
    for n in 0..N {
        out[n] = sums[n].total(s, F::PAIRS);
    }
    out
}

/// Adds a stretch that begins at unit `at` of the inputs, but for its first `done` units.
#[inline(always)]
fn stretch<F: WordFormat<B, K>, const B: usize, const K: usize, const N: usize, S: Simd>(
    s: S,
    blocks: &[[u8; B]; K],
    done: usize,
    at: usize,
    inputs: &[Input<'_>; N],
    sums: &mut [Sum<S>; N],
) {
    let pairs = F::pairs(s, blocks);
    let mut units = [&[[0; UNIT]; STRETCH]; N];
    let mut scales = [[0.0; 16]; N];
    for n in 0..N {
        units[n] = eight(&inputs[n].words[at..]);
        let mut of_input = *match F::PAIRS {
            Pairs::ScaleAndOffset => eight(&inputs[n].scales_and_sums[at..]),
            Pairs::TwoScales => eight(&inputs[n].scales[at..]),
        };
        of_input[..done].fill([0.0; 2]);
        let product = s.mul(pairs, s.load(sixteen(&of_input)));
        s.store(product, &mut scales[n]);
        sums[n].offsets = s.fma(product, s.load(&OFFSETS), sums[n].offsets);
    }
    // Kept in memory: filling a register from there is cheaper than taking lanes of another apart.
    let scales = core::hint::black_box(&scales);
    #[expect(clippy::needless_range_loop, reason = "a unit is a place in blocks, inputs and scales")]
    for unit in done..STRETCH {
        let words = F::words(s, blocks, unit);
        for n in 0..N {
            let (dots, x) = (&mut sums[n].dots[unit % 2], &units[n][unit]);
            let scales = &scales[n].as_chunks::<2>().0[unit];
            *dots = match F::PAIRS {
                Pairs::ScaleAndOffset => s.add_dot(*dots, words, x, scales[0]),
                Pairs::TwoScales => s.add_dots(*dots, words, x, *scales),
            };
        }
    }
}

/// The first eight.
#[inline(always)]
fn eight<T>(of: &[T]) -> &[T; STRETCH] {
    match of.first_chunk() {
        Some(eight) => eight,
        None => unreachable!("a row has as many units as its inputs"),
    }
}

/// Eight pairs as sixteen numbers.
#[inline(always)]
fn sixteen(pairs: &[Pair; STRETCH]) -> &Unit {
    match pairs.as_flattened().as_array() {
        Some(unit) => unit,
        None => unreachable!("eight pairs are sixteen numbers"),
    }
}
