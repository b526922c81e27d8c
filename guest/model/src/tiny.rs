//! Small GGUF files made in memory: fixtures for tests and benches, here and in other crates.

mod mixture;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

pub use self::mixture::mixture;
use crate::sample::Random;

/// Shape of [`llama`]: elements of the residual stream, keys and values, feed-forward, vocabulary, layers.
const WIDTH: u64 = 32;
const KV_WIDTH: u64 = 16;
const FEED_FORWARD: u64 = 64;
const VOCABULARY: u64 = 288;
const LAYERS: u32 = 2;

/// A llama model with random weights: 2 layers, 4 heads of 8, 2 key heads, 288 tokens, a context of 512.
///
/// Matrices are F32 but for the output, which is Q8_0. Its tokenizer knows every byte and a
/// few words; its chat template is ChatML.
#[must_use]
pub fn llama(seed: u64) -> Vec<u8> {
    llama_without(seed, "").finish()
}

/// As [`llama`], unfinished and without the tensor of that name.
#[must_use]
pub fn llama_without(seed: u64, left_out: &str) -> GgufWriter {
    let mut random = Random::from_seed(seed);
    let mut file = llama_metadata();
    for (name, dims) in llama_tensors() {
        let elements = dims.iter().product();
        let bytes = if dims.len() == 1 { ones(elements) } else { floats(&mut random, elements) };
        if name != left_out {
            file = file.tensor(&name, &dims, 0, &bytes);
        }
    }
    let output = quantised(&mut random, WIDTH * VOCABULARY);
    if left_out == "output.weight" {
        file
    } else {
        file.tensor("output.weight", &[WIDTH, VOCABULARY], 8, &output)
    }
}

fn llama_metadata() -> GgufWriter {
    let file = GgufWriter::new()
        .string("general.architecture", "llama")
        .u32("llama.block_count", LAYERS)
        .u32("llama.context_length", 512)
        .u32("llama.embedding_length", 32)
        .u32("llama.feed_forward_length", 64)
        .u32("llama.attention.head_count", 4)
        .u32("llama.attention.head_count_kv", 2)
        .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
        .f32("llama.rope.freq_base", 10_000.0)
        .string("general.name", "tiny");
    with_tokenizer(file)
}

/// Every byte, a few words, control tokens, and ChatML.
fn with_tokenizer(file: GgufWriter) -> GgufWriter {
    let tokens = tokens();
    let texts: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let types: Vec<i32> = (0..288).map(|at| if at < 256 + 2 { 1 } else { 3 }).collect();
    file.string("tokenizer.ggml.model", "gpt2")
        .string("tokenizer.ggml.pre", "smollm")
        .strings("tokenizer.ggml.tokens", &texts)
        .i32s("tokenizer.ggml.token_type", &types)
        .strings("tokenizer.ggml.merges", &["t h", "th e"])
        .u32("tokenizer.ggml.eos_token_id", 259)
        .string("tokenizer.chat_template", CHAT_TEMPLATE)
}

/// A tokenizer alone, unfinished: every byte, then these control tokens.
#[must_use]
pub fn vocabulary(controls: &[&str]) -> GgufWriter {
    let bytes: Vec<String> = (0..=u8::MAX).map(|byte| crate::tokenizer::character(byte).into()).collect();
    let texts: Vec<&str> = bytes.iter().map(String::as_str).chain(controls.iter().copied()).collect();
    let kinds: Vec<i32> = (0..texts.len()).map(|at| if at < bytes.len() { 1 } else { 3 }).collect();
    GgufWriter::new()
        .string("tokenizer.ggml.model", "gpt2")
        .string("tokenizer.ggml.pre", "gpt-2")
        .strings("tokenizer.ggml.tokens", &texts)
        .i32s("tokenizer.ggml.token_type", &kinds)
        .strings("tokenizer.ggml.merges", &[])
}

/// ChatML, as SmolLM2 writes it.
const CHAT_TEMPLATE: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + \
    message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// Every byte, two words, and control tokens.
fn tokens() -> Vec<String> {
    let bytes = (0..=u8::MAX).map(|byte| crate::tokenizer::character(byte).into());
    let words = ["th", "the", "<|im_start|>", "<|im_end|>"].map(String::from);
    let unused = (260..288).map(|at| format!("<|unused {at}|>"));
    bytes.chain(words).chain(unused).collect()
}

fn llama_tensors() -> Vec<(String, Vec<u64>)> {
    let mut tensors = Vec::new();
    for layer in 0..LAYERS {
        let mut add =
            |part: &str, dims: &[u64]| tensors.push((format!("blk.{layer}.{part}.weight"), dims.to_vec()));
        add("attn_norm", &[WIDTH]);
        add("attn_q", &[WIDTH, WIDTH]);
        add("attn_k", &[WIDTH, KV_WIDTH]);
        add("attn_v", &[WIDTH, KV_WIDTH]);
        add("attn_output", &[WIDTH, WIDTH]);
        add("ffn_norm", &[WIDTH]);
        add("ffn_gate", &[WIDTH, FEED_FORWARD]);
        add("ffn_up", &[WIDTH, FEED_FORWARD]);
        add("ffn_down", &[FEED_FORWARD, WIDTH]);
    }
    tensors.push(("token_embd.weight".into(), [WIDTH, VOCABULARY].to_vec()));
    tensors.push(("output_norm.weight".into(), [WIDTH].to_vec()));
    tensors
}

fn ones(elements: u64) -> Vec<u8> {
    (0..elements).flat_map(|_| 1.0_f32.to_le_bytes()).collect()
}

/// Even random numbers between -0.5 and 0.5.
fn floats(random: &mut Random, elements: u64) -> Vec<u8> {
    #[expect(clippy::cast_possible_truncation, reason = "random numbers lose nothing by rounding")]
    let number = |unit: f64| (unit - 0.5) as f32;
    (0..elements).flat_map(|_| number(random.next_unit()).to_le_bytes()).collect()
}

/// `Q8_0` blocks: a scale of 2^-7 (half-precision 0x2000) and 32 random bytes.
fn quantised(random: &mut Random, elements: u64) -> Vec<u8> {
    let mut blocks = Vec::new();
    for _ in 0..elements / 32 {
        blocks.extend([0x00, 0x20]);
        blocks.extend((0..4).flat_map(|_| random.next_u64().to_le_bytes()));
    }
    blocks
}

/// The config of [`llama`].
#[cfg(test)]
pub(crate) fn config() -> crate::transformer::Config {
    let bytes = llama(1);
    let gguf = crate::gguf::Gguf::parse(&bytes, bytes.len() as u64).unwrap();
    crate::transformer::Config::from_gguf(&gguf).unwrap()
}

/// Bytes of a GGUF file in the making. Entries appear in the order they are added.
#[derive(Clone, Debug, Default)]
pub struct GgufWriter {
    metadata: Vec<u8>,
    metadata_count: u64,
    infos: Vec<u8>,
    tensor_count: u64,
    data: Vec<u8>,
}

/// Alignment of what this writer makes.
const ALIGNMENT: usize = 32;

impl GgufWriter {
    /// An empty file.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a metadata entry whose value is already encoded after its type number.
    #[must_use]
    pub fn raw(mut self, key: &str, kind: u32, value: &[u8]) -> Self {
        put_string(&mut self.metadata, key);
        self.metadata.extend(kind.to_le_bytes());
        self.metadata.extend(value);
        self.metadata_count += 1;
        self
    }

    /// Adds a 32-bit unsigned integer.
    #[must_use]
    pub fn u32(self, key: &str, value: u32) -> Self {
        self.raw(key, 4, &value.to_le_bytes())
    }

    /// Adds a 32-bit float.
    #[must_use]
    pub fn f32(self, key: &str, value: f32) -> Self {
        self.raw(key, 6, &value.to_le_bytes())
    }

    /// Adds a boolean.
    #[must_use]
    pub fn bool(self, key: &str, value: bool) -> Self {
        self.raw(key, 7, &[value.into()])
    }

    /// Adds a string.
    #[must_use]
    pub fn string(self, key: &str, value: &str) -> Self {
        let mut bytes = Vec::new();
        put_string(&mut bytes, value);
        self.raw(key, 8, &bytes)
    }

    /// Adds an array of strings.
    #[must_use]
    pub fn strings(self, key: &str, values: &[&str]) -> Self {
        let mut bytes = array_head(8, values.len());
        for value in values {
            put_string(&mut bytes, value);
        }
        self.raw(key, 9, &bytes)
    }

    /// Adds an array of 32-bit integers.
    #[must_use]
    pub fn i32s(self, key: &str, values: &[i32]) -> Self {
        let mut bytes = array_head(5, values.len());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self.raw(key, 9, &bytes)
    }

    /// Adds a tensor of that ggml type at the next aligned offset; `dims` with the contiguous one first.
    #[must_use]
    pub fn tensor(mut self, name: &str, dims: &[u64], kind: u32, bytes: &[u8]) -> Self {
        self.data.resize(self.data.len().next_multiple_of(ALIGNMENT), 0);
        let offset = self.data.len() as u64;
        self.data.extend(bytes);
        self.info(name, dims, kind, offset)
    }

    /// Adds a tensor's info alone, for files that must be refused.
    #[must_use]
    pub fn info(mut self, name: &str, dims: &[u64], kind: u32, offset: u64) -> Self {
        put_string(&mut self.infos, name);
        let count = u32::try_from(dims.len()).unwrap_or(u32::MAX);
        self.infos.extend(count.to_le_bytes());
        self.infos.extend(dims.iter().flat_map(|dim| dim.to_le_bytes()));
        self.infos.extend(kind.to_le_bytes());
        self.infos.extend(offset.to_le_bytes());
        self.tensor_count += 1;
        self
    }

    /// The file's bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let mut file = b"GGUF\x03\0\0\0".to_vec();
        file.extend(self.tensor_count.to_le_bytes());
        file.extend(self.metadata_count.to_le_bytes());
        file.extend(self.metadata);
        file.extend(self.infos);
        file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
        file.extend(self.data);
        file
    }
}

fn array_head(kind: u32, items: usize) -> Vec<u8> {
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend((items as u64).to_le_bytes());
    bytes
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}
