#!/usr/bin/env python3
"""Small models of every architecture with seeded random weights, and what llama.cpp computes with them.

    python3 architectures.py generate DIR             writes DIR/NAME.gguf for each variant
    python3 architectures.py record DIR > FILE        llama.cpp's answers at some positions, for tests
    python3 architectures.py compare DIR LOGITS_DIR   mean KL and agreement of LOGITS_DIR/NAME with llama.cpp, as JSON
    python3 architectures.py sequences > FILE         the sequence that is scored

Weights are F32, on which llama.cpp follows exact arithmetic closely. `generate` needs numpy and gguf, `record` and `compare`
need the module llama_cpp too.
"""
import json
import os
import sys

import numpy as np

POSITIONS = 512
IDS = [(i * i * 7 + i * 13 + 5) % 256 for i in range(POSITIONS)]
FROM = 12
VOCABULARY = 300
RECORDED = range(FROM, POSITIONS, 7)
# Tokens whose log-probability is recorded beside the best one's.
PROBES = [1, 77, 200]

LLAMA = dict(arch="llama", layers=3, width=96, heads=4, kv_heads=2, dim=32, inner=160, base=10000.0, keys={})
QWEN2 = LLAMA | dict(arch="qwen2", width=128)
GEMMA2 = LLAMA | dict(arch="gemma2", layers=4, inner=192, post_norms=True, is_tied=True, embedding=0.1,
                      keys={"attention.sliding_window": 48, "attn_logit_softcapping": 5.0, "final_logit_softcapping": 8.0})
# Experts that are close to equally likely change places by rounding: the third's share is small against the chosen ones'.
MOE = dict(experts=6, used=3)
VARIANTS = {
    "llama": LLAMA,
    "llama-tied": LLAMA | dict(is_tied=True, embedding=0.3, kv_heads=1),
    "llama-bias": LLAMA | dict(biases=["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]),
    "llama3": LLAMA | dict(base=500000.0, freqs="llama3"),
    "llama-linear": LLAMA | dict(keys={"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}),
    "llama-yarn": LLAMA | dict(keys={"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0,
                                     "rope.scaling.original_context_length": 128}),
    "mixtral": LLAMA | MOE,
    "mistral3": LLAMA | dict(arch="mistral3", keys={
        "rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 128,
        "rope.scaling.yarn_beta_fast": 16.0, "rope.scaling.yarn_beta_slow": 2.0, "rope.scaling.yarn_log_multiplier": 1.0,
        "attention.temperature_scale": 0.1}),
    "qwen2": QWEN2 | dict(biases=["attn_q", "attn_k", "attn_v"]),
    "qwen3": LLAMA | dict(arch="qwen3", head_norm="each", base=1000000.0, is_tied=True, embedding=0.3),
    "qwen3moe": LLAMA | MOE | dict(arch="qwen3moe", head_norm="each", base=1000000.0, inner=96),
    "gemma2": GEMMA2,
    "gemma3": GEMMA2 | dict(arch="gemma3", layers=7, head_norm="each", base=1000000.0, keys={
        "attention.sliding_window": 48, "rope.scaling.type": "linear", "rope.scaling.factor": 8.0}),
    "phi3": QWEN2 | dict(arch="phi3", is_fused=True),
    "phi3-long": QWEN2 | dict(arch="phi3", is_fused=True, rotated=24, freqs="long", keys={
        "rope.scaling.attn_factor": 1.19, "rope.scaling.original_context_length": 128}),
    "granite": LLAMA | dict(arch="granite", width=128, keys={
        "logit_scale": 0.5, "residual_scale": 0.7, "embedding_scale": 1.5, "attention.scale": 0.2}),
    "smollm3": LLAMA | dict(arch="smollm3", width=128, layers=5),
    "olmoe": QWEN2 | MOE | dict(arch="olmoe", kv_heads=4, head_norm="all", inner=96),
}


class Random:
    """Uniform numbers out of the generator's raw bits, which no version of numpy may change."""

    def __init__(self, seed):
        self.bits = np.random.PCG64(seed)

    def __call__(self, shape, deviation, middle=0.0):
        units = (self.bits.random_raw(int(np.prod(shape))) >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1.0
        return (units * np.sqrt(3.0) * deviation + middle).astype(np.float32).reshape(shape)


def frequency_divisors(shape):
    """Llama 3's rule for contexts of 128, eight times longer; or two lists as Phi has them."""
    dims = shape.get("rotated", shape["dim"])
    turn = shape["base"] ** (-np.arange(0, dims, 2) / dims)
    if shape["freqs"] == "long":
        ramp = np.linspace(0.0, 1.0, dims // 2)
        return {"rope_factors_short": 1.0 + 0.1 * ramp, "rope_factors_long": 1.0 + 7.0 * ramp * ramp}
    length = 2 * np.pi / turn
    smooth = np.clip((128 / length - 1.0) / 3.0, 0.0, 1.0)
    return {"rope_freqs": 1.0 / ((1 - smooth) / 8 + smooth)}


def tensors(shape, random):
    """Names and numbers, rows first."""
    width, inner, dim = shape["width"], shape["inner"], shape["dim"]
    queries, keys = shape["heads"] * dim, shape["kv_heads"] * dim
    matrix = lambda *dims, gain=1.0: random(dims, gain / np.sqrt(dims[-1]))
    norm = lambda length: random((length,), 0.2, 1.0)
    yield "token_embd.weight", random((VOCABULARY, width), shape.get("embedding", 1.0))
    for divisors in [frequency_divisors(shape)] if "freqs" in shape else []:
        for name, numbers in divisors.items():
            yield f"{name}.weight", numbers.astype(np.float32)
    for layer in range(shape["layers"]):
        block = {"attn_norm": norm(width), "ffn_norm": norm(width), "attn_output": matrix(width, queries)}
        if shape.get("is_fused"):
            block["attn_qkv"] = matrix(queries + 2 * keys, width, gain=1.5)
        else:
            block |= {"attn_q": matrix(queries, width, gain=1.5), "attn_k": matrix(keys, width, gain=1.5),
                      "attn_v": matrix(keys, width)}
        if "head_norm" in shape:
            lengths = (dim, dim) if shape["head_norm"] == "each" else (queries, keys)
            block |= {"attn_q_norm": norm(lengths[0]), "attn_k_norm": norm(lengths[1])}
        if shape.get("post_norms"):
            block |= {"post_attention_norm": norm(width), "post_ffw_norm": norm(width)}
        if "experts" in shape:
            count = shape["experts"]
            block |= {"ffn_gate_inp": matrix(count, width, gain=4.0), "ffn_gate_exps": matrix(count, inner, width),
                      "ffn_up_exps": matrix(count, inner, width), "ffn_down_exps": matrix(count, width, inner, gain=3.0)}
        elif shape.get("is_fused"):
            block |= {"ffn_up": matrix(2 * inner, width), "ffn_down": matrix(width, inner, gain=3.0)}
        else:
            block |= {"ffn_gate": matrix(inner, width), "ffn_up": matrix(inner, width),
                      "ffn_down": matrix(width, inner, gain=3.0)}
        for name, numbers in block.items():
            yield f"blk.{layer}.{name}.weight", numbers
        for name in shape.get("biases", []):
            yield f"blk.{layer}.{name}.bias", random((len(block[name]),), 0.3)
    yield "output_norm.weight", norm(width)
    if not shape.get("is_tied"):
        yield "output.weight", matrix(VOCABULARY, width, gain=3.0)


def write(name, path):
    from gguf import GGUFWriter
    shape = VARIANTS[name]
    writer = GGUFWriter(path, shape["arch"])
    prefix = shape["arch"] + "."
    numbers = {"block_count": shape["layers"], "context_length": POSITIONS, "embedding_length": shape["width"],
               "feed_forward_length": shape["inner"], "attention.head_count": shape["heads"],
               "attention.head_count_kv": shape["kv_heads"], "attention.key_length": shape["dim"],
               "attention.value_length": shape["dim"], "rope.dimension_count": shape.get("rotated", shape["dim"])}
    if "experts" in shape:
        numbers |= {"expert_count": shape["experts"], "expert_used_count": shape["used"]}
        if shape["arch"] == "qwen3moe":
            numbers |= {"expert_feed_forward_length": shape["inner"]}
    for key, number in numbers.items():
        writer.add_uint32(prefix + key, number)
    writer.add_float32(prefix + "attention.layer_norm_rms_epsilon", 1e-5)
    writer.add_float32(prefix + "rope.freq_base", shape["base"])
    for key, value in shape["keys"].items():
        add = {str: writer.add_string, int: writer.add_uint32, float: writer.add_float32}[type(value)]
        add(prefix + key, value)
    tokenizer(writer)
    random = Random(list(VARIANTS).index(name) + 1)
    for tensor, numbers in tensors(shape, random):
        writer.add_tensor(tensor, numbers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tokenizer(writer):
    """Byte-level BPE that knows every byte and one merge."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable} | {byte: chr(256 + at) for at, byte in enumerate(others)}
    tokens = [letters[byte] for byte in range(256)] + ["th", "<|im_end|>"]
    tokens += [f"<unused{at}>" for at in range(len(tokens), VOCABULARY)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * 257 + [3] + [1] * (VOCABULARY - 258))
    writer.add_token_merges(["t h"])
    writer.add_bos_token_id(257)
    writer.add_eos_token_id(257)
    writer.add_add_bos_token(False)


def llama_cpp(path):
    """Logits of every position."""
    from llama_cpp import Llama
    # The bindings would put constants of their own over the file's.
    of_the_file = dict(yarn_ext_factor=-1.0, yarn_attn_factor=-1.0, yarn_beta_fast=-1.0, yarn_beta_slow=-1.0)
    model = Llama(path, n_ctx=POSITIONS, n_batch=POSITIONS, n_ubatch=POSITIONS, n_threads=2, logits_all=True, verbose=False,
                  **of_the_file)
    model.eval(IDS)
    return np.array(model.scores[FROM:POSITIONS], np.float64)


def log_softmax(logits):
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def margins(logits):
    top = np.sort(logits, -1)[:, -2:]
    return top[:, 1] - top[:, 0]


def record(folder):
    out = {"ids": IDS, "positions": list(RECORDED), "probes": PROBES, "variants": {}}
    at = [position - FROM for position in RECORDED]
    for name in VARIANTS:
        logits = llama_cpp(f"{folder}/{name}.gguf")[at]
        logs = log_softmax(logits)
        best = logits.argmax(-1)
        out["variants"][name] = {
            "best": best.tolist(), "margins": np.round(margins(logits), 3).tolist(),
            "logs": [[round(float(row[token]), 4) for token in [top, *PROBES]] for row, top in zip(logs, best)]}
    json.dump(out, sys.stdout, separators=(",", ":"))
    print()


def compare(folder, ours):
    out = {}
    for name in VARIANTS:
        theirs = llama_cpp(f"{folder}/{name}.gguf")
        logits = np.fromfile(f"{ours}/{name}", np.float32).astype(np.float64).reshape(theirs.shape)
        p, q = log_softmax(theirs), log_softmax(logits)
        counted = margins(theirs) >= 0.02
        agree = (theirs.argmax(-1) == logits.argmax(-1))[counted]
        out[name] = {"mean_kl": float((np.exp(p) * (p - q)).sum(-1).mean()), "argmax": float(agree.mean()),
                     "counted": int(counted.sum()), "positions": len(theirs),
                     "largest": float(np.abs(theirs - logits).max())}
    print(json.dumps(out))


def main():
    match sys.argv[1:]:
        case ["generate", folder]:
            os.makedirs(folder, exist_ok=True)
            for name in VARIANTS:
                write(name, f"{folder}/{name}.gguf")
        case ["record", folder]:
            record(folder)
        case ["compare", folder, ours]:
            compare(folder, ours)
        case ["sequences"]:
            print(json.dumps([{"ids": IDS, "from": FROM}]))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
