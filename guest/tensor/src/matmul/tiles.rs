//! An output cut into tiles that cpus claim, each tile once.
#![expect(unsafe_code, reason = "hands out disjoint parts of one output to several cpus")]

use core::marker::PhantomData;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};

/// How large tiles are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sizes {
    /// All of so many rows and inputs, but for the ends.
    Same { rows: usize, inputs: usize },
    /// Of all inputs, and the fewer rows the fewer are left: the last cpu is not waited for long, and yet few tiles begin where
    /// no weights have been asked for.
    Shrinking(Shrinking),
}

/// How tiles get smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shrinking {
    /// A tile has one in so many of the rows that are left.
    pub(super) parts: usize,
    /// Rows of other matrices that come after these.
    pub(super) after: usize,
    /// Fewest rows of a tile; others are multiples of it.
    pub(super) least: usize,
    /// Most rows of a tile.
    pub(super) most: usize,
}

impl Shrinking {
    /// Rows of the next tile where `left` are left here.
    fn next(self, left: usize) -> usize {
        let wanted = ((left + self.after) / self.parts).min(self.most).max(self.least);
        wanted.next_multiple_of(self.least).min(left)
    }
}

/// A `[inputs, rows]` output cut into tiles; each is claimed at most once.
///
/// Invariant: tiles are disjoint, and from `start` on lie `inputs` times `rows` floats, each `stride` after the one before,
/// borrowed for `'a`.
pub(super) struct Tiles<'a> {
    start: *mut f32,
    stride: usize,
    rows: usize,
    inputs: usize,
    sizes: Sizes,
    /// Tiles that are claimed where all are of a size, otherwise their rows.
    claimed: AtomicUsize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: the floats are reached only through tiles, which are disjoint and given out once each.
unsafe impl Sync for Tiles<'_> {}

impl<'a> Tiles<'a> {
    /// Cuts columns `columns` of `out`, which is `[inputs, width]`, and which are rows of the weights, into tiles.
    ///
    /// # Panics
    /// If `out` is not `[inputs, width]`, has not all of the columns, or a tile would be empty.
    pub(super) fn new(
        out: &'a mut [f32],
        (width, columns): (usize, Range<usize>),
        inputs: usize,
        sizes: Sizes,
    ) -> Self {
        assert_eq!(Some(out.len()), width.checked_mul(inputs), "output of {inputs} inputs, {width} rows");
        assert!(columns.start <= columns.end && columns.end <= width, "rows {columns:?} of {width}");
        let least = match sizes {
            Sizes::Same { rows, inputs } => rows.min(inputs),
            Sizes::Shrinking(Shrinking { parts, least, most, .. }) => parts.min(least).min(most),
        };
        assert!(least > 0, "empty tiles");
        let (rows, start) = (columns.len(), out.get_mut(columns.start..).unwrap_or_default().as_mut_ptr());
        Self { start, stride: width, rows, inputs, sizes, claimed: AtomicUsize::new(0), borrow: PhantomData }
    }

    /// A tile nobody else has; `None` when all are claimed.
    pub(super) fn claim(&self) -> Option<Tile<'_>> {
        let (rows, inputs) = match self.sizes {
            Sizes::Same { rows, inputs } => self.claim_same(rows, inputs),
            Sizes::Shrinking(sizes) => self.claim_rows(sizes).map(|rows| (rows, 0..self.inputs)),
        }?;
        Some(Tile { start: self.start, stride: self.stride, rows, inputs, borrow: PhantomData })
    }

    fn claim_same(&self, rows: usize, inputs: usize) -> Option<(Range<usize>, Range<usize>)> {
        let slices = self.inputs.div_ceil(inputs);
        let count = self.rows.div_ceil(rows) * slices;
        // Relaxed: only the count matters; inputs and outputs are ordered by the team's gate. A cpu stops at
        // its first refusal, so the counter cannot come round.
        let number = self.claimed.fetch_add(1, Ordering::Relaxed);
        (number < count)
            .then(|| (cut(number / slices, rows, self.rows), cut(number % slices, inputs, self.inputs)))
    }

    fn claim_rows(&self, sizes: Shrinking) -> Option<Range<usize>> {
        // Relaxed: as above.
        let end = |from| Some(from + sizes.next(self.rows.checked_sub(from).filter(|left| *left > 0)?));
        let from = self.claimed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, end).ok()?;
        end(from).map(|end| from..end)
    }
}

/// Piece `number` of `all`.
fn cut(number: usize, piece: usize, all: usize) -> Range<usize> {
    number * piece..all.min((number + 1) * piece)
}

/// Some rows of the outputs of some inputs.
///
/// Holding one proves that nobody else reads or writes these elements.
pub(super) struct Tile<'t> {
    start: *mut f32,
    stride: usize,
    rows: Range<usize>,
    inputs: Range<usize>,
    borrow: PhantomData<&'t mut [f32]>,
}

impl Tile<'_> {
    /// The rows of the matrix.
    pub(super) fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The inputs.
    pub(super) fn inputs(&self) -> Range<usize> {
        self.inputs.clone()
    }

    /// Output elements of `rows` for `input`.
    ///
    /// # Panics
    /// If they are not of this tile.
    #[inline(always)]
    pub(super) fn part(&mut self, input: usize, rows: Range<usize>) -> &mut [f32] {
        assert!(self.inputs.contains(&input), "input {input} of {:?}", self.inputs);
        assert!(
            self.rows.start <= rows.start && rows.end <= self.rows.end,
            "rows {rows:?} of {:?}",
            self.rows
        );
        assert!(rows.start <= rows.end, "rows {rows:?}");
        // SAFETY: input and row are within `[inputs, rows]`, checked above.
        let start = unsafe { self.start.add(input * self.stride + rows.start) };
        // SAFETY: in bounds, checked above; the tile is claimed once and borrowed uniquely here, so no other
        // reference to these elements lives.
        unsafe { core::slice::from_raw_parts_mut(start, rows.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Shrinking, Sizes, Tiles};
    use alloc::vec;
    use alloc::vec::Vec;

    const SAME: Sizes = Sizes::Same { rows: 2, inputs: 3 };
    const SHRINKING: Shrinking = Shrinking { parts: 4, after: 8, least: 4, most: 20 };

    #[test]
    fn every_element_is_in_just_one_tile() {
        let large = Sizes::Shrinking(Shrinking { parts: 1, after: 0, least: 2, most: 9 });
        for sizes in [SAME, Sizes::Shrinking(SHRINKING), large] {
            let mut out = [0.0; 7 * 5];
            let tiles = Tiles::new(&mut out, (5, 0..5), 7, sizes);
            while let Some(mut tile) = tiles.claim() {
                for input in tile.inputs() {
                    for element in tile.part(input, tile.rows()) {
                        *element += 1.0;
                    }
                }
            }
            assert!(tiles.claim().is_none());
            assert_eq!(out, [1.0; 35]);
        }
    }

    #[test]
    fn tiles_shrink_towards_the_end() {
        let mut out = vec![0.0; 61];
        let tiles = Tiles::new(&mut out, (61, 0..61), 1, Sizes::Shrinking(SHRINKING));
        let rows: Vec<usize> = core::iter::from_fn(|| tiles.claim()).map(|tile| tile.rows().len()).collect();
        assert_eq!(rows, [20, 12, 12, 8, 4, 4, 1]);
    }

    #[test]
    fn tiles_of_some_columns_leave_the_others_alone() {
        let mut out = [0.0; 3 * 5];
        let tiles = Tiles::new(&mut out, (5, 1..4), 3, Sizes::Same { rows: 2, inputs: 2 });
        while let Some(mut tile) = tiles.claim() {
            for input in tile.inputs() {
                for row in tile.rows() {
                    tile.part(input, row..row + 1)[0] += (10 * input + row) as f32 + 1.0;
                }
            }
        }
        let rows = [[0.0, 1.0, 2.0, 3.0, 0.0], [0.0, 11.0, 12.0, 13.0, 0.0], [0.0, 21.0, 22.0, 23.0, 0.0]];
        assert_eq!(out.as_chunks().0, rows);
    }

    #[test]
    #[should_panic(expected = "rows 3..6 of 5")]
    fn columns_outside_an_output_are_refused() {
        let _tiles = Tiles::new(&mut [0.0; 5], (5, 3..6), 1, SAME);
    }

    #[test]
    #[should_panic(expected = "rows 0..2 of 2..4")]
    fn a_tile_gives_only_its_own_rows() {
        let mut out = [0.0; 4];
        let tiles = Tiles::new(&mut out, (4, 0..4), 1, SAME);
        let _first = tiles.claim();
        tiles.claim().unwrap().part(0, 0..2);
    }
}
