#!/usr/bin/env python3
"""Measurement registers of a trust domain, from the pages and events alone: nothing but hashlib.

    python3 mrtd.py mrtd.json       computes the cases anew, in place
    python3 mrtd.py tdvf FILE       writes the first case's pages as a file with TDVF metadata, for other tools

Written from Intel's specification (TDX Module ABI, 348551: TDH.MEM.PAGE.ADD, TDH.MR.EXTEND, TDG.MR.RTMR.EXTEND), the
layout of the launch page (`guest/abi/src/launch_page.rs`) and a table of opcodes; no code of the project is used. `tools`
in mrtd.json are values that other programs printed for the same file.
"""
import hashlib
import json
import struct
import sys

ENTRY = 0x200010
CODE_BYTES = 4700
EVENTS = [["launch page", 0], ["manifest", 0], ["kernel", 1], ["engine", 1], ["bundle", 2], ["weights root", 2],
          ["draft weights, every leaf", 2]]


def whole(data):
    return data + bytes(-len(data) % 4096)


def launch_page(cpus):
    fields = struct.pack("<8sIIQIII48sII", b"VIALLNCH", 1, cpus, 512 << 20, 5, 1, 2, bytes([7] * 48), 0, 51)
    return whole(fields)


def reset_page():
    # test esi, esi; jnz +7; xor ebx, ebx; jmp ENTRY; jmp ENTRY + 16
    first = b"\xe9" + struct.pack("<I", (ENTRY - 0xFFFFFFFB) & 0xFFFFFFFF)
    return bytes(4080) + b"\x85\xf6\x75\x07\x31\xdb" + first + b"\xe9" + struct.pack("<I", ENTRY + 16)


def pages(cpus):
    code = bytes(at * 7 % 251 for at in range(CODE_BYTES))
    end = 0x200000 + len(whole(code))
    return [(0x200000, whole(code)), (end, bytes(0x9FF000 - end)), (0x9FF000, launch_page(cpus)),
            (0xFFFFF000, reset_page())]


def mrtd(ranges):
    digest = hashlib.sha384()
    for start, data in ranges:
        for page in range(0, len(data), 4096):
            digest.update(struct.pack("<16sQ104x", b"MEM.PAGE.ADD", start + page))
            for chunk in range(page, page + 4096, 256):
                digest.update(struct.pack("<16sQ104x", b"MR.EXTEND", start + chunk) + data[chunk:chunk + 256])
    return digest.hexdigest()


def rtmr():
    registers = [bytes(48)] * 4
    for name, register in EVENTS:
        event = hashlib.sha384(name.encode()).digest()
        registers[register] = hashlib.sha384(registers[register] + event).digest()
    return [register.hex() for register in registers]


def case(cpus):
    ranges = [{"gpa": gpa, "sha384": hashlib.sha384(data).hexdigest(), "bytes": len(data)} for gpa, data in pages(cpus)]
    return {"cpus": cpus, "ranges": ranges, "mrtd": mrtd(pages(cpus))}


def tdvf(ranges):
    """Sections one after another, then the descriptor, then 32 bytes whose first four give the descriptor's place."""
    body, sections = b"", b""
    for gpa, data in ranges:
        sections += struct.pack("<IIQQII", len(body), len(data), gpa, len(data), 0, 1)
        body += data
    guid = struct.pack("<IHH8s", 0xE9EAF9F3, 0x168E, 0x44D5, bytes.fromhex("a8eb7f4d8738f6ae"))
    head = struct.pack("<4sIII", b"TDVF", 16 + len(sections), 1, len(ranges))
    table = guid + head + sections
    place = len(body) + len(guid)
    return body + table + bytes(64) + struct.pack("<I28x", place)


def main():
    if sys.argv[1] == "tdvf":
        with open(sys.argv[2], "wb") as file:
            file.write(tdvf(pages(1)))
        return
    with open(sys.argv[1]) as file:
        tools = json.load(file)["tools"]
    found = {"entry": ENTRY, "code_bytes": CODE_BYTES, "events": EVENTS, "cases": [case(1), case(5)], "rtmr": rtmr(),
             "tools": tools}
    with open(sys.argv[1], "w") as file:
        json.dump(found, file, indent=1)
        file.write("\n")


main()
