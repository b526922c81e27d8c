//! Blocks of 32 nibbles.

use super::{Format, GROUP, Group, Lanes, Planes};
use crate::matmul::words::prefetch;
use crate::simd::Simd as _;
use crate::x86::Avx512;

/// Groups from which on rows are computed one after the other.
const FAR: usize = 16;

/// Blocks of `B` bytes: `Q4_0` or `Q4_1`.
pub(super) struct Nibbles<const B: usize>;

impl<const B: usize> Format for Nibbles<B> {
    type Part = Group;

    fn input(planes: &Planes, number: usize) -> &[Group] {
        planes.groups(number)
    }

    fn is_short(parts: usize) -> bool {
        parts < FAR
    }

    #[inline(always)]
    fn dot<const R: usize, const N: usize>(
        s: Avx512,
        rows: &[&[u8]; R],
        inputs: &[&[Group]; N],
    ) -> [[Lanes; R]; N] {
        let mut sums = [[s.splat(0.0); R]; N];
        let rows = rows.map(|row| row.as_chunks::<B>().0.as_chunks::<GROUP>());
        let whole = rows[0].0.len();
        for at in 0..whole {
            let x = inputs.each_ref().map(|input| &input[at]);
            for r in 0..R {
                prefetch(s, &rows[r].0[at]);
                let blocks = s.four_blocks(&rows[r].0[at]);
                for n in 0..N {
                    sums[n][r] = s.add_blocks::<B>(sums[n][r], &blocks, x[n]);
                }
            }
        }
        if !rows[0].1.is_empty() {
            for r in 0..R {
                let blocks = s.some_blocks(rows[r].1);
                for n in 0..N {
                    sums[n][r] = s.add_blocks::<B>(sums[n][r], &blocks, &inputs[n][whole]);
                }
            }
        }
        sums
    }
}
