#!/usr/bin/env python3
"""A GGUF of a well-known shape with seeded random weights: for speed, memory and arithmetic, not for words.

    python3 shape.py {smol135m|llama1b|llama8b|olmoe7b|qwen30b} {F16|Q4_0|Q4_1|Q8_0|...|Q4_K_M} OUT.gguf [--layers N]

Blocks are random bytes with scales that give unit-variance activations; one tensor is in memory at a time. `Q4_K_M` is
llama.cpp's mix: Q4_K, with Q6_K for the output and, in the layers it spends more bits on, for attn_v and ffn_down.
Needs the packages gguf and numpy.
"""
import argparse

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T, GGUFWriter
from gguf.quants import dequantize

SHAPES = {
    "smol135m": dict(layers=30, width=576, inner=1536, heads=9, kv_heads=3, vocabulary=49152, base=10000.0, context=8192),
    "llama1b": dict(layers=22, width=2048, inner=5632, heads=32, kv_heads=4, vocabulary=32000, base=10000.0, context=2048),
    "llama8b": dict(layers=32, width=4096, inner=14336, heads=32, kv_heads=8, vocabulary=128256, base=500000.0, context=8192),
    # OLMoE-1B-7B and Qwen3-30B-A3B: mixtures of experts.
    "olmoe7b": dict(layers=16, width=2048, inner=1024, heads=16, kv_heads=16, vocabulary=50304, base=10000.0, context=4096,
                    architecture="olmoe", experts=64, used=8),
    "qwen30b": dict(layers=48, width=2048, inner=768, heads=32, kv_heads=4, vocabulary=151936, base=1000000.0, context=40960,
                    architecture="qwen3moe", head=128, experts=128, used=8),
}
# Where a block keeps its halves: the scale, and what is taken off.
HALVES = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q4_K: [0, 2], T.Q5_K: [0, 2],
          T.Q6_K: [208], T.Q2_K: [80, 82], T.Q3_K: [108], T.IQ4_NL: [0], T.IQ4_XS: [0]}
PIECE = 1 << 22


def halves(numbers):
    return np.asarray(numbers, np.float16).view(np.uint8).reshape(-1, 2)


class Random:
    """Random blocks of one format."""

    def __init__(self, seed):
        self.rng = np.random.Generator(np.random.SFC64(seed))
        self.deviations = {}

    def raw(self, kind, blocks):
        """Random blocks with scales around one; formats with minima get the middle of their range taken off."""
        size = GGML_QUANT_SIZES[kind][1]
        out = self.rng.integers(0, 256, size=(blocks, size), dtype=np.uint8)
        if kind == T.MXFP4:
            out[:, 0] = self.rng.integers(120, 123, size=blocks)
            return out
        scale = 0.75 + 0.5 * self.rng.random(blocks, dtype=np.float32)
        middle = {T.Q4_1: -7.5, T.Q5_1: -15.5, T.Q4_K: 7.5, T.Q5_K: 15.5, T.Q2_K: 1.5}.get(kind)
        if kind in (T.Q4_K, T.Q5_K):
            # Scales equal minima, six bits each, so that every group has zero mean.
            six = self.rng.integers(16, 64, size=(blocks, 8), dtype=np.uint8)
            low, high = six[:, :4], six[:, 4:]
            packed = low | ((high >> 4) << 6)
            out[:, 4:16] = np.concatenate([packed, packed, (high & 15) | ((high & 15) << 4)], 1)
        if kind == T.Q2_K:
            four = self.rng.integers(4, 16, size=(blocks, 16), dtype=np.uint8)
            out[:, :16] = four | (four << 4)
        for at, factor in zip(HALVES[kind], [1.0, middle]):
            out[:, at:at + 2] = halves(scale * factor)
        return out

    def deviation(self, kind):
        """Standard deviation of what the raw blocks stand for."""
        if kind not in self.deviations:
            self.deviations[kind] = float(dequantize(self.raw(kind, 4096), kind).std())
        return self.deviations[kind]

    def blocks(self, kind, count, deviation):
        if kind == T.F32:
            return (self.rng.standard_normal(count, dtype=np.float32) * deviation).view(np.uint8)
        if kind in (T.F16, T.BF16):
            numbers = self.rng.standard_normal(count, dtype=np.float32) * deviation
            bits = numbers.astype(np.float16).view(np.uint8)
            return bits if kind == T.F16 else (numbers.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
        if kind == T.MXFP4:
            return self.raw(kind, count // 32)
        factor = deviation / self.deviation(kind)
        out = self.raw(kind, count // GGML_QUANT_SIZES[kind][0])
        for at in HALVES[kind]:
            out[:, at:at + 2] = halves(out[:, at:at + 2].copy().view(np.float16).astype(np.float32) * factor)
        return out


# What llama.cpp takes where rows are not whole blocks of 256.
FALLBACKS = {T.Q2_K: T.Q4_0, T.Q3_K: T.Q4_0, T.Q4_K: T.Q5_0, T.Q5_K: T.Q5_1, T.Q6_K: T.Q8_0, T.IQ4_XS: T.IQ4_NL}


def fitting(kind, columns):
    return FALLBACKS[kind] if kind in FALLBACKS and columns % 256 else kind


def spends_more(layer, layers):
    """Layers that llama.cpp's mixes give more bits."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def feed_forward(shape, base, kind):
    width, inner, experts = shape["width"], shape["inner"], shape.get("experts")
    stack, suffix = ((experts,), "_exps") if experts else ((), "")
    if experts:
        yield "ffn_gate_inp", (experts, width), T.F32
    yield f"ffn_gate{suffix}", (*stack, inner, width), base
    yield f"ffn_up{suffix}", (*stack, inner, width), base
    yield f"ffn_down{suffix}", (*stack, width, inner), kind


def tensors(shape, mix):
    """Names, shapes (rows first) and formats; None is F32 ones."""
    width = shape["width"]
    head = shape.get("head", width // shape["heads"])
    heads, kv = head * shape["heads"], head * shape["kv_heads"]
    # OLMoE norms queries and keys whole, Qwen3 by head.
    normed = {"olmoe": (heads, kv), "qwen3moe": (head, head)}.get(shape.get("architecture"))
    base = T.Q4_K if mix == "Q4_K_M" else T[mix]
    more = T.Q6_K if mix == "Q4_K_M" else base
    last = T.Q6_K if mix in ("Q4_0", "Q4_K_M") else base
    yield "token_embd.weight", (shape["vocabulary"], width), fitting(base, width)
    for layer in range(shape["layers"]):
        kind = more if spends_more(layer, shape["layers"]) else base
        for name, dims, form in [
            ("attn_norm", (width,), None), ("attn_q", (heads, width), base), ("attn_k", (kv, width), base),
            ("attn_v", (kv, width), kind), ("attn_output", (width, heads), base), ("ffn_norm", (width,), None),
            *zip(("attn_q_norm", "attn_k_norm"), [(length,) for length in normed or ()], (None, None)),
            *feed_forward(shape, base, kind),
        ]:
            yield f"blk.{layer}.{name}.weight", dims, form and fitting(form, dims[-1])
    yield "output_norm.weight", (width,), None
    yield "output.weight", (shape["vocabulary"], width), fitting(last, width)


def metadata(writer, name, shape):
    writer.add_name(f"Random {name}")
    writer.add_block_count(shape["layers"])
    writer.add_context_length(shape["context"])
    writer.add_embedding_length(shape["width"])
    writer.add_feed_forward_length(shape["inner"])
    writer.add_head_count(shape["heads"])
    writer.add_head_count_kv(shape["kv_heads"])
    head = shape.get("head", shape["width"] // shape["heads"])
    writer.add_rope_dimension_count(head)
    if "head" in shape:
        writer.add_key_length(head)
        writer.add_value_length(head)
    if "experts" in shape:
        writer.add_expert_count(shape["experts"])
        writer.add_expert_used_count(shape["used"])
        writer.add_expert_feed_forward_length(shape["inner"])
    writer.add_rope_freq_base(shape["base"])
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(shape["vocabulary"])


def tokenizer(writer, vocabulary):
    """Byte-level BPE that knows every byte, one merge, and names for the rest."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable} | {byte: chr(256 + at) for at, byte in enumerate(others)}
    tokens = [letters[byte] for byte in range(256)] + ["th", "<|im_start|>", "<|im_end|>"]
    types = [1] * 257 + [3, 3]
    tokens += [f"<unused{at}>" for at in range(len(tokens), vocabulary)]
    types += [1] * (vocabulary - len(types))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(["t h"])
    writer.add_bos_token_id(257)
    writer.add_eos_token_id(258)
    writer.add_add_bos_token(False)
    writer.add_chat_template(
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + "
        "'\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")


def row_bytes(kind, columns):
    elements, size = GGML_QUANT_SIZES[kind]
    return columns // elements * size


def write(name, mix, path, layers=None, seed=1234):
    shape = dict(SHAPES[name])
    shape["layers"] = layers or shape["layers"]
    random, writer, plan = Random(seed), GGUFWriter(path, shape.get("architecture", "llama")), list(tensors(shape, mix))
    metadata(writer, name, shape)
    tokenizer(writer, shape["vocabulary"])
    for tensor, dims, kind in plan:
        if kind in (None, T.F32):
            writer.add_tensor_info(tensor, dims, np.dtype(np.float32), int(np.prod(dims)) * 4)
        elif kind == T.F16:
            writer.add_tensor_info(tensor, dims, np.dtype(np.float16), int(np.prod(dims)) * 2)
        else:
            dims = (*dims[:-1], row_bytes(kind, dims[-1]))
            writer.add_tensor_info(tensor, dims, np.dtype(np.uint8), int(np.prod(dims)), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor, dims, kind in plan:
        deviation = 1.0 if tensor == "token_embd.weight" else float(1.0 / np.sqrt(dims[-1]))
        if kind is None:
            writer.write_tensor_data(np.ones(dims, np.float32))
            continue
        rows, all_rows = max(1, PIECE // dims[-1]), int(np.prod(dims[:-1]))
        pieces = [random.blocks(kind, min(rows, all_rows - at) * dims[-1], deviation).reshape(-1)
                  for at in range(0, all_rows, rows)]
        writer.write_tensor_data(np.concatenate(pieces).reshape(*dims[:-1], -1))
    writer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("mix")
    parser.add_argument("out")
    parser.add_argument("--layers", type=int)
    args = parser.parse_args()
    write(args.shape, args.mix, args.out, args.layers)
