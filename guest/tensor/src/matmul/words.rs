//! Few inputs, as words: unpack, multiply and sum in registers. Rows have at least one stretch.
//!
//! Scales of several stretches are made before their products, so that no product waits for its scale.

use core::marker::PhantomData;

use super::Chunk;
use crate::simd::{Op, Registers, Simd, Unit};
use crate::words::{ForWords, Pairs, Stretch, UNIT, WordFormat, WordLanes, Words, for_words};

/// How far ahead of its use a cache line is asked for: rows follow each other, so it will be of use.
const AHEAD_BYTES: usize = 4096;
const LINE_BYTES: usize = 64;

/// Stretches whose scales are made at once.
const CHUNK: usize = 8;

/// Computes a tile.
pub(super) fn compute<S: WordLanes>(s: S, chunk: Chunk<'_>, words: &Words) {
    for_words(chunk.weights.quant(), Tile { s, chunk, words });
}

struct Tile<'t, S> {
    s: S,
    chunk: Chunk<'t>,
    words: &'t Words,
}

impl<S: WordLanes> ForWords for Tile<'_, S> {
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

impl<S: WordLanes> Tile<'_, S> {
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
        let (Self { chunk, words, input, .. }, s) = (self, s.words());
        let mut inputs = [words.input(input); N];
        for (n, slot) in inputs.iter_mut().enumerate() {
            *slot = words.input(input + n);
        }
        let mut scales = [[[0.0; 16]; N]; CHUNK];
        for row in chunk.tile.rows() {
            let mut sums = Sums::new(s);
            dot::<F, B, K, N, _>(s, chunk.weights.row(row), &inputs, &mut scales, &mut sums);
            for n in 0..N {
                chunk.tile.part(input + n, row..row + 1).fill(sums.total(s, n));
            }
        }
    }
}

/// What a row has of each of `N` inputs so far.
struct Sums<S: WordLanes, const N: usize> {
    /// Two for each input: of few inputs, one does not wait for the other.
    dots: [[S::Sums; 2]; N],
    /// Of [`Pairs::ScaleAndOffset`] every second lane.
    offsets: [S::V; N],
    /// Of single blocks.
    single_offsets: [f32; N],
}

impl<S: WordLanes, const N: usize> Sums<S, N> {
    #[inline(always)]
    fn new(s: S) -> Self {
        Self { dots: [[s.no_sums(); 2]; N], offsets: [s.splat(0.0); N], single_offsets: [0.0; N] }
    }

    #[inline(always)]
    fn total(&self, s: S, n: usize) -> f32 {
        s.total(s.join(self.dots[n][0], self.dots[n][1])) + s.sum(self.offsets[n]) + self.single_offsets[n]
    }
}

/// Picks the offsets among scales and offsets.
const OFFSETS: Unit = [0., 1., 0., 1., 0., 1., 0., 1., 0., 1., 0., 1., 0., 1., 0., 1.];

/// Adds a row's products with `N` inputs.
#[inline(always)]
fn dot<F: WordFormat<B, K>, const B: usize, const K: usize, const N: usize, S: WordLanes>(
    s: S,
    row: &[u8],
    inputs: &[&[Stretch]; N],
    scales: &mut [[Unit; N]; CHUNK],
    sums: &mut Sums<S, N>,
) {
    let (stretches, rest) = row.as_chunks::<B>().0.as_chunks::<K>();
    let mut first = 0;
    while first < stretches.len() {
        let chunk = first..stretches.len().min(first + CHUNK);
        for at in chunk.clone() {
            prefetch(s, &stretches[at]);
            let x = stretch_of(inputs, at);
            add_offsets::<F, B, K, N, S>(s, &stretches[at], x, &mut scales[at % CHUNK], sums);
        }
        // Kept in memory: filling a register from there is cheaper than taking lanes of another apart.
        let scales = core::hint::black_box(&*scales);
        for at in chunk.clone() {
            let x = stretch_of(inputs, at);
            add_dots::<F, B, K, N, S>(s, &stretches[at], x, &scales[at % CHUNK], sums);
        }
        first = chunk.end;
    }
    for (unit, block) in rest.iter().enumerate() {
        add_block::<F, B, K, N, S>(s, block, stretch_of(inputs, first), unit, sums);
    }
}

/// Stretch `at` of each input.
#[inline(always)]
fn stretch_of<'x, const N: usize>(inputs: &[&'x [Stretch]; N], at: usize) -> [&'x Stretch; N] {
    let mut out = [&inputs[0][at]; N];
    for n in 1..N {
        out[n] = &inputs[n][at];
    }
    out
}

/// Asks for what lies ahead of a stretch.
#[inline(always)]
fn prefetch<const B: usize, const K: usize>(s: impl Simd, blocks: &[[u8; B]; K]) {
    for line in 0..(B * K).div_ceil(LINE_BYTES) {
        s.prefetch(&blocks[0], AHEAD_BYTES + line * LINE_BYTES);
    }
}

/// Makes the scales of a stretch, and adds its offsets.
#[inline(always)]
fn add_offsets<F: WordFormat<B, K>, const B: usize, const K: usize, const N: usize, S: WordLanes>(
    s: S,
    blocks: &[[u8; B]; K],
    inputs: [&Stretch; N],
    scales: &mut [Unit; N],
    sums: &mut Sums<S, N>,
) {
    let pairs = F::pairs(s, blocks);
    for n in 0..N {
        if F::PAIRS == Pairs::TwoScales {
            s.store(s.mul(pairs, s.load(&inputs[n].scales)), &mut scales[n]);
        } else {
            let products = s.mul(pairs, s.load(&inputs[n].scales_and_sums));
            s.store(products, &mut scales[n]);
            sums.offsets[n] = s.fma(products, s.load(&OFFSETS), sums.offsets[n]);
        }
    }
}

/// Adds the products of a stretch.
#[inline(always)]
fn add_dots<F: WordFormat<B, K>, const B: usize, const K: usize, const N: usize, S: WordLanes>(
    s: S,
    blocks: &[[u8; B]; K],
    inputs: [&Stretch; N],
    scales: &[Unit; N],
    sums: &mut Sums<S, N>,
) {
    // Written out: a loop of this size is not unrolled, and then nothing of `unit` is known.
    macro_rules! units {
        ($($unit:literal)*) => {$(
            let words = F::words(s, blocks, $unit);
            for n in 0..N {
                let sum = &mut sums.dots[n][if N == 1 { $unit % 2 } else { 0 }];
                let scales = &scales[n].as_chunks::<2>().0[$unit];
                *sum = add(s, *sum, F::PAIRS, words, &inputs[n].words[$unit], scales);
            }
        )*};
    }
    units!(0 1 2 3 4 5 6 7);
}

#[inline(always)]
fn add<S: WordLanes>(
    s: S,
    sums: S::Sums,
    pairs: Pairs,
    words: S::W,
    x: &[i16; UNIT],
    scales: &[f32; 2],
) -> S::Sums {
    match pairs {
        Pairs::ScaleAndOffset => s.add_dot(sums, words, x, scales[0]),
        Pairs::TwoScales => s.add_dots(sums, words, x, scales),
    }
}

/// Adds the products of a block of one unit, which is unit `unit` of the inputs, and its offset.
#[inline(always)]
fn add_block<F: WordFormat<B, K>, const B: usize, const K: usize, const N: usize, S: WordLanes>(
    s: S,
    block: &[u8; B],
    inputs: [&Stretch; N],
    unit: usize,
    sums: &mut Sums<S, N>,
) {
    let ([scale, offset], words) = F::single(s, block);
    for (n, input) in inputs.into_iter().enumerate() {
        let [scale_of_input, sum] = input.scales_and_sums.as_chunks().0[unit];
        let dots = &mut sums.dots[n][0];
        *dots = s.add_dot(*dots, words, &input.words[unit], scale * scale_of_input);
        sums.single_offsets[n] += offset * sum;
    }
}
