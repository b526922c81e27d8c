//! Memory for the activations of a pass.

use alloc::vec::Vec;
use vial_tensor::Buffer;

use super::experts::ExpertRoom;
use crate::transformer::config::Config;

/// Activations of a pass, with room for a fixed number of rows.
#[derive(Debug)]
pub(super) struct Room {
    /// Residual stream, and what is normed or mixed of it: `[rows, width]`.
    pub(super) stream: Buffer,
    pub(super) branch: Buffer,
    /// `[rows, query_width]`.
    pub(super) queries: Buffer,
    pub(super) mixed: Buffer,
    /// `[rows, kv_width]`.
    pub(super) keys: Buffer,
    pub(super) values: Buffer,
    /// `[rows, feed_forward]`.
    pub(super) gate: Buffer,
    pub(super) up: Buffer,
    /// One vector of weights, and one of activations before a norm.
    pub(super) vector: Buffer,
    pub(super) before: Buffer,
    pub(super) experts: Option<ExpertRoom>,
    /// `[wanted, vocabulary]`.
    pub(super) logits: Vec<f32>,
}

impl Room {
    pub(super) fn new(config: &Config, max_rows: usize) -> Self {
        let rows = |length: usize| Buffer::new(max_rows * length);
        Self {
            stream: rows(config.width),
            branch: rows(config.width),
            queries: rows(config.query_width()),
            mixed: rows(config.query_width()),
            keys: rows(config.kv_width()),
            values: rows(config.kv_width()),
            gate: rows(config.feed_forward),
            up: rows(config.feed_forward),
            vector: Buffer::new(longest_vector(config)),
            before: Buffer::new(config.width.max(config.query_width())),
            experts: config.routing.map(|routing| ExpertRoom::new(config.width, routing, max_rows)),
            logits: Vec::new(),
        }
    }

    /// Bytes of all of it but the logits.
    pub(super) fn bytes(config: &Config, max_rows: usize) -> u64 {
        let row = 2 * config.width
            + 2 * config.query_width()
            + 2 * config.kv_width()
            + 2 * config.feed_forward
            + config.routing.map_or(0, |routing| ExpertRoom::numbers(config.width, routing));
        let once = longest_vector(config) + config.width.max(config.query_width());
        ((max_rows * row + once) * size_of::<f32>()) as u64
    }
}

/// Norms and biases; that of the output is added where the logits lie.
fn longest_vector(config: &Config) -> usize {
    config.width.max(config.query_width()).max(config.feed_forward)
}
