#!/usr/bin/env python3
"""Messages between a guest of SEV-SNP and its secure processor, sealed by the cryptography package.

    python3 snp_messages.py snp_messages.json       writes them anew

Written from AMD 56860 rev 1.58, tables 22 and 25 (what is asked and answered) and 97 to 99 (the header, its first 48 bytes not
authenticated, the payload behind it); no code of the project is used. A twin is genuine, too: sealed under the same key with one
field of its header changed, so that only whoever compares that field refuses it.
"""
import json
import struct
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY = bytes(at * 5 % 256 for at in range(32))
REPORT_DATA = bytes(at * 7 % 256 for at in range(64))
REPORT = bytes(at * 11 % 251 for at in range(0x50)) + REPORT_DATA + bytes(at * 13 % 253 for at in range(1184 - 0x50 - 64))
REQUEST = struct.pack("<64sII24x", REPORT_DATA, 0, 0)
RESPONSE = struct.pack("<II24x", 0, len(REPORT)) + REPORT


def message(payload, sequence, kind, reserved=b"", algorithm=1, header_version=1, header_size=0x60, version=1, size=None,
            inner=0, vmpck=0, tail=b""):
    """Tag, 16 zeros, number, 8 reserved; then what is authenticated: 48 bytes; then the payload."""
    size = len(payload) if size is None else size
    before = struct.pack("<Q8s", sequence, reserved)
    authenticated = struct.pack("<BBHBBHIB35s", algorithm, header_version, header_size, kind, version, size, inner, vmpck, tail)
    sealed = AESGCM(KEY).encrypt(struct.pack("<Q4x", sequence), payload, authenticated)
    ciphertext, tag = sealed[:-16], sealed[-16:]
    whole = tag + bytes(16) + before + authenticated
    assert len(whole) == 0x60
    return whole + ciphertext


TWINS = {
    "sequence": {"sequence": 3},
    "sequence, upper half": {"sequence": 1 + (1 << 32)},
    "reserved behind it": {"reserved": b"\x01"},
    "algorithm": {"algorithm": 2},
    "header version": {"header_version": 2},
    "header size": {"header_size": 0x160},
    "type": {"kind": 6},
    "message version": {"version": 2},
    "size": {"size": 95},
    "reserved before the key": {"inner": 1},
    "key": {"vmpck": 1},
    "reserved behind the key": {"tail": bytes(34) + b"\x01"},
}


def main():
    shown = lambda payload, sequence, kind: {"payload": payload.hex(), "message": message(payload, sequence, kind).hex()}
    twins = [{"field": field, "message": message(REQUEST, **{"sequence": 1, "kind": 5, **other}).hex()}
             for field, other in TWINS.items()]
    found = {"key": KEY.hex(), "report_data": REPORT_DATA.hex(), "request": shown(REQUEST, 1, 5),
             "response": shown(RESPONSE, 2, 6), "twins": twins}
    with open(sys.argv[1], "w") as file:
        json.dump(found, file, indent=1)
        file.write("\n")


main()
