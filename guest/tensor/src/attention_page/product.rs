//! Lines times inputs.

use core::ops::Range;

use crate::Isa;
use crate::lanes::write;
use crate::simd::{Line, Op, Simd};

/// Inputs taken at once by the widest kernel.
const INPUTS: usize = 6;

/// A line for each column.
#[derive(Clone)]
pub(super) struct Lines<'a> {
    pub(super) lines: &'a [Line],
    /// Which of each column's.
    pub(super) first: usize,
    /// Lines from one column to the next.
    pub(super) stride: usize,
    pub(super) columns: Range<usize>,
}

/// Lines times inputs: `out[o(n)..][..len]` is the sum over all columns of `inputs[i(n) + column] · line`.
pub(super) struct Product<'a> {
    pub(super) lines: Lines<'a>,
    pub(super) inputs: &'a [f32],
    pub(super) out: &'a mut [f32],
    pub(super) len: usize,
    /// Whether sums are added to what is there.
    pub(super) is_later: bool,
}

impl Product<'_> {
    /// All inputs, at most [`INPUTS`] at a time.
    pub(super) fn all(
        self,
        isa: Isa,
        count: usize,
        input: impl Fn(usize) -> usize,
        out: impl Fn(usize) -> usize,
    ) {
        let Self { lines, inputs, out: to, len, is_later } = self;
        let mut first = 0;
        while first < count {
            let place = |n: usize| (input(first + n), out(first + n));
            let product = Product { lines: lines.clone(), inputs, out: &mut *to, len, is_later };
            match count - first {
                1 => isa.run(Several::<1> { product, places: core::array::from_fn(place) }),
                2 => isa.run(Several::<2> { product, places: core::array::from_fn(place) }),
                3 => isa.run(Several::<3> { product, places: core::array::from_fn(place) }),
                4 => isa.run(Several::<4> { product, places: core::array::from_fn(place) }),
                5 => isa.run(Several::<5> { product, places: core::array::from_fn(place) }),
                _ => isa.run(Several::<INPUTS> { product, places: core::array::from_fn(place) }),
            }
            first += INPUTS;
        }
    }
}

/// `N` inputs of a product, from and to these places.
struct Several<'a, const N: usize> {
    product: Product<'a>,
    places: [(usize, usize); N],
}

impl<const N: usize> Op for Several<'_, N> {
    type Out = ();

    #[inline(always)]
    #[expect(
        clippy::needless_range_loop,
        reason = "an iterator over every so many lines costs a third of the speed"
    )]
    fn run<S: Simd>(self, s: S) {
        let Self { product: Product { lines, inputs, out, len, is_later }, places } = self;
        let Lines { lines, stride, first, columns } = lines;
        let depth = columns.len();
        let mut all = [[].as_slice(); N];
        for (slot, (input, _)) in all.iter_mut().zip(places) {
            *slot = &inputs[input..][columns.clone()][..depth];
        }
        let mut sums = [s.splat(0.0); N];
        let mut at = columns.start * stride + first;
        for column in 0..depth {
            let line = s.load(&lines[at].0);
            for n in 0..N {
                sums[n] = s.fma(s.splat(all[n][column]), line, sums[n]);
            }
            at += stride;
        }
        for n in 0..N {
            write(s, sums[n], &mut out[places[n].1..][..len], is_later);
        }
    }
}
