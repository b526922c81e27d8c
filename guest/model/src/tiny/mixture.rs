//! A small mixture of experts.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{VOCABULARY, floats, ones, quantised, with_tokenizer};
use crate::sample::Random;
use crate::tiny::GgufWriter;

const WIDTH: u64 = 256;
const HEAD: u64 = 64;
const HEADS: u64 = 4;
const KV_HEADS: u64 = 2;
const INNER: u64 = 192;
const EXPERTS: u64 = 32;
const USED: u32 = 4;
const LAYERS: u32 = 4;

/// A Qwen3 mixture of experts with random weights, 79 MB: 4 layers of 32 experts of 590 kB each, of which 4 compute for a token,
/// and the tokens of [`super::llama`]. Matrices are F32 but for the output, which is `Q8_0`.
#[must_use]
pub fn mixture(seed: u64) -> Vec<u8> {
    let mut random = Random::from_seed(seed);
    let mut file = with_tokenizer(metadata());
    for (name, dims) in tensors() {
        let elements = dims.iter().product();
        let bytes = if dims.len() == 1 { ones(elements) } else { floats(&mut random, elements) };
        file = file.tensor(&name, &dims, 0, &bytes);
    }
    let output = quantised(&mut random, WIDTH * VOCABULARY);
    file.tensor("output.weight", &[WIDTH, VOCABULARY], 8, &output).finish()
}

fn metadata() -> GgufWriter {
    let numbers = [
        ("block_count", LAYERS),
        ("context_length", 512),
        ("embedding_length", 256),
        ("feed_forward_length", 192),
        ("expert_feed_forward_length", 192),
        ("expert_count", 32),
        ("expert_used_count", USED),
        ("attention.head_count", 4),
        ("attention.head_count_kv", 2),
        ("attention.key_length", 64),
        ("attention.value_length", 64),
    ];
    let file = GgufWriter::new().string("general.architecture", "qwen3moe").string("general.name", "mixture");
    let file = numbers.iter().fold(file, |file, (key, value)| file.u32(&format!("qwen3moe.{key}"), *value));
    file.f32("qwen3moe.attention.layer_norm_rms_epsilon", 1e-5).f32("qwen3moe.rope.freq_base", 10_000.0)
}

fn tensors() -> Vec<(String, Vec<u64>)> {
    let mut tensors = Vec::new();
    for layer in 0..LAYERS {
        let mut add =
            |part: &str, dims: &[u64]| tensors.push((format!("blk.{layer}.{part}.weight"), dims.to_vec()));
        add("attn_norm", &[WIDTH]);
        add("attn_q", &[WIDTH, HEADS * HEAD]);
        add("attn_k", &[WIDTH, KV_HEADS * HEAD]);
        add("attn_v", &[WIDTH, KV_HEADS * HEAD]);
        add("attn_q_norm", &[HEAD]);
        add("attn_k_norm", &[HEAD]);
        add("attn_output", &[HEADS * HEAD, WIDTH]);
        add("ffn_norm", &[WIDTH]);
        add("ffn_gate_inp", &[WIDTH, EXPERTS]);
        add("ffn_gate_exps", &[WIDTH, INNER, EXPERTS]);
        add("ffn_up_exps", &[WIDTH, INNER, EXPERTS]);
        add("ffn_down_exps", &[INNER, WIDTH, EXPERTS]);
    }
    tensors.push(("token_embd.weight".into(), [WIDTH, VOCABULARY].to_vec()));
    tensors.push(("output_norm.weight".into(), [WIDTH].to_vec()));
    tensors
}
