#!/usr/bin/env python3
"""Makes expected.json: exact greedy continuations of 28 prompts, with the margin of each step.

    python3 make.py MODEL.gguf > expected.json

Needs numpy, gguf and tokenizers (PyPI). The tokenizer is built from the file's own vocabulary and merges,
so the prompts' ids come from a tool that is not ours.
"""
import hashlib
import json
import sys

import numpy as np
from gguf import GGUFReader
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

from llama import Llama, metadata

NEW_TOKENS = 48
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
RAW = [
    "Once upon a time, in a small village by the sea,",
    "The capital of France is",
    "Water boils at a temperature of",
    "def fibonacci(n):\n    ",
    "In 1969, the first humans",
    "The three primary colours are",
    "To make a good cup of tea, you should",
    "Photosynthesis is the process by which",
    "SELECT name, age FROM users WHERE",
    "Dear Sir or Madam,\n\nI am writing to",
    "The quick brown fox",
    "1, 2, 3, 4, 5, 6,",
    "Die Hauptstadt von Deutschland ist",
    "A computer is made of several parts:",
]
CHAT = [
    "What is the capital of France?",
    "Write a short poem about the moon.",
    "Explain gravity to a child.",
    "List three fruits that are red.",
    "How do I boil an egg?",
    "What is 12 plus 30?",
    "Who wrote Romeo and Juliet?",
    "Give me a name for a black cat and say why.",
    "What is a hash function?",
    "Write a Python function that reverses a string.",
    "Why is the sky blue?",
    "Tell me a joke about computers.",
    "What should I pack for a trip to the mountains?",
    "Translate 'good morning' into Spanish.",
]


def byte_level_bpe(reader):
    """Byte-level BPE with single digits, which is what `tokenizer.ggml.pre` = smollm names."""
    if metadata(reader, "tokenizer.ggml.pre") != "smollm":
        raise SystemExit("only the smollm pre-tokenizer is known here")
    tokens = metadata(reader, "tokenizer.ggml.tokens")
    merges = [tuple(m.split(" ")) for m in metadata(reader, "tokenizer.ggml.merges")]
    bpe = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    steps = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    bpe.pre_tokenizer = pre_tokenizers.Sequence(steps)
    kinds = metadata(reader, "tokenizer.ggml.token_type")
    bpe.add_special_tokens([AddedToken(t, special=True) for t, kind in zip(tokens, kinds) if kind == 3])
    return bpe


def chat(question):
    turns = [("system", SYSTEM), ("user", question)]
    return "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in turns) + "<|im_start|>assistant\n"


def greedy(model, ids):
    """The arg-max continuation and, for each step, the distance to the second best logit."""
    model.clear()
    logits, tokens, margins = model.feed(ids)[-1], [], []
    while len(tokens) < NEW_TOKENS:
        second, first = np.partition(logits, -2)[-2:]
        tokens.append(int(logits.argmax()))
        margins.append(round(float(first - second), 4))
        if tokens[-1] == model.end:
            break
        logits = model.feed(tokens[-1:])[-1]
    return {"tokens": tokens, "margins": margins}


def main():
    path = sys.argv[1]
    bpe, model = byte_level_bpe(GGUFReader(path)), Llama(path)
    prompts = [("raw", text, text) for text in RAW] + [("chat", text, chat(text)) for text in CHAT]
    lines = []
    for kind, text, full in prompts:
        ids = bpe.encode(full).ids
        case = {"kind": kind, "text": text, "ids": ids} | greedy(model, ids)
        print(kind, repr(text), "->", repr(bpe.decode(case["tokens"])), file=sys.stderr, flush=True)
        lines.append(json.dumps(case))
    digest = hashlib.sha256(open(path, "rb").read()).hexdigest()
    print(f'{{"model_sha256": "{digest}",\n"cases": [\n' + ",\n".join(lines) + "\n]}")


if __name__ == "__main__":
    main()
