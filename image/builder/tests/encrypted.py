"""Opens encrypted weights by the cryptography package: key check, then the plaintext, to standard output.

Arguments: image, owner's key, plaintext roots of model and draft model in hex, which file (0 or 1), where its weights start and
how long they are, where its tags start.
"""

import hashlib
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LEAF = 128 << 10

path, key, model, draft = sys.argv[1], *map(bytes.fromhex, sys.argv[2:5])
file, start, length, tags = map(int, sys.argv[5:9])


def derived(secret, info):
    return HKDF(SHA256(), 32, b"vial sealed weights 1", info).derive(secret)


image = open(path, "rb").read()
name = hashlib.sha256(b"vial sealed weights image 1" + model + draft).digest()
image_key = derived(key, b"image key" + name)
aead = AESGCM(derived(image_key, b"leaf key" + name + file.to_bytes(8, "little")))
out = sys.stdout.buffer
out.write(derived(image_key, b"key check" + name))
for leaf in range(-(-length // LEAF)):
    first = start + leaf * LEAF
    text = image[first : min(first + LEAF, start + length)]
    tag = image[tags + leaf * 16 : tags + leaf * 16 + 16]
    associated = b"vial sealed leaf" + name + file.to_bytes(8, "little") + leaf.to_bytes(8, "little")
    out.write(aead.decrypt(leaf.to_bytes(8, "little") + bytes(4), text + tag, associated))
