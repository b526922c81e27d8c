//! One pass: all layers for one batch of rows.

use alloc::vec;
use alloc::vec::Vec;
use vial_tensor::{
    Buffer, Isa, Product, Team, add, dequantize_row, matmul, matmul_shared, rms_norm, rope_pairs, silu_mul,
    store_f16,
};

use super::angles::Angles;
use super::attention::Attention;
use super::layout::{Layer, Matrix};
use super::scales::{Scales, require_finite};
use super::{PassError, Transformer};
use crate::kv::{Half, KvCache, Sequence};
use crate::weights::Weights;

/// One token of one sequence in a pass.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The token.
    pub token: u32,
    /// Its place in the sequence, from 0; all places before it are in the cache or in this pass before it.
    pub position: usize,
    /// Its sequence; must have room for `position`.
    pub sequence: &'a Sequence,
    /// Whether the logits behind it are wanted.
    pub wants_logits: bool,
}

/// What computes.
#[derive(Clone, Copy, Debug)]
pub struct Engine<'a> {
    /// The cpus.
    pub team: &'a Team<'a>,
    /// Their instruction set.
    pub isa: Isa,
}

/// Activation memory of passes of up to a fixed number of rows.
#[derive(Debug)]
pub struct Pass {
    max_rows: usize,
    angles: Option<Angles>,
    scales: Scales,
    /// Residual stream, and what is normed or mixed of it: `[rows, width]`.
    stream: Buffer,
    branch: Buffer,
    /// `[rows, query_width]`.
    queries: Buffer,
    mixed: Buffer,
    /// `[rows, kv_width]`.
    keys: Buffer,
    values: Buffer,
    /// `[rows, feed_forward]`.
    gate: Buffer,
    up: Buffer,
    /// A norm's weights: `[width]`.
    norm: Buffer,
    /// `[wanted, vocabulary]`.
    logits: Vec<f32>,
}

impl Pass {
    /// Memory for passes of up to `max_rows` rows.
    #[must_use]
    pub fn new(model: &Transformer, max_rows: usize) -> Self {
        let config = &model.config;
        let rows = |length: usize| Buffer::new(max_rows * length);
        Self {
            max_rows,
            angles: None,
            scales: Scales::default(),
            stream: rows(config.width),
            branch: rows(config.width.max(config.query_width())),
            queries: rows(config.query_width()),
            mixed: rows(config.query_width()),
            keys: rows(config.kv_width()),
            values: rows(config.kv_width()),
            gate: rows(config.feed_forward),
            up: rows(config.feed_forward),
            norm: Buffer::new(config.width),
            logits: Vec::new(),
        }
    }

    /// Most rows of a pass.
    #[must_use]
    pub fn max_rows(&self) -> usize {
        self.max_rows
    }

    /// Bytes of activations that [`Self::new`] takes.
    #[must_use]
    pub fn bytes(model: &Transformer, max_rows: usize) -> u64 {
        let config = &model.config;
        let row =
            2 * config.width + 3 * config.query_width() + 2 * config.kv_width() + 2 * config.feed_forward;
        (max_rows * row * size_of::<f32>()) as u64
    }

    /// Runs all layers; gives the logits `[wanted, vocabulary]` of the rows that want them, in order.
    ///
    /// # Errors
    /// Weights that cannot be read, differ or are no numbers, a token outside the vocabulary, logits that are no numbers. The rows'
    /// places in the cache are then undefined, and no logits leave.
    ///
    /// # Panics
    /// If there are no rows or more than [`Self::max_rows`].
    pub fn run(
        &mut self,
        model: &Transformer,
        weights: &mut impl Weights,
        cache: &mut KvCache,
        engine: Engine<'_>,
        rows: &[Row<'_>],
    ) -> Result<&[f32], PassError> {
        assert!((1..=self.max_rows).contains(&rows.len()), "{} rows", rows.len());
        self.set_angles(model, weights, rows)?;
        self.embed(model, weights, engine.isa, rows)?;
        for (at, layer) in model.layout.layers.iter().enumerate() {
            self.scales.require(engine.isa, weights, &layer.matrices())?;
            let mut step = Step { pass: self, model, engine, rows };
            step.attend(at, layer, weights, cache);
            step.feed_forward(layer, weights);
        }
        self.head(model, weights, engine, rows)
    }

    fn set_angles(
        &mut self,
        model: &Transformer,
        weights: &mut impl Weights,
        rows: &[Row<'_>],
    ) -> Result<(), PassError> {
        if self.angles.is_none() {
            let factors = factors(model, weights, &mut self.scales)?;
            self.angles = Some(Angles::new(&model.config.rope, factors.as_deref()));
        }
        if let Some(angles) = &mut self.angles {
            angles.set(rows.iter().map(|row| row.position));
        }
        Ok(())
    }

    fn embed(
        &mut self,
        model: &Transformer,
        weights: &mut impl Weights,
        isa: Isa,
        rows: &[Row<'_>],
    ) -> Result<(), PassError> {
        let (embedding, vocabulary) = (&model.layout.embedding, model.config.vocabulary);
        for (row, out) in rows.iter().zip(self.stream.chunks_mut(model.config.width)) {
            let token = row.token as usize;
            if token >= vocabulary {
                return Err(PassError::Token { token: row.token, vocabulary });
            }
            let range = embedding.row(token);
            require_finite(isa, weights, embedding.kind, range.clone())?;
            dequantize_row(isa, embedding.kind, weights.bytes(range), out);
        }
        Ok(())
    }

    /// Last norm and output of the rows that want logits.
    fn head(
        &mut self,
        model: &Transformer,
        weights: &mut impl Weights,
        Engine { team, isa }: Engine<'_>,
        rows: &[Row<'_>],
    ) -> Result<&[f32], PassError> {
        let (width, vocabulary) = (model.config.width, model.config.vocabulary);
        let layout = &model.layout;
        self.scales.require(isa, weights, &[&layout.output_norm, &layout.output])?;
        read_norm(isa, &layout.output_norm, weights, &mut self.norm);
        let wanted = rows.iter().enumerate().filter(|(_, row)| row.wants_logits);
        let mut count = 0;
        for ((at, _), out) in wanted.zip(self.branch.chunks_mut(width)) {
            rms_norm(isa, &self.stream[at * width..][..width], &self.norm, model.config.epsilon, out);
            count += 1;
        }
        self.logits.resize(count * vocabulary, 0.0);
        if count > 0 {
            matmul(
                team,
                isa,
                &matrix(&layout.output, weights),
                &self.branch[..count * width],
                &mut self.logits,
            );
        }
        match self.logits.iter().position(|logit| !logit.is_finite()) {
            Some(at) => Err(PassError::NotFinite { token: at % vocabulary }),
            None => Ok(&self.logits),
        }
    }
}

/// One layer of a pass, its weights required.
struct Step<'a> {
    pass: &'a mut Pass,
    model: &'a Transformer,
    engine: Engine<'a>,
    rows: &'a [Row<'a>],
}

impl Step<'_> {
    fn attend(&mut self, at: usize, layer: &Layer, weights: &impl Weights, cache: &mut KvCache) {
        let (config, Engine { team, isa }) = (&self.model.config, self.engine);
        let rows = self.rows.len();
        self.norm(&layer.attn_norm, weights);
        let pass = &mut *self.pass;
        let [queries, keys] = [rows * config.query_width(), rows * config.kv_width()];
        let mut products = [
            product(&layer.attn_q, weights, &mut pass.queries[..queries]),
            product(&layer.attn_k, weights, &mut pass.keys[..keys]),
            product(&layer.attn_v, weights, &mut pass.values[..keys]),
        ];
        matmul_shared(team, isa, &pass.branch[..rows * config.width], &mut products);
        self.turn_and_store(at, cache);
        let pass = &mut *self.pass;
        let attention =
            Attention { config, cache, layer: at, rows: self.rows, queries: &pass.queries[..queries] };
        attention.run(team, isa, &mut pass.mixed[..queries]);
        let output = matrix(&layer.attn_output, weights);
        matmul(team, isa, &output, &pass.mixed[..queries], &mut pass.branch[..rows * config.width]);
        self.join();
    }

    /// Turns queries and keys by their positions and writes keys and values to the cache.
    fn turn_and_store(&mut self, layer: usize, cache: &mut KvCache) {
        let (config, isa, dim) = (&self.model.config, self.engine.isa, self.model.config.head_dim);
        #[expect(clippy::cast_precision_loss, reason = "a small count")]
        let scale = 1.0 / libm::sqrtf(dim as f32);
        let Pass { angles: Some(angles), queries, keys, values, .. } = &mut *self.pass else { return };
        let heads = queries.chunks_mut(config.query_width());
        let halves = keys.chunks_mut(config.kv_width()).zip(values.chunks(config.kv_width()));
        for ((at, row), (queries, (keys, values))) in self.rows.iter().enumerate().zip(heads.zip(halves)) {
            let (cos, sin) = angles.row(at);
            rope_pairs(isa, queries, dim, cos, sin);
            rope_pairs(isa, keys, dim, cos, sin);
            queries.iter_mut().for_each(|query| *query *= scale);
            for (half, numbers) in [(Half::Keys, &*keys), (Half::Values, values)] {
                for (head, numbers) in numbers.chunks(dim).enumerate() {
                    store_f16(isa, numbers, cache.slot_mut(row.sequence, row.position, layer, (half, head)));
                }
            }
        }
    }

    fn feed_forward(&mut self, layer: &Layer, weights: &impl Weights) {
        let (config, Engine { team, isa }) = (&self.model.config, self.engine);
        self.norm(&layer.ffn_norm, weights);
        let pass = &mut *self.pass;
        let (width, inner) = (self.rows.len() * config.width, self.rows.len() * config.feed_forward);
        let mut products = [
            product(&layer.ffn_gate, weights, &mut pass.gate[..inner]),
            product(&layer.ffn_up, weights, &mut pass.up[..inner]),
        ];
        matmul_shared(team, isa, &pass.branch[..width], &mut products);
        let (gate, up) = (&pass.gate[..inner], &mut pass.up[..inner]);
        // The product overwrites what it no longer needs, a row at a time through the norm's line of cache.
        gated(isa, gate, up);
        matmul(team, isa, &matrix(&layer.ffn_down, weights), up, &mut pass.branch[..width]);
        self.join();
    }

    /// Norms the residual stream into the branch.
    fn norm(&mut self, norm: &Matrix, weights: &impl Weights) {
        let (width, epsilon, isa) = (self.model.config.width, self.model.config.epsilon, self.engine.isa);
        let pass = &mut *self.pass;
        read_norm(isa, norm, weights, &mut pass.norm);
        let rows = pass.stream.chunks(width).zip(pass.branch.chunks_mut(width));
        for (stream, branch) in rows.take(self.rows.len()) {
            rms_norm(isa, stream, &pass.norm, epsilon, branch);
        }
    }

    /// Adds the branch to the residual stream.
    fn join(&mut self) {
        let len = self.rows.len() * self.model.config.width;
        add(self.engine.isa, &self.pass.branch[..len], &mut self.pass.stream[..len]);
    }
}

/// Replaces `up` by `silu(gate) · up`, in pieces that stay in cache.
fn gated(isa: Isa, gate: &[f32], up: &mut [f32]) {
    let mut piece = [0.0; 256];
    for (gate, up) in gate.chunks(256).zip(up.chunks_mut(256)) {
        let out = &mut piece[..up.len()];
        silu_mul(isa, gate, up, out);
        up.copy_from_slice(out);
    }
}

/// Divisors of the rotary frequencies, where the model has them.
fn factors(
    model: &Transformer,
    weights: &mut impl Weights,
    scales: &mut Scales,
) -> Result<Option<Vec<f32>>, PassError> {
    let Some(factors) = &model.layout.rope_factors else { return Ok(None) };
    scales.require(Isa::PORTABLE, weights, &[factors])?;
    let mut out = vec![0.0; factors.columns];
    read_norm(Isa::PORTABLE, factors, weights, &mut out);
    Ok(Some(out))
}

fn read_norm(isa: Isa, norm: &Matrix, weights: &impl Weights, out: &mut [f32]) {
    dequantize_row(isa, norm.kind, weights.bytes(norm.range.clone()), out);
}

fn product<'a>(from: &Matrix, weights: &'a impl Weights, out: &'a mut [f32]) -> Product<'a> {
    Product { weights: matrix(from, weights), out }
}

/// A checked matrix over required bytes.
///
/// # Panics
/// Never: the layout has the tensor's own shape and range.
fn matrix<'a>(matrix: &Matrix, weights: &'a impl Weights) -> vial_tensor::Matrix<'a> {
    let bytes = weights.bytes(matrix.range.clone());
    #[expect(clippy::expect_used, reason = "the layout was checked against the file's header")]
    vial_tensor::Matrix::new(matrix.kind, matrix.rows, matrix.columns, bytes).expect("a checked shape")
}
