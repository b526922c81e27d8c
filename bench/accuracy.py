#!/usr/bin/env python3
"""How far two engines' next-token distributions are from exact arithmetic: mean KL(exact || engine) in nats.

    python3 accuracy.py MODEL.gguf SEQUENCES.json NAME=LOGITS... [--llama-cpp THREADS]

SEQUENCES.json is a list of {"ids": [...], "from": N}: every position from N on counts. LOGITS holds vial's logits of those
positions, f32, in order (`cargo run --example logits`), made in the way called NAME. Exact is float64 with nothing quantised
but the weights. With --llama-cpp the module llama_cpp scores the same sequences. Prints JSON. Needs numpy and gguf.
"""
import argparse
import json

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize


class Exact:
    """A llama-architecture model in float64; matrices are expanded when they are used."""

    def __init__(self, path):
        self.file = GGUFReader(path)
        self.tensors = {tensor.name: tensor for tensor in self.file.tensors}
        field = lambda name: self.file.fields["llama." + name].contents()
        self.layers, self.heads = field("block_count"), field("attention.head_count")
        self.kv_heads, self.epsilon = field("attention.head_count_kv"), field("attention.layer_norm_rms_epsilon")
        dim = field("embedding_length") // self.heads
        self.frequencies = field("rope.freq_base") ** (-np.arange(0, dim, 2) / dim)

    def weight(self, name):
        tensor = self.tensors[name]
        return dequantize(tensor.data, tensor.tensor_type).astype(np.float64)

    def normed(self, x, name):
        return x / np.sqrt(np.mean(x * x, -1, keepdims=True) + self.epsilon) * self.weight(name)

    def turned(self, x):
        """Heads `[positions, heads, dim]` turned pair by pair."""
        turn = np.exp(1j * np.arange(len(x))[:, None] * self.frequencies)[:, None]
        pairs = (x[..., 0::2] + 1j * x[..., 1::2]) * turn
        return np.stack([pairs.real, pairs.imag], -1).reshape(x.shape)

    def attention(self, q, k, v):
        group = self.heads // self.kv_heads
        k, v = np.repeat(k, group, 1), np.repeat(v, group, 1)
        scores = np.einsum("thd,shd->hts", q, k) / np.sqrt(q.shape[-1])
        scores += np.triu(np.full((len(q), len(q)), -np.inf), 1)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        return np.einsum("hts,shd->thd", weights / weights.sum(-1, keepdims=True), v).reshape(len(q), -1)

    def logits(self, sequences):
        """Logits `[positions, vocabulary]` of each sequence from its first counted position on."""
        embedding = self.weight("token_embd.weight")
        streams = [embedding[sequence["ids"]] for sequence in sequences]
        for layer in range(self.layers):
            get = lambda part: self.weight(f"blk.{layer}.{part}.weight")
            q, k, v, o, gate, up, down = map(
                get, ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"])
            for x in streams:
                h = self.normed(x, f"blk.{layer}.attn_norm.weight")
                split = lambda w, heads: (h @ w.T).reshape(len(h), heads, -1)
                mixed = self.attention(self.turned(split(q, self.heads)), self.turned(split(k, self.kv_heads)),
                                       split(v, self.kv_heads))
                x += mixed @ o.T
                h = self.normed(x, f"blk.{layer}.ffn_norm.weight")
                inner = h @ gate.T
                x += (inner / (1 + np.exp(-inner)) * (h @ up.T)) @ down.T
        output = self.weight("output.weight") if "output.weight" in self.tensors else embedding
        for x, sequence in zip(streams, sequences):
            yield self.normed(x[sequence["from"]:], "output_norm.weight") @ output.T


def log_softmax(x):
    x = x.astype(np.float64)
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


class Distance:
    """Sums up over positions."""

    def __init__(self):
        self.kl, self.agree = [], 0

    def add(self, exact, logits):
        other = log_softmax(logits)
        self.kl += (np.exp(exact) * (exact - other)).sum(-1).tolist()
        self.agree += int((exact.argmax(-1) == other.argmax(-1)).sum())

    def json(self):
        return {"mean_kl": float(np.mean(self.kl)), "max_kl": float(np.max(self.kl)),
                "argmax": self.agree / len(self.kl), "positions": len(self.kl)}


class LlamaCpp:
    def __init__(self, path, threads, context):
        from llama_cpp import Llama
        self.model = Llama(path, n_ctx=context, n_batch=512, n_threads=threads, n_threads_batch=threads,
                           logits_all=True, verbose=False)

    def logits(self, sequence):
        self.model.reset()
        self.model.eval(sequence["ids"])
        return np.array(self.model.scores[sequence["from"]:len(sequence["ids"])])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("sequences")
    parser.add_argument("logits", nargs="+", metavar="NAME=LOGITS")
    parser.add_argument("--llama-cpp", type=int, metavar="THREADS")
    args = parser.parse_args()
    with open(args.sequences) as file:
        sequences = json.load(file)
    longest = max(len(sequence["ids"]) for sequence in sequences)
    peer = LlamaCpp(args.model, args.llama_cpp, longest) if args.llama_cpp else None
    model = Exact(args.model)
    vocabulary = int(model.tensors["token_embd.weight"].shape[1])
    given = {name: np.memmap(path, np.float32, "r").reshape(-1, vocabulary)
             for name, path in (logits.split("=", 1) for logits in args.logits)}
    found, at = {name: Distance() for name in [*given, *(["llama.cpp"] if peer else [])]}, 0
    for sequence, logits in zip(sequences, model.logits(sequences)):
        exact = log_softmax(logits)
        for name, logits in given.items():
            found[name].add(exact, logits[at:at + len(exact)])
        at += len(exact)
        if peer:
            found["llama.cpp"].add(exact, peer.logits(sequence))
    for name, logits in given.items():
        assert at == len(logits), f"found {len(logits)} positions in {name}, expected {at}"
    print(json.dumps({name: distance.json() for name, distance in found.items()}))


main()
