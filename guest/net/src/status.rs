//! What `/health` and `/metrics` tell. Counts only, never content.

use alloc::format;
use alloc::string::String;

/// The appliance's state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Why it cannot answer any more; `None` while it can.
    pub unhealthy: Option<&'static str>,
    /// Requests being generated.
    pub streams: usize,
    /// Requests waiting for a place.
    pub waiting: usize,
    /// Requests taken since the start.
    pub requests: u64,
    /// Requests refused since the start.
    pub refused: u64,
    /// Tokens of prompts since the start.
    pub prompt_tokens: u64,
    /// Those of them that were computed before.
    pub cached_tokens: u64,
    /// Tokens of answers since the start.
    pub completion_tokens: u64,
    /// Bytes of weights read and checked.
    pub checked_bytes: u64,
}

impl Status {
    /// The text of `/metrics`. Spec: Prometheus text format 0.0.4.
    pub(crate) fn metrics(&self) -> String {
        let lines = [
            ("vial_healthy", "gauge", u64::from(self.unhealthy.is_none())),
            ("vial_streams", "gauge", self.streams as u64),
            ("vial_waiting_requests", "gauge", self.waiting as u64),
            ("vial_requests_total", "counter", self.requests),
            ("vial_refused_requests_total", "counter", self.refused),
            ("vial_prompt_tokens_total", "counter", self.prompt_tokens),
            ("vial_cached_prompt_tokens_total", "counter", self.cached_tokens),
            ("vial_completion_tokens_total", "counter", self.completion_tokens),
            ("vial_checked_weights_bytes_total", "counter", self.checked_bytes),
        ];
        lines.iter().map(|(name, kind, value)| format!("# TYPE {name} {kind}\n{name} {value}\n")).collect()
    }
}
