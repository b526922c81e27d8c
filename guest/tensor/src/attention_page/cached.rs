//! From the cache to floats.

use super::FloatPage;
use crate::simd::{Line, Op, Simd};

/// Vectors as they lie in the cache.
pub(crate) trait Cached: Copy {
    /// Sixteen elements of one of them, zeros behind its end.
    fn unit<S: Simd>(self, s: S, token: usize, unit: usize) -> S::V;
}

/// Vectors of halves.
#[derive(Clone, Copy)]
pub(super) struct Halves<'a> {
    pub(super) cache: &'a [u16],
    pub(super) dim: usize,
}

impl Cached for Halves<'_> {
    #[inline(always)]
    fn unit<S: Simd>(self, s: S, token: usize, unit: usize) -> S::V {
        let rest = &self.cache[token * self.dim..][..self.dim][unit * 16..];
        match rest.first_chunk() {
            Some(unit) => s.widen(unit),
            None => {
                let mut unit = [0; 16];
                unit[..rest.len()].copy_from_slice(rest);
                s.widen(&unit)
            }
        }
    }
}

/// Turns the first `tokens` keys on their side.
pub(super) struct Keys<'a, C> {
    pub(super) page: &'a mut FloatPage,
    pub(super) cached: C,
    pub(super) tokens: usize,
}

impl<C: Cached> Op for Keys<'_, C> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { page, cached, tokens } = self;
        let groups = page.tokens / 16;
        for group in 0..tokens.div_ceil(16) {
            for unit in 0..page.dim.div_ceil(16) {
                let mut rows = [Line::ZERO; 16];
                for (row, token) in rows.iter_mut().zip(group * 16..tokens) {
                    s.store(cached.unit(s, token, unit), &mut row.0);
                }
                s.transpose(&rows, &mut page.keys[unit * 16 * groups + group..], groups);
            }
        }
    }
}

/// Widens the first `tokens` values.
pub(super) struct Values<'a, C> {
    pub(super) page: &'a mut FloatPage,
    pub(super) cached: C,
    pub(super) tokens: usize,
}

impl<C: Cached> Op for Values<'_, C> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { page, cached, tokens } = self;
        let units = page.dim.div_ceil(16);
        for (token, lines) in page.values.chunks_exact_mut(units).take(tokens).enumerate() {
            for (unit, line) in lines.iter_mut().enumerate() {
                s.store(cached.unit(s, token, unit), &mut line.0);
            }
        }
    }
}
