//! The tensors of one layer.

use alloc::format;
use alloc::string::String;

use super::finder::Finder;
use super::matrix::{Linear, Matrix, Stack};
use crate::transformer::architecture::HeadNorm;
use crate::transformer::config::{Config, Routing};
use crate::transformer::error::ModelError;

/// Tensors of one layer.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Attention.
    pub attention: Attention,
    /// What follows it.
    pub feed_forward: FeedForward,
    /// Norm before the feed-forward.
    pub feed_forward_norm: Matrix,
    /// Norm behind it, where the architecture has one.
    pub feed_forward_post_norm: Option<Matrix>,
}

/// Tensors of attention.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is named as in papers")]
pub struct Attention {
    pub norm: Matrix,
    pub query: Linear,
    pub key: Linear,
    pub value: Linear,
    pub query_norm: Option<Matrix>,
    pub key_norm: Option<Matrix>,
    pub output: Linear,
    pub post_norm: Option<Matrix>,
}

/// A feed-forward.
#[derive(Clone, Debug)]
pub enum FeedForward {
    /// One for all tokens.
    Dense(Gated),
    /// Several, of which a router chooses some for each token.
    Experts(Experts),
}

/// A gated feed-forward: `down · (activation(gate · x) · (up · x))`.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is named as in papers")]
pub struct Gated {
    pub gate: Linear,
    pub up: Linear,
    pub down: Linear,
}

/// Gated feed-forwards of all experts, and their router `[experts, width]`.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is named as in papers")]
pub struct Experts {
    pub router: Matrix,
    pub gate: Stack,
    pub up: Stack,
    pub down: Stack,
}

/// Where the tensors of one layer are looked for.
struct Place<'f, 'a, 'c> {
    find: &'f mut Finder<'a>,
    layer: usize,
    config: &'c Config,
}

impl Layer {
    pub(super) fn find(find: &mut Finder<'_>, layer: usize, config: &Config) -> Result<Self, ModelError> {
        let mut place = Place { find, layer, config };
        Ok(Self {
            attention: place.attention()?,
            feed_forward_norm: place.norm("ffn_norm")?,
            feed_forward: match &config.routing {
                Some(routing) => FeedForward::Experts(place.experts(*routing)?),
                None => FeedForward::Dense(place.gated()?),
            },
            feed_forward_post_norm: place.post_norm("post_ffw_norm")?,
        })
    }

    /// What every pass needs, in the order it uses them: all but the experts.
    pub(crate) fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        let attention = &self.attention;
        let heads = [&attention.query, &attention.key, &attention.value];
        let norms = [&attention.query_norm, &attention.key_norm];
        let gated = match &self.feed_forward {
            FeedForward::Dense(Gated { gate, up, down }) => [Some(gate), Some(up), Some(down)],
            FeedForward::Experts(_) => [None; 3],
        };
        let router = match &self.feed_forward {
            FeedForward::Dense(_) => None,
            FeedForward::Experts(experts) => Some(&experts.router),
        };
        core::iter::once(&attention.norm)
            .chain(heads.into_iter().flat_map(Linear::matrices))
            .chain(norms.into_iter().flatten())
            .chain(attention.output.matrices())
            .chain(&attention.post_norm)
            .chain([&self.feed_forward_norm])
            .chain(router)
            .chain(gated.into_iter().flatten().flat_map(Linear::matrices))
            .chain(&self.feed_forward_post_norm)
    }

    /// Those of them that are vectors: norms and biases.
    pub(crate) fn vectors(&self) -> impl Iterator<Item = &Matrix> {
        self.matrices().filter(|matrix| matrix.rows == 1)
    }

    /// Bytes of all its experts.
    pub(crate) fn expert_bytes(&self) -> u64 {
        match &self.feed_forward {
            FeedForward::Dense(_) => 0,
            FeedForward::Experts(Experts { gate, up, down, .. }) => {
                [gate, up, down].into_iter().map(|stack| stack.all.bytes()).sum()
            }
        }
    }
}

impl Linear {
    /// The matrix and the bias.
    pub(crate) fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        core::iter::once(&self.weight).chain(&self.bias)
    }
}

impl Place<'_, '_, '_> {
    fn name(&self, part: &str) -> String {
        format!("blk.{}.{part}", self.layer)
    }

    fn norm(&mut self, part: &str) -> Result<Matrix, ModelError> {
        let name = self.name(&format!("{part}.weight"));
        self.find.vector(&name, self.config.width)
    }

    fn post_norm(&mut self, part: &str) -> Result<Option<Matrix>, ModelError> {
        self.config.architecture.has_post_norms.then(|| self.norm(part)).transpose()
    }

    fn linear(&mut self, part: &str, rows: usize, columns: usize) -> Result<Linear, ModelError> {
        let weight = self.find.matrix(&self.name(&format!("{part}.weight")), rows, columns)?;
        let bias = self.find.optional_vector(&self.name(&format!("{part}.bias")), rows)?;
        Ok(Linear { weight, bias })
    }

    /// Several matrices that are one tensor, one behind the other.
    fn fused<const N: usize>(
        &mut self,
        part: &str,
        rows: [usize; N],
        columns: usize,
    ) -> Result<[Linear; N], ModelError> {
        let all = self.find.matrix(&self.name(&format!("{part}.weight")), rows.iter().sum(), columns)?;
        let mut start = 0;
        Ok(rows.map(|rows| {
            let weight = all.part(start..start + rows);
            start += rows;
            Linear { weight, bias: None }
        }))
    }

    fn attention(&mut self) -> Result<Attention, ModelError> {
        let (width, [queries, keys]) =
            (self.config.width, [self.config.query_width(), self.config.kv_width()]);
        let norm = self.norm("attn_norm")?;
        let [query, key, value] = if self.config.architecture.is_fused {
            self.fused("attn_qkv", [queries, keys, keys], width)?
        } else {
            let [query, key] = [self.linear("attn_q", queries, width)?, self.linear("attn_k", keys, width)?];
            [query, key, self.linear("attn_v", keys, width)?]
        };
        Ok(Attention {
            norm,
            query,
            key,
            value,
            query_norm: self.head_norm("attn_q_norm.weight", queries)?,
            key_norm: self.head_norm("attn_k_norm.weight", keys)?,
            output: self.linear("attn_output", width, queries)?,
            post_norm: self.post_norm("post_attention_norm")?,
        })
    }

    fn head_norm(&mut self, part: &str, all_heads: usize) -> Result<Option<Matrix>, ModelError> {
        let length = match self.config.architecture.head_norm {
            HeadNorm::No => return Ok(None),
            HeadNorm::EachHead => self.config.head_dim,
            HeadNorm::AllHeads => all_heads,
        };
        self.find.vector(&self.name(part), length).map(Some)
    }

    fn gated(&mut self) -> Result<Gated, ModelError> {
        let (width, inner) = (self.config.width, self.config.feed_forward);
        let [gate, up] = if self.config.architecture.is_fused {
            self.fused("ffn_up", [inner, inner], width)?
        } else {
            [self.linear("ffn_gate", inner, width)?, self.linear("ffn_up", inner, width)?]
        };
        Ok(Gated { gate, up, down: self.linear("ffn_down", width, inner)? })
    }

    fn experts(&mut self, Routing { experts, .. }: Routing) -> Result<Experts, ModelError> {
        let (width, inner) = (self.config.width, self.config.feed_forward);
        let router = self.find.matrix(&self.name("ffn_gate_inp.weight"), experts, width)?;
        Ok(Experts {
            router,
            gate: self.find.stack(&self.name("ffn_gate_exps.weight"), [experts, inner, width])?,
            up: self.find.stack(&self.name("ffn_up_exps.weight"), [experts, inner, width])?,
            down: self.find.stack(&self.name("ffn_down_exps.weight"), [experts, width, inner])?,
        })
    }
}
