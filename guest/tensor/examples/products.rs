//! Speed of one product: `products FORMAT ROWS COLS INPUTS...`.
//!
//! Prints billions of multiplications and additions a second of one cpu, the best of several rounds, and beside it the
//! time of a pass over the weights. Weights are random.
#![expect(clippy::print_stdout, reason = "the figures are the output")]

use core::time::Duration;
use std::time::Instant;

use vial_tensor::{Alone, Buffer, Isa, Matrix, Quant, Team, matmul};

/// Time spent on each number of inputs.
const MEASURED: Duration = Duration::from_millis(600);

fn random(quant: Quant, rows: usize, cols: usize) -> Vec<u8> {
    let mut seed = 7_u64;
    let mut bytes = vec![0; rows * quant.row_bytes(cols).expect("whole blocks")];
    for byte in &mut bytes {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = seed.to_be_bytes()[0] & 0xBB;
    }
    bytes
}

fn main() {
    let mut args = std::env::args().skip(1);
    let name = args.next().expect("FORMAT");
    let quant = Quant::ALL.into_iter().find(|quant| quant.to_string() == name).expect("a known FORMAT");
    let mut numbers = args.map(|arg| arg.parse::<usize>().expect("a number"));
    let (rows, cols) = (numbers.next().expect("ROWS"), numbers.next().expect("COLS"));
    let bytes = random(quant, rows, cols);
    let weights = Matrix::new(quant, rows, cols, &bytes).expect("made for its shape");
    let (team, isa) = (Team::new(1, &Alone), Isa::detect());
    for inputs in numbers {
        let mut x = Buffer::new(inputs * cols);
        for (i, x) in x.iter_mut().enumerate() {
            *x = (i % 17) as f32 / 16.0 - 0.5;
        }
        let mut out = vec![0.0; inputs * rows];
        let (start, mut best) = (Instant::now(), Duration::MAX);
        while start.elapsed() < MEASURED {
            let round = Instant::now();
            matmul(&team, isa, &weights, &x, &mut out);
            best = best.min(round.elapsed());
        }
        let seconds = best.as_secs_f64();
        let rate = (rows * cols * inputs) as f64 / seconds / 1e9;
        println!("{name} {rows}x{cols} inputs {inputs:4}: {rate:6.1} G/s, {:9.1} us", seconds * 1e6);
    }
}
