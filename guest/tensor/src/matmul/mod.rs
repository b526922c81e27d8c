//! `W · x`: weights in their file format, activations in f32 or as words; sums in f32.
//!
//! - Few inputs: each block is unpacked in registers and joined with the inputs: as 16-bit integers ([`words`]) where the
//!   format has small integers, as floats ([`fused`]) where it has not. Formats of four to six bits are multiplied as bytes
//!   ([`planes`]) where registers hold 64 of these.
//! - Many inputs: rows are unpacked once into a panel in cache, and a register-blocked product runs over it, of words
//!   ([`word_rows`], [`word_panel`]) where the format has small integers and registers are eight floats wide, otherwise
//!   of floats ([`panel`]).
//!
//! - Where there are tile registers: bytes up to so many inputs that panels of words would not pay off ([`bytes`]), and with
//!   more of them pairs of BF16 halves ([`amx`]).
//!
//! Cpus claim tiles of the outputs; each output element is written by exactly one of them.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod bytes;
mod form;
mod fused;
mod panel;
#[cfg(target_arch = "x86_64")]
mod planes;
mod rows;
mod tiles;
mod word_panel;
mod word_rows;
mod word_sums;
mod words;

use core::ops::Range;

pub(crate) use form::Inputs;
pub(crate) use panel::Scratch;
#[cfg(target_arch = "x86_64")]
pub(crate) use planes::{GROUP, Group, Whole};

use self::form::Form;
use self::tiles::{Shrinking, Sizes, Tile, Tiles};
use crate::simd::{Op, Simd};
use crate::words::{has_shared_scales, has_words};
use crate::{Isa, Matrix, Quant, Team};

/// Most products that share one input.
pub const PRODUCTS_MAX: usize = 4;

/// Fewest bytes of a tile: what its claim costs, and that no weights of it have been asked for, is then little beside it.
const TILE_BYTES_LEAST: usize = 16 << 10;
/// Most bytes of one, so that a cpu that is held up in it does not hold up the others for long.
const TILE_BYTES_MOST: usize = 4 << 20;
/// The same where several inputs are multiplied with it in turn: it stays in second-level cache.
const SHARED_BYTES_MOST: usize = 512 << 10;
/// Most inputs for which unpacking in registers wins.
pub(crate) const FUSED_MAX: usize = 8;
/// The same where they are words with a scale for each unit: a panel of these pays off later.
pub(crate) const WORDS_MAX: usize = 32;

/// One matrix and where its product goes.
#[derive(Debug)]
pub struct Product<'a> {
    weights: Matrix<'a>,
    out: &'a mut [f32],
    width: usize,
    first: usize,
}

impl<'a> Product<'a> {
    /// All rows of a matrix: `weights` `[rows, cols]`, `out` `[n, rows]`, row-major.
    #[must_use]
    pub fn new(weights: Matrix<'a>, out: &'a mut [f32]) -> Self {
        Self { weights, out, width: weights.rows(), first: 0 }
    }

    /// Some rows of a matrix that has `width`, from `first` on: `out` is `[n, width]`, and their places in it are written.
    #[must_use]
    pub fn part(weights: Matrix<'a>, out: &'a mut [f32], width: usize, first: usize) -> Self {
        Self { weights, out, width, first }
    }

    fn columns(&self) -> Range<usize> {
        self.first..self.first.saturating_add(self.weights.rows())
    }
}

/// Writes `out[i] = weights · x[i]` for each of `n` inputs.
///
/// Shapes: `weights` `[rows, cols]`, `x` `[n, cols]`, `out` `[n, rows]`, all row-major. Sums are f32 in at
/// least sixteen parts or in runs of at most 768 columns.
///
/// # Panics
/// If the lengths do not fit these shapes.
pub fn matmul(team: &Team<'_>, isa: Isa, weights: &Matrix<'_>, x: &[f32], out: &mut [f32]) {
    matmul_shared(team, isa, x, &mut [Product::new(*weights, out)]);
}

/// Multiplies several matrices of the same width with the same inputs, in one start of the team.
///
/// Shapes: as in [`matmul`] and [`Product`], for each product.
///
/// # Panics
/// If there are no products or more than [`PRODUCTS_MAX`], or lengths do not fit.
pub fn matmul_shared(team: &Team<'_>, isa: Isa, x: &[f32], products: &mut [Product<'_>]) {
    assert!((1..=PRODUCTS_MAX).contains(&products.len()), "{} products", products.len());
    let cols = products[0].weights.cols();
    assert!(x.len().is_multiple_of(cols), "{} input elements are not rows of {cols}", x.len());
    let inputs = x.len() / cols;
    team.with_inputs(|memory| {
        let form = memory.form(team, isa, (x, cols), products);
        let plan = Plan::new(team.cpus(), x, form, products);
        if inputs > 0 {
            team.run(&|cpu| {
                team.with_scratch(cpu, |scratch| isa.run(Claims { plan: &plan, scratch }));
            });
        }
    });
}

/// How tiles are computed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kernel {
    Words,
    #[cfg(target_arch = "x86_64")]
    Planes,
    WordRows,
    WordPanel,
    Fused,
    Panel,
    #[cfg(target_arch = "x86_64")]
    Bytes,
    #[cfg(target_arch = "x86_64")]
    Halves,
}

impl Kernel {
    /// For `inputs` inputs.
    fn of(quant: Quant, inputs: usize, form: Form<'_>) -> Self {
        #[cfg(target_arch = "x86_64")]
        match form {
            Form::Halves(..) => return Self::Halves,
            Form::Bytes(..) if has_words(quant) => return Self::Bytes,
            Form::Planes(.., planes) if planes.serve(quant) => return Self::Planes,
            _ => {}
        }
        match (form.words().is_some() && has_words(quant), has_shared_scales(quant)) {
            (true, true) if inputs <= words::INPUTS => Self::Words,
            (true, true) => Self::WordRows,
            (true, false) if inputs <= WORDS_MAX => Self::Words,
            (true, false) => Self::WordPanel,
            (false, _) if inputs <= FUSED_MAX => Self::Fused,
            (false, _) => Self::Panel,
        }
    }

    /// How large tiles of product `at` are.
    fn sizes(self, cpus: usize, inputs: usize, products: &[Product<'_>], at: usize) -> Sizes {
        let left = &products[at..];
        match self {
            Self::Words | Self::Fused => shrinking(cpus, inputs, left, fused::ROWS),
            Self::WordRows | Self::WordPanel | Self::Panel => panel_sizes(cpus, inputs, rows_of(products)),
            #[cfg(target_arch = "x86_64")]
            Self::Planes => shrinking(cpus, inputs, left, fused::ROWS),
            // Unpacked once for all inputs.
            #[cfg(target_arch = "x86_64")]
            Self::Bytes => shrinking(cpus, 1, left, bytes::ROWS),
            #[cfg(target_arch = "x86_64")]
            Self::Halves => amx::sizes(cpus, inputs, rows_of(products)),
        }
    }
}

/// One product, cut into tiles.
struct Part<'a> {
    weights: Matrix<'a>,
    tiles: Tiles<'a>,
    kernel: Kernel,
}

/// All tiles of one call.
struct Plan<'a> {
    x: &'a [f32],
    form: Form<'a>,
    parts: [Option<Part<'a>>; PRODUCTS_MAX],
}

impl<'a> Plan<'a> {
    fn new(cpus: usize, x: &'a [f32], form: Form<'a>, products: &'a mut [Product<'_>]) -> Self {
        let cols = products[0].weights.cols();
        let inputs = x.len() / cols;
        let mut sizes = [None; PRODUCTS_MAX];
        for (at, sizes) in sizes.iter_mut().enumerate().take(products.len()) {
            let kernel = Kernel::of(products[at].weights.quant(), inputs, form);
            *sizes = Some((kernel, kernel.sizes(cpus, inputs, products, at)));
        }
        let mut parts = [const { None }; PRODUCTS_MAX];
        for ((part, product), sizes) in parts.iter_mut().zip(products).zip(sizes) {
            let columns = product.columns();
            let Product { weights, out, width, .. } = product;
            assert_eq!(weights.cols(), cols, "products of one input have one width");
            *part = sizes.map(|(kernel, sizes)| {
                let tiles = Tiles::new(out, (*width, columns), inputs, sizes);
                Part { weights: *weights, tiles, kernel }
            });
        }
        Self { x, form, parts }
    }
}

fn rows_of(products: &[Product<'_>]) -> usize {
    products.iter().map(|product| product.weights.rows()).sum()
}

/// Tiles of the first of `left`, their rows a multiple of `side`. Up to `turns` times in turn its weights are read.
fn shrinking(cpus: usize, turns: usize, left: &[Product<'_>], side: usize) -> Sizes {
    let row_bytes = left[0].weights.row_bytes().max(1);
    let most = if turns > 1 { SHARED_BYTES_MOST } else { TILE_BYTES_MOST };
    Sizes::Shrinking(Shrinking {
        parts: cpus,
        after: rows_of(&left[1..]),
        least: (TILE_BYTES_LEAST / row_bytes).next_multiple_of(side).max(side),
        most: (most / row_bytes).max(1),
    })
}

/// Inputs are cut only when there are too few panels for the cpus: each cut unpacks the rows again.
fn panel_sizes(cpus: usize, inputs: usize, rows: usize) -> Sizes {
    let wanted = (cpus * 4).div_ceil(rows.div_ceil(panel::ROWS).max(1));
    let inputs = if cpus == 1 { inputs } else { inputs.div_ceil(wanted).max(64) };
    Sizes::Same { rows: panel::ROWS, inputs: inputs.next_multiple_of(panel::INPUTS) }
}

/// A tile with what it is computed from.
struct Chunk<'t> {
    weights: &'t Matrix<'t>,
    /// All inputs `[n, cols]`.
    x: &'t [f32],
    tile: Tile<'t>,
}

impl<'t> Chunk<'t> {
    #[inline(always)]
    fn input(&self, input: usize) -> &'t [f32] {
        let cols = self.weights.cols();
        &self.x[input * cols..][..cols]
    }
}

/// Computes tiles until none is left.
struct Claims<'p, 'a> {
    plan: &'p Plan<'a>,
    scratch: &'p mut Scratch,
}

impl Op for Claims<'_, '_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for part in self.plan.parts.iter().flatten() {
            while let Some(tile) = part.tiles.claim() {
                let chunk = Chunk { weights: &part.weights, x: self.plan.x, tile };
                match (part.kernel, self.plan.form, self.plan.form.words()) {
                    (Kernel::Words, _, Some(words)) => {
                        words::compute(s.words(), chunk, words, &mut self.scratch.numbers);
                    }
                    (Kernel::WordRows, _, Some(words)) => {
                        word_rows::compute(s.words(), chunk, words, &mut self.scratch.word_rows);
                    }
                    (Kernel::WordPanel, _, Some(words)) => {
                        word_panel::compute(s.words(), chunk, words, &mut self.scratch.words);
                    }
                    #[cfg(target_arch = "x86_64")]
                    (Kernel::Planes, Form::Planes(_, s, planes), _) => planes::compute(s, chunk, planes),
                    #[cfg(target_arch = "x86_64")]
                    (Kernel::Bytes, Form::Bytes(amx, bytes), _) => {
                        bytes::compute(amx, chunk, bytes, &mut self.scratch.bytes);
                    }
                    #[cfg(target_arch = "x86_64")]
                    (Kernel::Halves, Form::Halves(amx, halves), _) => {
                        amx::compute(amx, chunk, halves, &mut self.scratch.amx);
                    }
                    (Kernel::Panel, ..) => panel::compute(s, chunk, self.scratch),
                    _ => fused::compute(s, chunk),
                }
            }
        }
    }
}
