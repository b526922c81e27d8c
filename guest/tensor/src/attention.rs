//! Attention over a cache of halves: queries and sums are f32, keys and values are f16 bits.

use crate::Isa;
use crate::simd::{Op, Simd};

/// Queries that share each widened key or value.
const SHARED: usize = 4;

/// Writes `x` as halves, to nearest, ties to even.
///
/// # Panics
/// If the lengths differ.
pub fn store_f16(isa: Isa, x: &[f32], out: &mut [u16]) {
    assert_eq!(x.len(), out.len(), "lengths differ");
    isa.run(Store { x, out });
}

struct Store<'a> {
    x: &'a [f32],
    out: &'a mut [u16],
}

impl Op for Store<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (units, rest) = self.x.as_chunks();
        let (out, out_rest) = self.out.as_chunks_mut();
        for (unit, out) in units.iter().zip(out) {
            s.narrow(s.load(unit), out);
        }
        let mut halves = [0; 16];
        s.narrow(s.load(&padded(rest)), &mut halves);
        out_rest.copy_from_slice(&halves[..rest.len()]);
    }
}

#[inline(always)]
fn padded<T: Copy + Default>(part: &[T]) -> [T; 16] {
    let mut unit = [T::default(); 16];
    unit[..part.len()].copy_from_slice(part);
    unit
}

/// The dot product of `query` and `key`.
///
/// # Panics
/// If the lengths differ.
#[must_use]
pub fn dot_f16(isa: Isa, query: &[f32], key: &[u16]) -> f32 {
    assert_eq!(query.len(), key.len(), "lengths differ");
    let mut score = [0.0];
    isa.run(Scores { queries: query, dim: query.len(), keys: key, stride: 1, scores: &mut score });
    score[0]
}

/// Adds `weight · value` to `out`.
///
/// # Panics
/// If the lengths differ.
pub fn axpy_f16(isa: Isa, weight: f32, value: &[u16], out: &mut [f32]) {
    assert_eq!(value.len(), out.len(), "lengths differ");
    let dim = out.len();
    isa.run(Mix { weights: &[weight], dim, values: value, stride: 1, out });
}

/// Writes the dot product of each query with each key.
///
/// Shapes: `queries` `[q, dim]`; key `p` is `keys[p · stride..][..dim]`; `scores` `[q, positions]`. The number
/// of queries is `queries.len() / dim`, of positions `scores.len() / q`.
///
/// # Panics
/// If the lengths do not fit.
pub fn scores_f16(isa: Isa, queries: &[f32], dim: usize, keys: &[u16], stride: usize, scores: &mut [f32]) {
    check(queries.len(), scores.len(), dim, keys.len(), stride);
    isa.run(Scores { queries, dim, keys, stride, scores });
}

/// Adds to each output the weighted sum of the values.
///
/// Shapes: `weights` `[q, positions]`; value `p` is `values[p · stride..][..dim]`; `out` `[q, dim]`.
///
/// # Panics
/// If the lengths do not fit.
pub fn mix_f16(isa: Isa, weights: &[f32], dim: usize, values: &[u16], stride: usize, out: &mut [f32]) {
    check(out.len(), weights.len(), dim, values.len(), stride);
    isa.run(Mix { weights, dim, values, stride, out });
}

/// Checks `[q, dim]`, `[q, positions]` and the cache.
fn check(vectors: usize, weights: usize, dim: usize, cache: usize, stride: usize) {
    assert!(dim > 0 && vectors.is_multiple_of(dim), "{vectors} elements are not vectors of {dim}");
    let queries = vectors / dim;
    assert!(queries > 0 && weights.is_multiple_of(queries), "{weights} weights for {queries} vectors");
    let positions = weights / queries;
    if positions > 0 {
        let end = (positions - 1).checked_mul(stride).and_then(|start| start.checked_add(dim));
        assert!(end.is_some_and(|end| end <= cache), "{positions} positions by {stride} in {cache} elements");
    }
}

struct Scores<'a> {
    queries: &'a [f32],
    dim: usize,
    keys: &'a [u16],
    stride: usize,
    scores: &'a mut [f32],
}

impl Op for Scores<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { queries, dim, keys, stride, scores } = self;
        let Some(positions) = queries.len().checked_div(dim).and_then(|q| scores.len().checked_div(q)) else {
            return;
        };
        if positions == 0 {
            return;
        }
        let keys = Keys { keys, stride, dim };
        let groups = queries.chunks(SHARED * dim).zip(scores.chunks_mut(SHARED * positions));
        for (queries, scores) in groups {
            match queries.len() / dim {
                1 => several::<S, 1>(s, queries, keys, scores),
                2 => several::<S, 2>(s, queries, keys, scores),
                3 => several::<S, 3>(s, queries, keys, scores),
                _ => several::<S, SHARED>(s, queries, keys, scores),
            }
        }
    }
}

/// Keys as they lie in the cache.
#[derive(Clone, Copy)]
struct Keys<'a> {
    keys: &'a [u16],
    stride: usize,
    dim: usize,
}

/// The scores `[N, positions]` of `N` queries.
#[inline(always)]
fn several<S: Simd, const N: usize>(s: S, queries: &[f32], keys: Keys<'_>, scores: &mut [f32]) {
    let Keys { keys, stride, dim } = keys;
    let mut vectors = [[].as_slice(); N];
    for (vector, query) in vectors.iter_mut().zip(queries.chunks_exact(dim)) {
        *vector = query;
    }
    let positions = scores.len() / N;
    for position in 0..positions {
        let dots = dots(s, vectors, &keys[position * stride..][..dim]);
        for (query, dot) in dots.iter().enumerate() {
            scores[query * positions + position] = *dot;
        }
    }
}

/// The dot products of several queries with one key, which is widened once.
#[inline(always)]
fn dots<S: Simd, const N: usize>(s: S, queries: [&[f32]; N], key: &[u16]) -> [f32; N] {
    let mut sums = [s.splat(0.0); N];
    let (units, rest) = key.as_chunks();
    let queries = queries.map(|query| query.as_chunks());
    for (unit, key) in units.iter().enumerate() {
        let key = s.widen(key);
        for n in 0..N {
            sums[n] = s.fma(s.load(&queries[n].0[unit]), key, sums[n]);
        }
    }
    if !rest.is_empty() {
        let key = s.widen(&padded(rest));
        for n in 0..N {
            sums[n] = s.fma(s.load(&padded(queries[n].1)), key, sums[n]);
        }
    }
    let mut out = [0.0; N];
    for n in 0..N {
        out[n] = s.sum(sums[n]);
    }
    out
}

struct Mix<'a> {
    weights: &'a [f32],
    dim: usize,
    values: &'a [u16],
    stride: usize,
    out: &'a mut [f32],
}

impl Op for Mix<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { weights, dim, values, stride, out } = self;
        let Some(positions) = out.len().checked_div(dim).and_then(|q| weights.len().checked_div(q)) else {
            return;
        };
        if positions == 0 {
            return;
        }
        for (weights, out) in weights.chunks_exact(positions).zip(out.chunks_exact_mut(dim)) {
            let (units, rest) = out.as_chunks_mut();
            let (quads, singles) = units.as_chunks_mut::<4>();
            for (quad, out) in quads.iter_mut().enumerate() {
                mix(s, weights, values, stride, quad * 64, out);
            }
            for (single, out) in singles.iter_mut().enumerate() {
                mix(s, weights, values, stride, quads.len() * 64 + single * 16, core::array::from_mut(out));
            }
            let start = dim - rest.len();
            for (lane, out) in rest.iter_mut().enumerate() {
                for (position, weight) in weights.iter().enumerate() {
                    *out += weight * s.half(values[position * stride + start + lane]);
                }
            }
        }
    }
}

/// Adds the weighted elements `at..at + 16 · N` of each value; the sums stay in registers.
#[inline(always)]
fn mix<S: Simd, const N: usize>(
    s: S,
    weights: &[f32],
    values: &[u16],
    stride: usize,
    at: usize,
    out: &mut [[f32; 16]; N],
) {
    let mut sums = [s.splat(0.0); N];
    for n in 0..N {
        sums[n] = s.load(&out[n]);
    }
    for (position, weight) in weights.iter().enumerate() {
        let weight = s.splat(*weight);
        let value = values[position * stride + at..][..16 * N].as_chunks().0;
        for n in 0..N {
            sums[n] = s.fma(weight, s.widen(&value[n]), sums[n]);
        }
    }
    for n in 0..N {
        s.store(sums[n], &mut out[n]);
    }
}
