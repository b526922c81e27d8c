#!/usr/bin/env python3
"""Greedy answers of SmolLM2-135M-Instruct Q4_1 by exact arithmetic: float64, nothing quantised but the weights.

    python3 greedy.py MODEL.gguf greedy.json     computes the tokens and margins of every case anew, in place

Each case has a prompt (`ids`, with its `text` for people), the greedy `tokens` that follow, at most 48, and for each of
them the `margins` between the best logit and the second. Needs numpy and gguf from PyPI.
"""
import json
import sys

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize

NEW_TOKENS = 48


class Exact:
    """One sequence of a llama-architecture model."""

    def __init__(self, path):
        file = GGUFReader(path)
        field = lambda key: file.fields[key].contents()
        self.weights = {t.name: dequantize(t.data, t.tensor_type).astype(np.float64) for t in file.tensors}
        self.layers = field("llama.block_count")
        self.heads = field("llama.attention.head_count")
        self.kv_heads = field("llama.attention.head_count_kv")
        self.epsilon = field("llama.attention.layer_norm_rms_epsilon")
        dim = field("llama.embedding_length") // self.heads
        self.frequencies = field("llama.rope.freq_base") ** (-np.arange(0, dim, 2) / dim)
        self.end = field("tokenizer.ggml.eos_token_id")
        self.clear()

    def clear(self):
        self.cache = [([], []) for _ in range(self.layers)]
        self.position = 0

    def normed(self, x, name):
        return x / np.sqrt(np.mean(x * x) + self.epsilon) * self.weights[name]

    def turned(self, x):
        """Heads `[heads, dim]` turned pair by pair by the position."""
        turn = np.exp(1j * self.position * self.frequencies)
        pairs = (x[:, 0::2] + 1j * x[:, 1::2]) * turn
        return np.stack([pairs.real, pairs.imag], -1).reshape(x.shape)

    def attended(self, layer, h):
        product = lambda part: self.weights[f"blk.{layer}.attn_{part}.weight"] @ h
        queries = self.turned(product("q").reshape(self.heads, -1))
        keys, values = self.cache[layer]
        keys.append(self.turned(product("k").reshape(self.kv_heads, -1)))
        values.append(product("v").reshape(self.kv_heads, -1))
        group = self.heads // self.kv_heads
        all_keys, all_values = np.repeat(np.array(keys), group, 1), np.repeat(np.array(values), group, 1)
        scores = np.einsum("hd,phd->hp", queries, all_keys) / np.sqrt(queries.shape[1])
        weights = np.exp(scores - scores.max(1, keepdims=True))
        mixed = np.einsum("hp,phd->hd", weights / weights.sum(1, keepdims=True), all_values)
        return self.weights[f"blk.{layer}.attn_output.weight"] @ mixed.reshape(-1)

    def logits(self, token):
        """Takes one token in; the logits that follow it."""
        x = self.weights["token_embd.weight"][token].copy()
        for layer in range(self.layers):
            name = f"blk.{layer}."
            x += self.attended(layer, self.normed(x, name + "attn_norm.weight"))
            h = self.normed(x, name + "ffn_norm.weight")
            gate = self.weights[name + "ffn_gate.weight"] @ h
            up = self.weights[name + "ffn_up.weight"] @ h
            x += self.weights[name + "ffn_down.weight"] @ (gate / (1 + np.exp(-gate)) * up)
        self.position += 1
        output = self.weights.get("output.weight", self.weights["token_embd.weight"])
        return output @ self.normed(x, "output_norm.weight")


def answer(model, ids):
    model.clear()
    for token in ids:
        logits = model.logits(token)
    tokens, margins = [], []
    while len(tokens) < NEW_TOKENS:
        second, best = np.argsort(logits)[-2:]
        tokens.append(int(best))
        margins.append(round(float(logits[best] - logits[second]), 4))
        if best == model.end:
            break
        logits = model.logits(best)
    return tokens, margins


def main():
    model, path = Exact(sys.argv[1]), sys.argv[2]
    with open(path) as file:
        listed = json.load(file)
    for case in listed["cases"]:
        case["tokens"], case["margins"] = answer(model, case["ids"])
        print(case["kind"], case["text"][:60], len(case["tokens"]), flush=True)
    cases = ",\n".join(json.dumps(case) for case in listed["cases"])
    with open(path, "w") as file:
        file.write(f'{{"model_sha256": "{listed["model_sha256"]}",\n"cases": [\n{cases}\n]}}\n')


main()
