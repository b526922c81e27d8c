//! What `/health` and `/metrics` tell. Counts only, never content.

use alloc::format;
use alloc::string::String;

/// The appliance's state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Why it cannot answer any more; `None` while it can.
    pub unhealthy: Option<&'static str>,
    /// Whether it waits for the key of its weights.
    pub is_locked: bool,
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
    /// Leaves read and checked.
    pub checked_leaves: u64,
    /// Passes of the model.
    pub passes: u64,
    /// Rows of those: tokens of prompts and of answers, and what was drafted.
    pub rows: u64,
    /// Tokens of answers that were told so far.
    pub told: u64,
    /// What they took.
    pub times: Times,
    /// What the disk reads weights into where they are streamed.
    pub window: Window,
    /// Whence experts came.
    pub experts: ExpertHits,
    /// Most bytes of memory that the plan lets be in use.
    pub planned_bytes: u64,
    /// Most bytes of memory that were ever in use.
    pub peak_bytes: u64,
    /// The cache of keys and values.
    pub cache: Cache,
    /// Tokens that were looked up in what was said before.
    pub looked_up: Drafts,
    /// Tokens that the draft model said.
    pub modelled: Drafts,
    /// Counts of tokens are told as multiples of this, rounded down; 0 and 1 tell them as they are.
    pub round_tokens: u64,
}

/// Time of passes in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// All of it.
    pub all_ns: u64,
    /// Waiting for the disk.
    pub disk_ns: u64,
    /// Copying and checking leaves.
    pub check_ns: u64,
}

/// Memory that the disk reads weights into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// All its bytes.
    pub bytes: u64,
    /// Those that wait to be used.
    pub filled_bytes: u64,
}

/// Whence experts came that tokens chose, of a model that is streamed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpertHits {
    /// They were in memory.
    pub memory: u64,
    /// They had to be read.
    pub disk: u64,
}

/// Drafted tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drafts {
    /// Those that were checked.
    pub drafted: u64,
    /// Those of them that were chosen.
    pub right: u64,
}

/// The cache of keys and values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cache {
    /// How it keeps them: a plain word.
    pub kind: &'static str,
    /// All its bytes.
    pub bytes: u64,
    /// All its pages.
    pub pages: usize,
    /// Those of them that no request holds.
    pub free_pages: usize,
}

impl Status {
    /// The text of `/metrics`. Spec: Prometheus text format 0.0.4.
    pub(crate) fn metrics(&self) -> String {
        let rounded = |count: u64| count - count % self.round_tokens.max(1);
        let lines = [
            ("vial_healthy", "gauge", u64::from(self.unhealthy.is_none())),
            ("vial_locked", "gauge", u64::from(self.is_locked)),
            ("vial_streams", "gauge", self.streams as u64),
            ("vial_waiting_requests", "gauge", self.waiting as u64),
            ("vial_requests_total", "counter", self.requests),
            ("vial_refused_requests_total", "counter", self.refused),
            ("vial_prompt_tokens_total", "counter", rounded(self.prompt_tokens)),
            ("vial_cached_prompt_tokens_total", "counter", rounded(self.cached_tokens)),
            ("vial_completion_tokens_total", "counter", rounded(self.completion_tokens)),
            ("vial_checked_weights_bytes_total", "counter", self.checked_bytes),
            ("vial_checked_leaves_total", "counter", self.checked_leaves),
            ("vial_passes_total", "counter", self.passes),
            ("vial_pass_rows_total", "counter", rounded(self.rows)),
            ("vial_told_tokens_total", "counter", rounded(self.told)),
            ("vial_window_bytes", "gauge", self.window.bytes),
            ("vial_window_filled_bytes", "gauge", self.window.filled_bytes),
            ("vial_planned_memory_bytes", "gauge", self.planned_bytes),
            ("vial_peak_memory_bytes", "gauge", self.peak_bytes),
            ("vial_kv_pages", "gauge", self.cache.pages as u64),
            ("vial_kv_free_pages", "gauge", self.cache.free_pages as u64),
        ];
        let line =
            |(name, kind, value): &(&str, &str, u64)| format!("# TYPE {name} {kind}\n{name} {value}\n");
        let cache = format!(
            "# TYPE vial_kv_bytes gauge\nvial_kv_bytes{{kind=\"{}\"}} {}\n",
            self.cache.kind, self.cache.bytes
        );
        let drafted = self.drafts("vial_drafted_tokens_total", |drafts| drafts.drafted);
        let right = self.drafts("vial_right_drafted_tokens_total", |drafts| drafts.right);
        let experts = format!(
            "# TYPE vial_experts_total counter\nvial_experts_total{{from=\"memory\"}} {}\nvial_experts_total{{from=\"disk\"}} {}\n",
            self.experts.memory, self.experts.disk
        );
        lines.iter().map(line).chain([cache, experts, self.seconds(), drafted, right]).collect()
    }

    /// Where passes spend their time.
    fn seconds(&self) -> String {
        let Times { all_ns, disk_ns, check_ns } = self.times;
        let compute_ns = all_ns.saturating_sub(disk_ns + check_ns);
        let name = "vial_pass_seconds_total";
        let line = |(part, ns): (&str, u64)| {
            format!("{name}{{in=\"{part}\"}} {}.{:09}\n", ns / 1_000_000_000, ns % 1_000_000_000)
        };
        let parts = [("disk", disk_ns), ("check", check_ns), ("compute", compute_ns)];
        core::iter::once(format!("# TYPE {name} counter\n")).chain(parts.map(line)).collect()
    }

    fn drafts(&self, name: &str, count: fn(&Drafts) -> u64) -> String {
        let round = self.round_tokens.max(1);
        let rounded = |drafts: &Drafts| count(drafts) - count(drafts) % round;
        let [looked_up, modelled] = [&self.looked_up, &self.modelled].map(rounded);
        format!(
            "# TYPE {name} counter\n{name}{{by=\"lookup\"}} {looked_up}\n{name}{{by=\"model\"}} {modelled}\n"
        )
    }
}
