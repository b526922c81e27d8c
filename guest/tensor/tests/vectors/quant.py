#!/usr/bin/env python3
"""Makes the test vectors of this folder with the gguf package: NAME.blocks (bytes of one row as they lie in a
GGUF file) and NAME.floats (its elements, little-endian f32).

Use: python3 quant.py [FOLDER]     (pip install gguf numpy)
"""

import pathlib
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

# Format: offsets of the halves that are scales and minima.
FORMATS = {
    "F32": [],
    "F16": [0],
    "BF16": [],
    "Q8_0": [0],
    "Q4_0": [0],
    "Q4_1": [0, 2],
    "Q5_0": [0],
    "Q5_1": [0, 2],
    "Q2_K": [80, 82],
    "Q3_K": [108],
    "Q4_K": [0, 2],
    "Q5_K": [0, 2],
    "Q6_K": [208],
    "IQ4_NL": [0],
    "IQ4_XS": [0],
    "MXFP4": [],
}
# One of each kind: normal, negative, both zeros, smallest and largest subnormals, smallest normal, largest.
HALVES = [0x2C5B, 0xA9D1, 0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x83FF, 0x0400, 0x7BFF, 0xFBFF]
# The same kinds of floats.
FLOATS = [0, 1 << 31, 1, 0x80000001, 0x007FFFFF, 0x807FFFFF, 0x00800000, 0x7F7FFFFF, 0xFF7FFFFF]
UPPER_HALVES = [0, 1 << 15, 1, 0x8001, 0x007F, 0x807F, 0x0080, 0x7F7F, 0xFF7F]
# Powers of two that are no normal floats, the smallest that are, one, the largest whose products are finite, the largest.
EXPONENTS = [0, 1, 2, 3, 127, 252, 253, 254]
# Elements of formats without blocks: not whole registers.
ELEMENTS = 37
# One for each kind of half, and the two of `flat`.
BLOCKS = len(HALVES) + 2


def elements(name: str, generator: np.random.Generator) -> np.ndarray:
    """Every kind of element, then random ones."""
    if name == "F16":
        edges, rest = HALVES, generator.standard_normal(ELEMENTS).astype("<f2").view("<u2")
    elif name == "F32":
        edges, rest = FLOATS, generator.standard_normal(ELEMENTS).astype("<f4").view("<u4")
    else:
        edges, rest = UPPER_HALVES, generator.standard_normal(ELEMENTS).astype("<f4").view("<u2")[1::2]
    out = rest.copy()
    out[: len(edges)] = edges
    return out.view(np.uint8)


def flat(data: np.ndarray) -> None:
    """Blocks in which every integer is the smallest, or the largest."""
    data[-2:] = [[0], [255]]


def blocks(name: str, generator: np.random.Generator) -> np.ndarray:
    """Random bytes, with scales of every kind in turn; minima take another turn."""
    data = generator.integers(0, 256, (BLOCKS, GGML_QUANT_SIZES[GGMLQuantizationType[name]][1]), dtype=np.uint8)
    flat(data)
    if name == "MXFP4":
        data[:, 0] = np.resize(EXPONENTS, BLOCKS)
    for place, offset in enumerate(FORMATS[name]):
        turn = np.resize(np.roll(HALVES, -3 * place), BLOCKS).astype("<u2")
        # The largest integers with the largest scale.
        turn[-1] = 0x7BFF
        data[:, offset : offset + 2] = turn.view(np.uint8).reshape(BLOCKS, 2)
    return data.reshape(-1)


def main() -> None:
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    for name in FORMATS:
        generator = np.random.default_rng(list(name.encode()))
        row = (elements if name in ("F32", "F16", "BF16") else blocks)(name, generator)
        with np.errstate(over="ignore"):
            floats = quants.dequantize(row.reshape(1, -1), GGMLQuantizationType[name]).reshape(-1)
        (folder / f"{name}.blocks").write_bytes(row.tobytes())
        (folder / f"{name}.floats").write_bytes(floats.astype("<f4").tobytes())


if __name__ == "__main__":
    main()
