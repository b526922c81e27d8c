//! Metadata that is refused, and what its neighbours mean.

use alloc::format;
use alloc::string::{String, ToString};

use super::Config;
use crate::gguf::Gguf;
use crate::tiny::GgufWriter;

/// A header with the least keys of an architecture, its heads 8 long, and an embedding of 40 tokens.
fn header(name: &str) -> GgufWriter {
    let key = |part: &str| format!("{name}.{part}");
    GgufWriter::new()
        .string("general.architecture", name)
        .u32(&key("block_count"), 6)
        .u32(&key("context_length"), 512)
        .u32(&key("embedding_length"), 32)
        .u32(&key("feed_forward_length"), 64)
        .u32(&key("attention.head_count"), 4)
        .f32(&key("attention.layer_norm_rms_epsilon"), 1e-5)
        .tensor("token_embd.weight", &[32, 40], 0, &[0; 32 * 40 * 4])
}

fn config(file: GgufWriter) -> Result<Config, String> {
    let bytes = file.finish();
    let gguf = Gguf::parse(&bytes, bytes.len() as u64).unwrap();
    Config::from_gguf(&gguf).map_err(|error| error.to_string())
}

#[test]
fn an_unknown_architecture_is_refused_with_those_known() {
    let error = config(header("mamba")).unwrap_err();
    assert_eq!(
        error,
        "architecture \"mamba\" is not supported, known: llama, mistral3, qwen2, qwen3, qwen3moe, gemma2, gemma3, \
         phi3, granite, smollm3, olmoe"
    );
}

#[test]
fn numbers_out_of_range_are_refused_by_key() {
    let refused = |file: GgufWriter, expected: &str| assert_eq!(config(file).unwrap_err(), expected);
    let llama = || header("llama");
    refused(
        llama().u32("llama.rope.dimension_count", 9),
        "metadata \"llama.rope.dimension_count\" is 9, expected 1 to 8",
    );
    refused(
        llama().u32("llama.rope.dimension_count", 7),
        "metadata \"llama.rope.dimension_count\" is 7, expected an even number",
    );
    refused(
        llama().f32("llama.rope.freq_base", f32::NAN),
        "metadata \"llama.rope.freq_base\" is NaN, expected a finite number",
    );
    refused(
        llama().f32("llama.rope.freq_base", 0.0),
        "metadata \"llama.rope.freq_base\" is 0, expected above 0",
    );
    refused(
        llama().string("llama.rope.scaling.type", "spiral"),
        "metadata \"llama.rope.scaling.type\" is spiral, expected none, linear, longrope or yarn",
    );
    refused(
        llama().f32("llama.attention.scale", -1.0),
        "metadata \"llama.attention.scale\" is -1, expected 0 or above",
    );
    refused(
        llama().u32("llama.attention.head_count_kv", 3),
        "metadata \"llama.attention.head_count_kv\" is 3, expected a divisor of 4",
    );
    refused(
        llama().string("llama.attention.scale", "large"),
        "metadata \"llama.attention.scale\" is missing or is no float",
    );
}

#[test]
fn an_embedding_of_another_size_than_the_vocabulary_is_refused() {
    let tokens = |count| alloc::vec!["a"; count];
    config(header("llama").strings("tokenizer.ggml.tokens", &tokens(40))).unwrap();
    for count in [39, 41] {
        assert_eq!(
            config(header("llama").strings("tokenizer.ggml.tokens", &tokens(count))).unwrap_err(),
            format!("metadata \"token_embd.weight rows\" is 40, expected {count}")
        );
    }
}

#[test]
fn experts_are_refused_where_a_family_has_none_and_where_they_do_not_fit() {
    assert_eq!(
        config(header("qwen2").u32("qwen2.expert_count", 4)).unwrap_err(),
        "metadata \"qwen2.expert_count\" is 4, expected 0 (this architecture has no experts)"
    );
    let experts = |used, gate| {
        let file = header("qwen3moe").u32("qwen3moe.expert_count", 4).u32("qwen3moe.expert_used_count", used);
        config(file.u32("qwen3moe.expert_gating_func", gate).u32("qwen3moe.expert_feed_forward_length", 16))
    };
    let good = experts(2, 1).unwrap();
    let routing = good.routing.unwrap();
    assert_eq!((routing.experts, routing.used, routing.is_normed, good.feed_forward), (4, 2, true, 16));
    assert_eq!(experts(5, 1).unwrap_err(), "metadata \"qwen3moe.expert_used_count\" is 5, expected 1 to 4");
    assert_eq!(
        experts(2, 2).unwrap_err(),
        "metadata \"qwen3moe.expert_gating_func\" is 2, expected 1 (softmax)"
    );
    assert_eq!(
        config(header("olmoe")).unwrap_err(),
        "metadata \"olmoe.expert_count\" is missing or is no integer"
    );
}

#[test]
fn windows_follow_the_family_and_the_file() {
    let windows = |file: GgufWriter| {
        let attending = config(file).unwrap().attending;
        (0..6).map(|layer| attending.window_of(layer).unwrap_or(0)).collect::<alloc::vec::Vec<_>>()
    };
    assert_eq!(windows(header("gemma2")), [4096, 0, 4096, 0, 4096, 0]);
    let gemma3 = || header("gemma3").u32("gemma3.attention.sliding_window", 16);
    assert_eq!(windows(header("gemma3")), [0; 6]);
    assert_eq!(windows(gemma3()), [16, 16, 16, 16, 16, 0]);
    assert_eq!(windows(gemma3().u32("gemma3.attention.sliding_window_pattern", 3)), [16, 16, 0, 16, 16, 0]);
    assert_eq!(windows(header("llama").u32("llama.attention.sliding_window", 9)), [9; 6]);
    assert_eq!(
        config(header("qwen2").u32("qwen2.attention.sliding_window", 9)).unwrap_err(),
        "metadata \"qwen2.attention.sliding_window\" is 9, expected none for this architecture"
    );
}

#[test]
fn a_file_may_take_a_familys_caps_away() {
    let gemma = config(header("gemma2")).unwrap();
    assert_eq!((gemma.attending.score_cap, gemma.scales.logit_cap), (Some(50.0), Some(30.0)));
    assert_eq!(gemma.scales.embedding, libm::sqrtf(32.0));
    let bare = header("gemma2").f32("gemma2.attn_logit_softcapping", 0.0);
    assert_eq!(config(bare).unwrap().attending.score_cap, None);
}

#[test]
fn a_layer_without_turning_comes_every_fourth_time_in_smollm3() {
    let config = config(header("smollm3")).unwrap();
    let turns = (0..6).map(|layer| config.turns(layer)).collect::<alloc::vec::Vec<_>>();
    assert_eq!(turns, [true, true, true, false, true, true]);
}
