//! Attention over a cache of 8-bit integers: queries and sums are f32, keys and values are blocks of 32 integers and one
//! scale, as in GGUF's `Q8_0`.
//!
//! A vector whose length is no multiple of 32 ends in a block that zeros fill. Integers are widened to f32 and multiplied
//! there, so that the only error is the rounding of what is stored: at most 1/254 of a block's largest number for each.

use crate::Isa;
use crate::attention_page::Cached;
use crate::simd::{Op, Simd, Unit};
use crate::{f16_to_f32, f32_to_f16};

/// Numbers that share a scale.
const BLOCK: usize = 32;
/// A scale in half precision and 32 integers.
const BLOCK_BYTES: usize = 2 + BLOCK;
/// Queries that share each widened key or value.
const SHARED: usize = 4;

type Block = [u8; BLOCK_BYTES];

/// Bytes that a vector of `dim` numbers takes.
#[must_use]
pub const fn q8_0_bytes(dim: usize) -> usize {
    dim.div_ceil(BLOCK) * BLOCK_BYTES
}

/// Writes `x` as blocks: each number to the nearest of 255 evenly spaced ones, ties to even. Numbers too large for a scale in
/// half precision become the largest there are.
///
/// # Panics
/// If `out` is not [`q8_0_bytes`] of the length of `x`.
pub fn store_q8_0(x: &[f32], out: &mut [u8]) {
    assert_eq!(out.len(), q8_0_bytes(x.len()), "blocks of {} numbers", x.len());
    for (x, block) in x.chunks(BLOCK).zip(out.as_chunks_mut::<BLOCK_BYTES>().0) {
        let largest = x.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        let scale = f32_to_f16((largest / 127.0).min(65504.0));
        let inverse = if f16_to_f32(scale) > 0.0 { 1.0 / f16_to_f32(scale) } else { 0.0 };
        let (head, integers) = block.split_at_mut(2);
        head.copy_from_slice(&scale.to_le_bytes());
        integers.fill(0);
        for (integer, x) in integers.iter_mut().zip(x) {
            #[expect(clippy::cast_possible_truncation, reason = "within -127 to 127")]
            let rounded = libm::rintf(x * inverse).clamp(-127.0, 127.0) as i8;
            *integer = rounded.cast_unsigned();
        }
    }
}

/// Writes the dot product of each query with each key.
///
/// Shapes: `queries` `[q, dim]`; `keys` `[positions, q8_0_bytes(dim)]`; `scores` `[q, positions]`. The number of queries is
/// `queries.len() / dim`, of positions `scores.len() / q`.
///
/// # Panics
/// If the lengths do not fit.
pub fn scores_q8_0(isa: Isa, queries: &[f32], dim: usize, keys: &[u8], scores: &mut [f32]) {
    if let Some(shape) = shape(queries.len(), scores.len(), dim, keys) {
        isa.run(Scores { queries, shape, scores });
    }
}

/// Adds to each output the weighted sum of the values.
///
/// Shapes: `weights` `[q, positions]`; `values` `[positions, q8_0_bytes(dim)]`; `out` `[q, dim]`.
///
/// # Panics
/// If the lengths do not fit.
pub fn mix_q8_0(isa: Isa, weights: &[f32], dim: usize, values: &[u8], out: &mut [f32]) {
    if let Some(shape) = shape(out.len(), weights.len(), dim, values) {
        isa.run(Mix { weights, shape, out });
    }
}

/// The cache as vectors of blocks.
#[derive(Clone, Copy)]
struct Shape<'a> {
    dim: usize,
    positions: usize,
    /// Blocks of one vector.
    blocks: usize,
    cache: &'a [Block],
}

impl<'a> Shape<'a> {
    #[inline(always)]
    fn vector(self, position: usize) -> &'a [Block] {
        &self.cache[position * self.blocks..][..self.blocks]
    }
}

/// Checks `[q, dim]`, `[q, positions]` and the cache; `None` if there are no positions.
fn shape(vectors: usize, weights: usize, dim: usize, cache: &[u8]) -> Option<Shape<'_>> {
    assert!(dim > 0 && vectors.is_multiple_of(dim), "{vectors} elements are not vectors of {dim}");
    let queries = vectors / dim;
    assert!(queries > 0 && weights.is_multiple_of(queries), "{weights} weights for {queries} vectors");
    let (positions, blocks) = (weights / queries, dim.div_ceil(BLOCK));
    let cache = cache.as_chunks().0;
    assert!(positions * blocks <= cache.len(), "{positions} positions in {} blocks", cache.len());
    (positions > 0).then_some(Shape { dim, positions, blocks, cache })
}

/// Vectors one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Blocks<'a> {
    cache: &'a [Block],
    /// Blocks of one vector.
    blocks: usize,
}

impl<'a> Blocks<'a> {
    /// Vectors of `dim` numbers.
    ///
    /// # Panics
    /// If the bytes are no vectors.
    pub(crate) fn new(cache: &'a [u8], dim: usize) -> Self {
        assert!(cache.len().is_multiple_of(q8_0_bytes(dim)), "{} bytes by {dim} numbers", cache.len());
        Self { cache: cache.as_chunks().0, blocks: dim.div_ceil(BLOCK) }
    }

    /// How many they are.
    pub(crate) fn count(self) -> usize {
        self.cache.len() / self.blocks
    }
}

impl Cached for Blocks<'_> {
    #[inline(always)]
    fn unit<S: Simd>(self, s: S, token: usize, unit: usize) -> S::V {
        let (scale, units) = open(&self.cache[token * self.blocks + unit / 2]);
        s.mul(s.splat(scale), s.signed_bytes(&units[unit % 2]))
    }
}

/// A block's scale and its two units of integers.
#[inline(always)]
fn open(block: &Block) -> (f32, &[[u8; 16]]) {
    let (head, integers) = block.split_at(2);
    (f16_to_f32(u16::from_le_bytes([head[0], head[1]])), integers.as_chunks().0)
}

/// Unit `unit` of a vector, filled up with zeros.
#[inline(always)]
fn unit_of(vector: &[f32], unit: usize) -> Unit {
    let (units, rest) = vector.as_chunks();
    units.get(unit).copied().unwrap_or_else(|| {
        let mut padded = [0.0; 16];
        padded[..rest.len()].copy_from_slice(rest);
        padded
    })
}

struct Scores<'a> {
    queries: &'a [f32],
    shape: Shape<'a>,
    scores: &'a mut [f32],
}

impl Op for Scores<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { queries, shape, scores } = self;
        let Shape { dim, positions, .. } = shape;
        let quads = queries.len() / (SHARED * dim) * SHARED;
        let (quad_queries, queries) = queries.split_at(quads * dim);
        let (quad_scores, scores) = scores.split_at_mut(quads * positions);
        let quads =
            quad_queries.chunks_exact(SHARED * dim).zip(quad_scores.chunks_exact_mut(SHARED * positions));
        for (queries, scores) in quads {
            score::<S, SHARED>(s, queries, shape, scores);
        }
        for (query, scores) in queries.chunks_exact(dim).zip(scores.chunks_exact_mut(positions)) {
            score::<S, 1>(s, query, shape, scores);
        }
    }
}

/// The dot products of `N` queries `[N, dim]` with all keys: `scores` `[N, positions]`.
#[inline(always)]
fn score<S: Simd, const N: usize>(s: S, queries: &[f32], shape: Shape<'_>, scores: &mut [f32]) {
    for position in 0..shape.positions {
        let mut sums = [s.splat(0.0); N];
        for (at, block) in shape.vector(position).iter().enumerate() {
            let (scale, units) = open(block);
            let scale = s.splat(scale);
            let count = (shape.dim - at * BLOCK).div_ceil(16);
            for (half, unit) in units.iter().take(count).enumerate() {
                let key = s.mul(scale, s.signed_bytes(unit));
                for n in 0..N {
                    sums[n] = s.fma(
                        s.load(&unit_of(&queries[n * shape.dim..][..shape.dim], 2 * at + half)),
                        key,
                        sums[n],
                    );
                }
            }
        }
        for n in 0..N {
            scores[n * shape.positions + position] = s.sum(sums[n]);
        }
    }
}

struct Mix<'a> {
    weights: &'a [f32],
    shape: Shape<'a>,
    out: &'a mut [f32],
}

impl Op for Mix<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { weights, shape, out } = self;
        let Shape { dim, positions, .. } = shape;
        let quads = out.len() / (SHARED * dim) * SHARED;
        let (quad_weights, weights) = weights.split_at(quads * positions);
        let (quad_out, out) = out.split_at_mut(quads * dim);
        let quads =
            quad_weights.chunks_exact(SHARED * positions).zip(quad_out.chunks_exact_mut(SHARED * dim));
        for (weights, out) in quads {
            mix::<S, SHARED>(s, weights, shape, out);
        }
        for (weights, out) in weights.chunks_exact(positions).zip(out.chunks_exact_mut(dim)) {
            mix::<S, 1>(s, weights, shape, out);
        }
    }
}

/// Adds all weighted values to `N` outputs, a unit at a time: the sums stay in registers.
#[inline(always)]
fn mix<S: Simd, const N: usize>(s: S, weights: &[f32], shape: Shape<'_>, out: &mut [f32]) {
    let Shape { dim, positions, .. } = shape;
    for unit in 0..dim.div_ceil(16) {
        let mut sums = [s.splat(0.0); N];
        for n in 0..N {
            sums[n] = s.load(&unit_of(&out[n * dim..][..dim], unit));
        }
        for position in 0..positions {
            let (scale, units) = open(&shape.vector(position)[unit / 2]);
            let value = s.mul(s.splat(scale), s.signed_bytes(&units[unit % 2]));
            for n in 0..N {
                sums[n] = s.fma(s.splat(weights[n * positions + position]), value, sums[n]);
            }
        }
        for n in 0..N {
            let part = &mut out[n * dim..][unit * 16..dim.min(unit * 16 + 16)];
            let mut whole = [0.0; 16];
            s.store(sums[n], &mut whole);
            part.copy_from_slice(&whole[..part.len()]);
        }
    }
}
