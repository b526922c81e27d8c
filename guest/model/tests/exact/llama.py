"""Exact arithmetic for a llama-architecture GGUF: float64 throughout, nothing quantised but the weights.

Slow and plain on purpose: it is what the engine's answers are compared with. Needs numpy and gguf (PyPI).
"""
import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize


def metadata(reader, key, default=None):
    field = reader.fields.get(key)
    return default if field is None else field.contents()


class Llama:
    """Weights and one sequence's context."""

    def __init__(self, path):
        reader = GGUFReader(path)
        if metadata(reader, "general.architecture") != "llama":
            raise SystemExit(f"{path}: only the llama architecture is known here")
        get = lambda key, default=None: metadata(reader, f"llama.{key}", default)
        self.weights = {t.name: dequantize(t.data, t.tensor_type).astype(np.float64) for t in reader.tensors}
        self.layers, self.heads = get("block_count"), get("attention.head_count")
        self.kv_heads = get("attention.head_count_kv", self.heads)
        self.head_dim = get("embedding_length") // self.heads
        rope_dims = get("rope.dimension_count", self.head_dim)
        if rope_dims != self.head_dim:
            raise SystemExit(f"{path}: rotates {rope_dims} of {self.head_dim} dimensions, which is not known here")
        self.frequencies = get("rope.freq_base", 10000.0) ** (-np.arange(0, rope_dims, 2) / rope_dims)
        self.epsilon = get("attention.layer_norm_rms_epsilon")
        self.end = metadata(reader, "tokenizer.ggml.eos_token_id")
        self.clear()

    def clear(self):
        """Forgets the context."""
        self.keys = [np.empty((0, self.kv_heads, self.head_dim)) for _ in range(self.layers)]
        self.values = [np.empty((0, self.kv_heads, self.head_dim)) for _ in range(self.layers)]

    def feed(self, ids):
        """Appends tokens to the context; returns logits [len(ids), vocabulary]."""
        first = len(self.keys[0])
        position = np.arange(first, first + len(ids))
        x = self.weights["token_embd.weight"][ids]
        for layer in range(self.layers):
            x = x + self.attention(layer, x, position)
            x = x + self.feed_forward(layer, x)
        head = self.weights.get("output.weight", self.weights["token_embd.weight"])
        return self.norm(x, self.weights["output_norm.weight"]) @ head.T

    def attention(self, layer, x, position):
        of = lambda name: self.weights[f"blk.{layer}.attn_{name}.weight"]
        h = self.norm(x, of("norm"))
        heads = lambda y, count: y.reshape(len(x), count, self.head_dim)
        q = self.rotate(heads(h @ of("q").T, self.heads), position)
        k = self.rotate(heads(h @ of("k").T, self.kv_heads), position)
        self.keys[layer] = np.concatenate([self.keys[layer], k])
        self.values[layer] = np.concatenate([self.values[layer], heads(h @ of("v").T, self.kv_heads)])
        q = q.reshape(len(x), self.kv_heads, self.heads // self.kv_heads, self.head_dim)
        scores = np.einsum("tgrd,sgd->grts", q, self.keys[layer]) / np.sqrt(self.head_dim)
        future = np.arange(len(self.keys[layer]))[None, :] > position[:, None]
        p = softmax(np.where(future, -np.inf, scores))
        mixed = np.einsum("grts,sgd->tgrd", p, self.values[layer])
        return mixed.reshape(len(x), -1) @ of("output").T

    def feed_forward(self, layer, x):
        of = lambda name: self.weights[f"blk.{layer}.ffn_{name}.weight"]
        h = self.norm(x, of("norm"))
        gate = h @ of("gate").T
        return (gate / (1 + np.exp(-gate)) * (h @ of("up").T)) @ of("down").T

    def norm(self, x, weight):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.epsilon) * weight

    def rotate(self, x, position):
        """Rotates adjacent pairs of x [tokens, heads, head_dim]."""
        angle = (position[:, None] * self.frequencies)[:, None]
        even, odd, out = x[..., 0::2], x[..., 1::2], np.empty_like(x)
        out[..., 0::2] = even * np.cos(angle) - odd * np.sin(angle)
        out[..., 1::2] = even * np.sin(angle) + odd * np.cos(angle)
        return out


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))
