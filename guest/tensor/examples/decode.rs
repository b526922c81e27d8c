//! Passes of SmolLM2-135M's shapes over random weights: `decode [TOKENS [CPUS]]`.
//!
//! Prints the rate of decoding one token at a time and of reading a prompt, medians of several rounds. Only
//! the kernels are measured: products, attention over a cache of halves, norms; no sampling, no file.
#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::time::Instant;

use vial_tensor::{
    Buffer, Isa, Matrix, Parker, Product, Quant, Team, add, matmul, matmul_shared, mix_f16, rms_norm,
    rope_pairs, scores_f16, silu_mul, softmax, store_f16,
};

const DIM: usize = 576;
const FFN: usize = 1536;
const LAYERS: usize = 30;
const HEADS: usize = 9;
const SHARED_HEADS: usize = 3;
const HEAD: usize = 64;
const KV: usize = SHARED_HEADS * HEAD;
const VOCAB: usize = 49_152;
/// Positions in the cache while decoding.
const CONTEXT: usize = 128;
const PROMPT: usize = 512;
const ROUNDS: usize = 9;

/// Never sleeps: the measurement is of kernels, not of wake-ups.
struct Spin;

impl Parker for Spin {
    fn park(&self, _cpu: usize) {
        std::thread::yield_now();
    }
    fn wake(&self, _cpu: usize) {}
}

struct Weights {
    quant: Quant,
    rows: usize,
    cols: usize,
    bytes: Vec<u8>,
}

impl Weights {
    /// Random blocks; scales of about a thousandth.
    fn random(quant: Quant, rows: usize, cols: usize, seed: &mut u64) -> Self {
        let row_bytes = quant.row_bytes(cols).expect("whole blocks");
        let mut bytes = vec![0; rows * row_bytes];
        for byte in &mut bytes {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = seed.to_be_bytes()[0];
        }
        let halves = if quant == Quant::Q4_1 { 2 } else { 1 };
        for block in bytes.chunks_mut(quant.block_bytes()) {
            for half in block.chunks_mut(2).take(halves) {
                half[1] = half[1] & 0x83 | 0x14;
            }
        }
        Self { quant, rows, cols, bytes }
    }

    fn matrix(&self) -> Matrix<'_> {
        Matrix::new(self.quant, self.rows, self.cols, &self.bytes).expect("made for its shape")
    }
}

struct Layer {
    query: Weights,
    key: Weights,
    value: Weights,
    output: Weights,
    gate: Weights,
    up: Weights,
    down: Weights,
}

struct Model {
    layers: Vec<Layer>,
    head: Weights,
    norm: Vec<f32>,
}

impl Model {
    fn random() -> Self {
        let mut seed = 7;
        let mut q4 = |rows, cols| Weights::random(Quant::Q4_1, rows, cols, &mut seed);
        let layers = (0..LAYERS)
            .map(|_| Layer {
                query: q4(DIM, DIM),
                key: q4(KV, DIM),
                value: q4(KV, DIM),
                output: q4(DIM, DIM),
                gate: q4(FFN, DIM),
                up: q4(FFN, DIM),
                down: q4(DIM, FFN),
            })
            .collect();
        Self { layers, head: Weights::random(Quant::Q8_0, VOCAB, DIM, &mut seed), norm: vec![1.0; DIM] }
    }
}

/// Activations of `n` positions, and the cache of one layer (shared by all: speed alone counts).
struct State {
    n: usize,
    x: Buffer,
    normed: Buffer,
    query: Buffer,
    key: Buffer,
    value: Buffer,
    mixed: Buffer,
    added: Buffer,
    gate: Buffer,
    up: Buffer,
    logits: Buffer,
    keys: Vec<u16>,
    values: Vec<u16>,
}

impl State {
    fn new(n: usize) -> Self {
        let mut x = Buffer::new(n * DIM);
        for (i, x) in x.iter_mut().enumerate() {
            *x = if i % 3 == 0 { 0.5 } else { -0.25 };
        }
        Self {
            n,
            x,
            normed: Buffer::new(n * DIM),
            query: Buffer::new(n * DIM),
            key: Buffer::new(n * KV),
            value: Buffer::new(n * KV),
            mixed: Buffer::new(n * DIM),
            added: Buffer::new(n * DIM),
            gate: Buffer::new(n * FFN),
            up: Buffer::new(n * FFN),
            logits: Buffer::new(VOCAB),
            keys: vec![0; KV * (CONTEXT + PROMPT)],
            values: vec![0; KV * (CONTEXT + PROMPT)],
        }
    }

    fn pass(&mut self, model: &Model, team: &Team<'_>, isa: Isa, start: usize) {
        for layer in &model.layers {
            self.norm(model, isa);
            self.attend(layer, team, isa, start);
            self.norm(model, isa);
            self.feed_forward(layer, team, isa);
        }
        self.norm(model, isa);
        let last = &self.normed[(self.n - 1) * DIM..];
        matmul(team, isa, &model.head.matrix(), last, &mut self.logits);
    }

    fn norm(&mut self, model: &Model, isa: Isa) {
        for (x, out) in self.x.chunks(DIM).zip(self.normed.chunks_mut(DIM)) {
            rms_norm(isa, x, &model.norm, 1e-5, out);
        }
    }

    fn attend(&mut self, layer: &Layer, team: &Team<'_>, isa: Isa, start: usize) {
        let mut products = [
            Product::new(layer.query.matrix(), &mut self.query),
            Product::new(layer.key.matrix(), &mut self.key),
            Product::new(layer.value.matrix(), &mut self.value),
        ];
        matmul_shared(team, isa, &self.normed, &mut products);
        let angles = [0.6; HEAD / 2];
        rope_pairs(isa, &mut self.query, HEAD, &angles, &angles);
        rope_pairs(isa, &mut self.key, HEAD, &angles, &angles);
        store_f16(isa, &self.key, &mut self.keys[start * KV..][..self.n * KV]);
        store_f16(isa, &self.value, &mut self.values[start * KV..][..self.n * KV]);
        self.mix(isa, start);
        matmul(team, isa, &layer.output.matrix(), &self.mixed, &mut self.added);
        add(isa, &self.added, &mut self.x);
    }

    /// One cpu, one position after another: the engine shares this work by heads.
    fn mix(&mut self, isa: Isa, start: usize) {
        const GROUP: usize = HEADS / SHARED_HEADS;
        self.mixed.fill(0.0);
        let mut scores = vec![0.0; GROUP * (start + self.n)];
        for position in 0..self.n {
            let seen = start + position + 1;
            let scores = &mut scores[..GROUP * seen];
            for head in 0..SHARED_HEADS {
                let at = position * DIM + head * GROUP * HEAD;
                let query = &self.query[at..][..GROUP * HEAD];
                scores_f16(isa, query, HEAD, &self.keys[head * HEAD..], KV, scores);
                for scores in scores.chunks_mut(seen) {
                    softmax(isa, scores);
                }
                let out = &mut self.mixed[at..][..GROUP * HEAD];
                mix_f16(isa, scores, HEAD, &self.values[head * HEAD..], KV, out);
            }
        }
    }

    fn feed_forward(&mut self, layer: &Layer, team: &Team<'_>, isa: Isa) {
        let mut products = [
            Product::new(layer.gate.matrix(), &mut self.gate),
            Product::new(layer.up.matrix(), &mut self.up),
        ];
        matmul_shared(team, isa, &self.normed, &mut products);
        let gate = self.gate.to_vec();
        silu_mul(isa, &gate, &self.up, &mut self.gate);
        matmul(team, isa, &layer.down.matrix(), &self.gate, &mut self.added);
        add(isa, &self.added, &mut self.x);
    }
}

/// The median time of one of `tokens` passes over `rounds`, in seconds.
fn median(rounds: usize, tokens: u32, mut pass: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            (0..tokens).for_each(|_| pass());
            start.elapsed().as_secs_f64() / f64::from(tokens)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[rounds / 2]
}

fn measure(model: &Model, team: &Team<'_>, isa: Isa, tokens: u32) {
    let mut state = State::new(1);
    let decode = median(ROUNDS, tokens, || state.pass(model, team, isa, CONTEXT));
    let mut head = Buffer::new(VOCAB);
    let product =
        median(ROUNDS, tokens, || matmul(team, isa, &model.head.matrix(), &state.normed, &mut head));
    let mut state = State::new(PROMPT);
    let prompt = median(3, 1, || state.pass(model, team, isa, 0)) / PROMPT as f64;
    println!(
        "{isa:>9}: decode {:6.1} tok/s ({:.2} ms, of it output head {:.2} ms), prompt {:6.1} tok/s",
        1.0 / decode,
        decode * 1e3,
        product * 1e3,
        1.0 / prompt
    );
}

fn main() {
    let mut arguments = std::env::args().skip(1).map_while(|number| number.parse::<u16>().ok());
    let tokens = u32::from(arguments.next().unwrap_or(16));
    let cpus = usize::from(arguments.next().unwrap_or(2));
    let model = Model::random();
    let team = Team::new(cpus, &Spin);
    std::thread::scope(|scope| {
        for cpu in 1..cpus {
            let team = &team;
            scope.spawn(move || team.serve(cpu));
        }
        for isa in Isa::supported().skip(1) {
            measure(&model, &team, isa, tokens);
        }
        team.stop();
    });
}
