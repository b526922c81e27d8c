//! Products against sums of dequantised weights in double precision.

use alloc::vec;
use alloc::vec::Vec;

use super::Random;
use super::vectors::VECTORS;
use crate::matmul::WORDS_MAX;
use crate::words::{STRETCH, UNIT, has_shared_scales, has_words};
use crate::{Alone, Isa, Matrix, Product, Quant, Team, dequantize_row, matmul, matmul_shared};

/// Around the sizes of kernels: rows at a time, panels; inputs at a time and where panels begin.
const ROWS: [usize; 9] = [1, 3, 4, 5, 15, 17, 47, 48, 49];
const INPUTS: [usize; 11] = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17];

/// Most by which an element of a product may differ from the exact one, as a part of `Σ |w · x|`.
const ERROR_MAX: f64 = 1e-6;
/// And where activations are words: half a step of 1 / 32,639 of the largest of 256, and nearly as much for the sums of offsets.
const WORD_ERROR_MAX: f64 = 1.0 / 32_767.0;
/// And where both are pairs of BF16 halves: what a pair leaves out, of either, and products of two lower halves.
const HALF_ERROR_MAX: f64 = 3.0 / 65_536.0;
/// Activations that share a scale.
const TOGETHER: usize = UNIT * STRETCH;
/// And besides: a few units of the smallest subnormal float.
const UNDERFLOW_MAX: f64 = 1e-43;

/// Columns of at least one block, around the edges of groups of blocks, of panels, and of floats in 4096 bytes.
fn columns(quant: Quant) -> Vec<usize> {
    match quant.block_elements() {
        1 => vec![1, 15, 16, 17, 31, 33, 255, 256, 257, 767, 768, 769, 1023, 1024, 1025, 2047, 2048, 2049],
        32 => vec![32, 64, 224, 256, 288, 480, 512, 544, 736, 768, 800],
        _ => vec![256, 512, 768, 1024],
    }
}

/// An element of a product in double precision, `Σ |w · x|`, and `Σ |w · t|` where `t` is the largest of 256 activations.
#[derive(Clone, Copy)]
struct Exact {
    value: f64,
    magnitude: f64,
    tops: f64,
}

/// `[n, rows]` from the weights that the reference gives.
fn exact(weights: &Matrix<'_>, x: &[f32]) -> Vec<Exact> {
    let mut row = vec![0.0; weights.cols()];
    let inputs: Vec<_> = x.chunks(weights.cols()).collect();
    let mut out = vec![Exact { value: 0.0, magnitude: 0.0, tops: 0.0 }; inputs.len() * weights.rows()];
    for r in 0..weights.rows() {
        dequantize_row(Isa::PORTABLE, weights.quant(), weights.row(r), &mut row);
        for (n, input) in inputs.iter().enumerate() {
            out[n * weights.rows() + r] = dot(&row, input);
        }
    }
    out
}

fn dot(a: &[f32], b: &[f32]) -> Exact {
    let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
    let tops = a.chunks(TOGETHER).zip(b.chunks(TOGETHER)).map(|(a, b)| {
        let top = b.iter().fold(0.0, |top: f64, b| top.max(f64::from(*b).abs()));
        top * a.iter().map(|a| f64::from(*a).abs()).sum::<f64>()
    });
    Exact { value: products.clone().sum(), magnitude: products.map(f64::abs).sum(), tops: tops.sum() }
}

/// Holds the product by every instruction set against the exact one. Elements out of the range of floats are
/// left out: a sum may pass through infinity and back.
fn check(team: &Team<'_>, weights: &Matrix<'_>, x: &[f32]) {
    let expected = exact(weights, x);
    let inputs = x.len() / weights.cols();
    let word_error = if has_words(weights.quant()) { WORD_ERROR_MAX } else { 0.0 };
    for isa in Isa::supported() {
        let mut out = vec![f32::NAN; expected.len()];
        matmul(team, isa, weights, x, &mut out);
        let by_halves = Some(isa) == Isa::amx() && inputs > WORDS_MAX;
        let (error, word_error) = if by_halves { (HALF_ERROR_MAX, 0.0) } else { (ERROR_MAX, word_error) };
        for (i, (found, Exact { value, magnitude, tops })) in out.iter().zip(&expected).enumerate() {
            let most = magnitude * error + tops * word_error + UNDERFLOW_MAX;
            let is_close = (f64::from(*found) - value).abs() <= most;
            assert!(
                is_close || *magnitude > f64::from(f32::MAX),
                "{weights:?} times {inputs} by {isa}: element {i} is {found}, not {value}"
            );
        }
    }
}

/// Random blocks times random inputs.
fn check_random(team: &Team<'_>, quant: Quant, rows: usize, cols: usize, inputs: usize) {
    let mut random = Random((rows * 1_000_000 + cols * 100 + inputs) as u64);
    let bytes = random.blocks(quant, rows * cols);
    let x = random.floats(inputs * cols);
    check(team, &Matrix::new(quant, rows, cols, &bytes).unwrap(), &x);
}

#[test]
fn products_agree_at_the_edges_of_columns() {
    let team = Team::new(1, &Alone);
    for quant in Quant::ALL {
        for cols in columns(quant) {
            for inputs in [1, 3, 8, 9] {
                check_random(&team, quant, 5, cols, inputs);
            }
        }
    }
}

#[test]
fn products_agree_at_the_edges_of_rows_and_inputs() {
    let team = Team::new(1, &Alone);
    for quant in Quant::ALL {
        let cols = quant.block_elements().max(17);
        for rows in ROWS {
            for inputs in INPUTS {
                check_random(&team, quant, rows, cols, inputs);
            }
        }
    }
}

#[test]
fn products_of_edge_blocks_agree() {
    let team = Team::new(1, &Alone);
    for (quant, blocks, _) in VECTORS {
        let cols = quant.block_elements();
        let weights = Matrix::new(quant, blocks.len() / quant.block_bytes(), cols, blocks).unwrap();
        for inputs in [1, 4, 9] {
            check(&team, &weights, &Random(7).floats(inputs * cols));
        }
    }
}

#[test]
fn a_team_that_cuts_the_inputs_gives_the_same() {
    let team = Team::new(4, &Alone);
    for quant in [Quant::Q8_0, Quant::F16] {
        for inputs in [63, 64, 65, 66, 67, 129, 200] {
            check_random(&team, quant, 50, 64, inputs);
        }
    }
}

/// Every format where tiles of registers are used, around the sizes of panels: rows, and columns where blocks allow it.
#[test]
fn products_of_many_inputs_agree() {
    let team = Team::new(1, &Alone);
    for quant in Quant::ALL {
        let cols = if quant.block_elements() == 1 { 273 } else { 256 + quant.block_elements() };
        for rows in [1, 15, 31, 33, 129] {
            check_random(&team, quant, rows, cols, 33);
        }
    }
    for inputs in [32, 33, 47, 64, 127, 129] {
        check_random(&team, Quant::Q4_K, 33, 512, inputs);
    }
}

/// Bits of the products of `inputs` inputs.
fn bits(isa: Isa, weights: &Matrix<'_>, x: &[f32], inputs: usize) -> Vec<u32> {
    let mut out = vec![f32::NAN; inputs * weights.rows()];
    matmul(&Team::new(1, &Alone), isa, weights, &x[..inputs * weights.cols()], &mut out);
    out.into_iter().map(f32::to_bits).collect()
}

/// Integers that are all as large as they can be, and of one sign.
#[test]
fn the_largest_sums_of_integers_fit() {
    let team = Team::new(1, &Alone);
    let one = [0x00, 0x3C];
    let six = [&[0; 192][..], &[0x80; 16], &one].concat();
    let with_header = |bytes: usize| [&one[..], &[0, 0], &vec![0xFF; bytes - 4]].concat();
    // Nibbles and scales of zero stand for the largest numbers, which are negative.
    let blocks = [
        (Quant::Q2_K, [&[0x0F; 16][..], &[0xFF; 64], &one, &[0, 0]].concat()),
        (Quant::Q3_K, [&[0; 108][..], &one].concat()),
        (Quant::Q4_K, with_header(144)),
        (Quant::Q5_K, with_header(176)),
        (Quant::Q6_K, six),
        (Quant::IQ4_XS, [&one[..], &[0; 134]].concat()),
    ];
    for (quant, block) in blocks {
        let weights = Matrix::new(quant, 1, 256, &block).unwrap();
        for inputs in [1, 2, 5] {
            check(&team, &weights, &vec![1.0; inputs * 256]);
            check(&team, &weights, &vec![-1.0; inputs * 256]);
        }
    }
}

/// What a stream is told must not hang on the streams beside it, nor on whether a draft is checked.
#[test]
fn bits_do_not_depend_on_the_inputs_beside() {
    let (rows, cols) = (51, 9 * 256 + 32);
    for quant in Quant::ALL.into_iter().filter(|quant| has_words(*quant)) {
        let cols = if has_shared_scales(quant) { cols - 32 } else { cols };
        let most = if has_shared_scales(quant) { 75 } else { 32 };
        let mut random = Random(5);
        let (bytes, x) = (random.blocks(quant, rows * cols), random.floats(most * cols));
        let weights = Matrix::new(quant, rows, cols, &bytes).unwrap();
        for isa in Isa::supported().map(Isa::steady) {
            let most = if isa.has_word_panels() { most } else { 32 };
            let all: Vec<u32> = (0..most).flat_map(|n| bits(isa, &weights, &x[n * cols..], 1)).collect();
            for inputs in [2, 3, 4, 5, 6, 7, 9, 15, 16, 17, 31, 32, most] {
                assert!(bits(isa, &weights, &x, inputs) == all[..inputs * rows], "{quant} {isa} {inputs}");
            }
        }
    }
}

/// Not of one alone, where tile registers compute several, but of any of several.
#[test]
fn bits_do_not_depend_on_how_many_are_beside() {
    let (rows, cols, most) = (51, 5 * 256, 32);
    for quant in Quant::ALL.into_iter().filter(|quant| has_words(*quant)) {
        let mut random = Random(6);
        let (bytes, x) = (random.blocks(quant, rows * cols), random.floats(most * cols));
        let weights = Matrix::new(quant, rows, cols, &bytes).unwrap();
        for isa in Isa::supported() {
            let pairs = x.chunks(2 * cols).flat_map(|pair| bits(isa, &weights, pair, 2));
            let all: Vec<u32> = pairs.collect();
            for inputs in [3, 4, 5, 8, 9, 17, most] {
                assert!(bits(isa, &weights, &x, inputs) == all[..inputs * rows], "{quant} {isa} {inputs}");
            }
        }
    }
}

#[test]
fn shared_products_are_those_of_each() {
    let mut random = Random(3);
    let (team, x) = (Team::new(1, &Alone), random.floats(2 * 96));
    let (first, second) = (random.blocks(Quant::Q4_0, 7 * 96), random.blocks(Quant::Q8_0, 9 * 96));
    let first = Matrix::new(Quant::Q4_0, 7, 96, &first).unwrap();
    let second = Matrix::new(Quant::Q8_0, 9, 96, &second).unwrap();
    let (mut a, mut b) = (vec![0.0; 14], vec![0.0; 18]);
    let products = &mut [Product::new(first, &mut a), Product::new(second, &mut b)];
    matmul_shared(&team, Isa::detect(), &x, products);
    let (mut alone_a, mut alone_b) = (vec![0.0; 14], vec![0.0; 18]);
    matmul(&team, Isa::detect(), &first, &x, &mut alone_a);
    matmul(&team, Isa::detect(), &second, &x, &mut alone_b);
    assert_eq!((a, b), (alone_a, alone_b));
}

#[test]
fn parts_of_a_matrix_give_what_the_whole_gives() {
    let mut random = Random(5);
    let (team, rows, cols) = (Team::new(1, &Alone), 101, 512);
    for quant in [Quant::F16, Quant::Q8_0, Quant::Q4_0, Quant::Q4_K] {
        let bytes = random.blocks(quant, rows * cols);
        let row_bytes = bytes.len() / rows;
        let whole = Matrix::new(quant, rows, cols, &bytes).unwrap();
        for (isa, inputs) in Isa::supported().flat_map(|isa| [1, 3, 40].map(|inputs| (isa, inputs))) {
            let x = random.floats(inputs * cols);
            let (mut expected, mut found) = (vec![0.0; inputs * rows], vec![f32::NAN; inputs * rows]);
            matmul(&team, isa, &whole, &x, &mut expected);
            for cut in [0, 1, 48, 49, 100].windows(2).chain([&[100, rows][..]]) {
                let part = &bytes[cut[0] * row_bytes..cut[1] * row_bytes];
                let part = Matrix::new(quant, cut[1] - cut[0], cols, part).unwrap();
                matmul_shared(&team, isa, &x, &mut [Product::part(part, &mut found, rows, cut[0])]);
            }
            assert!(found == expected, "{quant} {isa} {inputs}");
        }
    }
}

#[test]
#[should_panic(expected = "output of 1 inputs, 2 rows")]
fn an_output_of_another_length_is_refused() {
    let weights = Matrix::new(Quant::F32, 2, 1, &[0; 8]).unwrap();
    matmul(&Team::new(1, &Alone), Isa::PORTABLE, &weights, &[1.0], &mut [0.0; 3]);
}
