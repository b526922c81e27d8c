//! Loops over a slice, sixteen lanes at a time.

use crate::simd::{Simd, Unit};

/// Applies a lane function to whole units and to the zero-padded rest.
macro_rules! lanes {
    ($s:ident, $out:expr, [$($x:ident: $from:expr),*], $body:expr) => {{
        let (out, out_rest) = $out.as_chunks_mut::<16>();
        $(let $x = $from.as_chunks::<16>();)*
        for (unit, out) in out.iter_mut().enumerate() {
            $(let $x = $s.load(&$x.0[unit]);)*
            let value = $body;
            $s.store(value, out);
        }
        if !out_rest.is_empty() {
            $(let $x = $s.load(&$crate::lanes::padded($x.1, 0.0));)*
            let value = $body;
            let mut unit = [0.0; 16];
            $s.store(value, &mut unit);
            out_rest.copy_from_slice(&unit[..out_rest.len()]);
        }
    }};
}

/// A unit that begins with `part`, filled up with `with`.
#[inline(always)]
pub(crate) fn padded(part: &[f32], with: f32) -> Unit {
    let mut unit = [with; 16];
    unit[..part.len()].copy_from_slice(part);
    unit
}

/// Folds a slice into one register, four units at a time; the rest is padded with `with`.
macro_rules! fold {
    ($s:ident, $x:expr, $with:expr, |$sum:ident, $unit:ident| $body:expr, $join:ident) => {{
        let (quads, rest) = $x.as_chunks::<64>();
        let mut sums = [$s.splat($with); 4];
        for quad in quads {
            for ($sum, unit) in sums.iter_mut().zip(quad.as_chunks().0) {
                let $unit = $s.load(unit);
                *$sum = $body;
            }
        }
        let (units, rest) = rest.as_chunks();
        let $sum = &mut sums[0];
        for unit in units {
            let $unit = $s.load(unit);
            *$sum = $body;
        }
        let $unit = $s.load(&$crate::lanes::padded(rest, $with));
        *$sum = $body;
        $s.$join($s.$join(sums[0], sums[1]), $s.$join(sums[2], sums[3]))
    }};
}

/// Writes a sum, or adds it to what earlier ones gave.
#[inline(always)]
pub(crate) fn write<S: Simd>(s: S, sum: S::V, out: &mut [f32], is_later: bool) {
    if let Some(out) = out.as_mut_array() {
        // The usual case without a copy.
        return s.store(if is_later { s.add(s.load(out), sum) } else { sum }, out);
    }
    let sum = if is_later { s.add(s.load(&padded(out, 0.0)), sum) } else { sum };
    let mut unit = [0.0; 16];
    s.store(sum, &mut unit);
    out.copy_from_slice(&unit[..out.len()]);
}

pub(crate) use {fold, lanes};
