//! The table of architectures: what each family does in its own way.
//!
//! A family is one row. What its files say for themselves (scales, caps, rotary scaling, biases) is read for every family alike;
//! a row holds what files leave unsaid. Sources: each family's modelling code at Hugging Face, and how llama.cpp reads
//! the same keys and tensors.

use super::config::Pairing;
use alloc::string::String;
use alloc::vec::Vec;

/// What files of one family leave unsaid.
#[derive(Debug, PartialEq)]
pub struct Architecture {
    /// `general.architecture`, and the prefix of its keys.
    pub name: &'static str,
    /// Which elements of a head turn together.
    pub pairing: Pairing,
    /// What stands between the matrices of a feed-forward.
    pub activation: Activation,
    /// Norms of queries and keys.
    pub head_norm: HeadNorm,
    /// Whether attention and feed-forward are normed again before they join the residual stream.
    pub has_post_norms: bool,
    /// Whether query, key and value are one tensor, and gate and up another.
    pub is_fused: bool,
    /// Its feed-forwards.
    pub experts: Experts,
    /// Which layers look at the last tokens only.
    pub window: Window,
    /// Every so many layers, one does not turn by position; 0 for none.
    pub unturned_every: usize,
    /// Defaults of what its files may say.
    pub defaults: Defaults,
}

/// Feed-forward gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x · sigmoid(x)`.
    Silu,
    /// Gelu by its tanh approximation.
    Gelu,
}

/// Norms of queries and keys before they turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadNorm {
    /// None.
    No,
    /// Each head by itself; one weight a head's element.
    EachHead,
    /// All heads as one vector.
    AllHeads,
}

/// Which feed-forwards a family has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Experts {
    /// Dense ones only.
    Never,
    /// Experts where the file names their number; the weights of the chosen ones are made to sum to one.
    Normed,
    /// Experts always, with weights out of the softmax over all.
    AsRouted,
}

/// Sliding windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// A file that asks for one is refused.
    Never,
    /// Every layer, where the file gives a window.
    All,
    /// All layers but the last of each so many, where the file gives a window.
    AllBut {
        /// So many.
        every: usize,
    },
}

/// What holds where a file does not say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Defaults {
    /// Tokens of the window; 0 for none.
    pub window: usize,
    /// Base of the rotary frequencies of layers with a window; 0 for that of the others.
    pub window_base: f64,
    /// Bound of attention scores; 0 for none.
    pub score_cap: f32,
    /// Bound of logits; 0 for none.
    pub logit_cap: f32,
    /// Whether embeddings are multiplied by the root of the width.
    pub scales_embedding: bool,
    /// A model of that many layers scales scores by the width of a head of the stream, not of the keys; 0 for none.
    pub scores_by_width_at: usize,
}

const NO_DEFAULTS: Defaults = Defaults {
    window: 0,
    window_base: 0.0,
    score_cap: 0.0,
    logit_cap: 0.0,
    scales_embedding: false,
    scores_by_width_at: 0,
};

const LLAMA: Architecture = Architecture {
    name: "llama",
    pairing: Pairing::Adjacent,
    activation: Activation::Silu,
    head_norm: HeadNorm::No,
    has_post_norms: false,
    is_fused: false,
    experts: Experts::Normed,
    window: Window::All,
    unturned_every: 0,
    defaults: NO_DEFAULTS,
};

const QWEN2: Architecture = Architecture {
    name: "qwen2",
    pairing: Pairing::Halves,
    experts: Experts::Never,
    window: Window::Never,
    ..LLAMA
};

const QWEN3: Architecture = Architecture { name: "qwen3", head_norm: HeadNorm::EachHead, ..QWEN2 };

const GEMMA2: Architecture = Architecture {
    name: "gemma2",
    activation: Activation::Gelu,
    has_post_norms: true,
    window: Window::AllBut { every: 2 },
    defaults: Defaults {
        window: 4096,
        score_cap: 50.0,
        logit_cap: 30.0,
        scales_embedding: true,
        scores_by_width_at: 46,
        ..NO_DEFAULTS
    },
    ..QWEN2
};

/// Every architecture this engine runs.
pub static ARCHITECTURES: [Architecture; 11] = [
    LLAMA,
    Architecture { name: "mistral3", ..LLAMA },
    QWEN2,
    QWEN3,
    Architecture { name: "qwen3moe", experts: Experts::Normed, ..QWEN3 },
    GEMMA2,
    Architecture {
        name: "gemma3",
        head_norm: HeadNorm::EachHead,
        window: Window::AllBut { every: 6 },
        defaults: Defaults {
            window: 0,
            window_base: 10_000.0,
            score_cap: 0.0,
            logit_cap: 0.0,
            scores_by_width_at: 62,
            ..GEMMA2.defaults
        },
        ..GEMMA2
    },
    Architecture { name: "phi3", is_fused: true, window: Window::All, ..QWEN2 },
    Architecture { name: "granite", window: Window::Never, ..LLAMA },
    Architecture {
        name: "smollm3",
        unturned_every: 4,
        experts: Experts::Never,
        window: Window::Never,
        ..LLAMA
    },
    Architecture { name: "olmoe", head_norm: HeadNorm::AllHeads, experts: Experts::AsRouted, ..QWEN2 },
];

impl Architecture {
    /// The row of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<&'static Self> {
        ARCHITECTURES.iter().find(|architecture| architecture.name == name)
    }

    /// The names of all rows, for messages.
    #[must_use]
    pub fn known() -> String {
        ARCHITECTURES.iter().map(|architecture| architecture.name).collect::<Vec<_>>().join(", ")
    }
}
