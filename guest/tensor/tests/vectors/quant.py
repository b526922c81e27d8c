#!/usr/bin/env python3
"""Makes the test vectors of this folder with the gguf package: NAME.blocks (bytes of one row as they lie in a
GGUF file) and NAME.floats (its elements, little-endian f32).

Use: python3 quant.py [FOLDER]     (pip install gguf numpy)
"""

import pathlib
import sys

import numpy as np
from gguf import GGMLQuantizationType, quants

# Format: bytes of a block, blocks, offsets of halves that must stay finite.
FORMATS = {
    "F32": (4, 37, []),
    "F16": (2, 37, [0]),
    "BF16": (2, 37, []),
    "Q8_0": (34, 6, [0]),
    "Q4_0": (18, 6, [0]),
    "Q4_1": (20, 6, [0, 2]),
    "Q5_0": (22, 6, [0]),
    "Q5_1": (24, 6, [0, 2]),
    "Q4_K": (144, 3, [0, 2]),
    "Q5_K": (176, 3, [0, 2]),
    "Q6_K": (210, 3, [208]),
}
# One of each kind: normal, negative, zero, smallest subnormal, largest subnormal, largest.
HALVES = [0x2C5B, 0xA9D1, 0x0000, 0x0001, 0x83FF, 0x7BFF]


def blocks(name: str) -> np.ndarray:
    """Random bytes, with scales that cover every kind of half in turn."""
    size, count, halves = FORMATS[name]
    generator = np.random.default_rng(list(name.encode()))
    if name in ("F32", "BF16"):
        floats = generator.standard_normal(count).astype("<f4").view(np.uint8).reshape(count, 4)
        return floats[:, 4 - size :].copy()
    data = generator.integers(0, 256, (count, size), dtype=np.uint8)
    for place, offset in enumerate(halves):
        for block in range(count):
            value = HALVES[(block + 3 * place) % len(HALVES)] if block < 6 else 0x3000 + 37 * block
            data[block, offset : offset + 2] = np.frombuffer(value.to_bytes(2, "little"), np.uint8)
    return data


def main() -> None:
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    for name in FORMATS:
        data = blocks(name)
        row = data.reshape(-1)
        kind = GGMLQuantizationType[name]
        if name == "F32":
            floats = row.view("<f4")
        elif name == "F16":
            floats = row.view("<f2").astype("<f4")
        else:
            floats = quants.dequantize(row.reshape(1, -1), kind).reshape(-1)
        (folder / f"{name}.blocks").write_bytes(row.tobytes())
        (folder / f"{name}.floats").write_bytes(floats.astype("<f4").tobytes())


if __name__ == "__main__":
    main()
