"""Launch digest of a load plan by IBM's sev-snp-measure: its VMSA layout, its chain.

Reads the plan as JSON from standard input, prints the digest in hex.
"""

import json
import sys

from sevsnpmeasure.gctx import GCTX
from sevsnpmeasure.vmsa import SevEsSaveArea, VmcbSeg


def segment(s):
    return VmcbSeg(s["selector"], s["attributes"], s["limit"], s["base"])


def vmsa(cpu):
    area = SevEsSaveArea()
    area.cs, area.tr = segment(cpu["code"]), segment(cpu["task"])
    area.es = area.ss = area.ds = area.fs = area.gs = segment(cpu["data"])
    area.cr0, area.rip, area.rflags = cpu["cr0"], cpu["rip"], cpu["rflags"]
    area.efer, area.cr4, area.dr7, area.dr6 = 0x1000, 0x40, 0x400, 0xFFFF0FF0
    area.g_pat, area.xcr0, area.sev_features = 0x7040600070406, 1, 1
    area.mxcsr, area.x87_fcw = 0x1F80, 0x37F
    return bytes(area)[:4096].ljust(4096, b"\0")


plan = json.load(sys.stdin)
context = GCTX()
for part in plan["parts"]:
    match part["kind"]:
        case "normal":
            context.update_normal_pages(part["gpa"], bytes.fromhex(part["bytes"]))
        case "zero":
            context.update_zero_pages(part["gpa"], part["length"])
        case "secrets":
            context.update_secrets_page(part["gpa"])
        case "cpuid":
            context.update_cpuid_page(part["gpa"])
for cpu in plan["cpus"]:
    context.update_vmsa_page(vmsa(cpu))
print(context.hex_ld())
