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
use self::tiles::{Tile, Tiles};
use crate::simd::{Op, Simd};
use crate::words::{has_shared_scales, has_words};
use crate::{Isa, Matrix, Quant, Team};

/// Most products that share one input.
pub const PRODUCTS_MAX: usize = 4;

/// Tiles a cpu should find, so that a slow cpu holds up the others little; where a tile begins, weights have not been asked for.
const TILES_PER_CPU: usize = 4;
/// Most rows of one.
const TILE_ROWS_MAX: usize = 4096;
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

    /// Rows and inputs of a tile; `rows`: of all products.
    fn tile(self, cpus: usize, inputs: usize, rows: usize) -> (usize, usize) {
        match self {
            Self::Words | Self::Fused => (tile_rows(cpus, rows, fused::ROWS), inputs.max(1)),
            Self::WordRows | Self::WordPanel | Self::Panel => panel_tile(cpus, inputs, rows),
            #[cfg(target_arch = "x86_64")]
            Self::Planes => (tile_rows(cpus, rows, fused::ROWS), inputs.max(1)),
            #[cfg(target_arch = "x86_64")]
            Self::Bytes => (tile_rows(cpus, rows, bytes::ROWS), inputs.max(1)),
            #[cfg(target_arch = "x86_64")]
            Self::Halves => amx::tile(cpus, inputs, rows),
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
        let rows: usize = products.iter().map(|product| product.weights.rows()).sum();
        let cols = products[0].weights.cols();
        let inputs = x.len() / cols;
        let mut parts = [const { None }; PRODUCTS_MAX];
        for (part, product) in parts.iter_mut().zip(products) {
            let columns = product.columns();
            let Product { weights, out, width, .. } = product;
            assert_eq!(weights.cols(), cols, "products of one input have one width");
            let kernel = Kernel::of(weights.quant(), inputs, form);
            let (tile_rows, tile_inputs) = kernel.tile(cpus, inputs, rows);
            let tiles = Tiles::new(out, (*width, columns), inputs, tile_rows, tile_inputs);
            *part = Some(Part { weights: *weights, tiles, kernel });
        }
        Self { x, form, parts }
    }
}

/// Rows of a tile, a multiple of `side`, where rows follow each other.
fn tile_rows(cpus: usize, rows: usize, side: usize) -> usize {
    rows.div_ceil(cpus * TILES_PER_CPU).next_multiple_of(side).clamp(side, TILE_ROWS_MAX)
}

/// Inputs are cut only when there are too few panels for the cpus: each cut unpacks the rows again.
fn panel_tile(cpus: usize, inputs: usize, rows: usize) -> (usize, usize) {
    let wanted = (cpus * 4).div_ceil(rows.div_ceil(panel::ROWS).max(1));
    let inputs = if cpus == 1 { inputs } else { inputs.div_ceil(wanted).max(64) };
    (panel::ROWS, inputs.next_multiple_of(panel::INPUTS))
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
