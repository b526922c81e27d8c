"""What the `gguf` package reads in a file, as lines: scalar metadata, lengths of arrays, strings of arrays hashed, tensors."""

import hashlib
import struct
import sys

from gguf import GGUFReader, GGUFValueType



def exact(value):
    """A float as the bits of its double: printing rules differ between languages."""
    return struct.unpack("<Q", struct.pack("<d", value))[0] if isinstance(value, float) else value


reader = GGUFReader(sys.argv[1])
for key, field in reader.fields.items():
    if key.startswith("GGUF."):
        continue
    if field.types[0] != GGUFValueType.ARRAY:
        print("value", key, exact(field.contents()))
    elif field.types[-1] == GGUFValueType.STRING:
        digest = hashlib.sha256()
        for part in field.data:
            data = bytes(field.parts[part])
            digest.update(len(data).to_bytes(8, "little") + data)
        print("strings", key, len(field.data), digest.hexdigest())
    else:
        numbers = field.contents()
        print("numbers", key, len(numbers), sum(i % 1009 * int(n) for i, n in enumerate(numbers)))
for tensor in reader.tensors:
    shape = [int(n) for n in tensor.shape]
    print("tensor", tensor.name, shape, int(tensor.tensor_type), int(tensor.data_offset), int(tensor.n_bytes))
