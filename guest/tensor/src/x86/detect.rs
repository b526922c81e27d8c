//! What the cpu can do and the system lets it do.
//!
//! Source: Intel SDM vol. 1 §14.3 and §15.2; AMD APM vol. 3, appendix E.
#![expect(unsafe_code, reason = "reads XCR0")]

use core::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

/// XMM and YMM registers are saved.
const XCR0_AVX: u64 = 0b110;
/// And so are mask registers and both extensions of ZMM.
const XCR0_AVX512: u64 = XCR0_AVX | 0b1110_0000;
/// Leaf 1 ECX: FMA, OSXSAVE, AVX, F16C.
const LEAF1_ECX: u32 = 1 << 12 | 1 << 27 | 1 << 28 | 1 << 29;
/// Leaf 1 ECX: OSXSAVE, without which `xgetbv` faults.
const OSXSAVE: u32 = 1 << 27;
/// Leaf 7 EBX: AVX2.
const LEAF7_EBX_AVX2: u32 = 1 << 5;
/// Leaf 7 EBX: AVX-512 F, DQ, BW, VL.
const LEAF7_EBX_AVX512: u32 = 1 << 16 | 1 << 17 | 1 << 30 | 1 << 31;

/// AVX2, FMA and F16C.
pub(super) fn avx2() -> bool {
    has(LEAF7_EBX_AVX2, XCR0_AVX)
}

/// AVX-512 F, BW, VL and DQ, and what [`avx2`] asks for.
pub(super) fn avx512() -> bool {
    has(LEAF7_EBX_AVX2 | LEAF7_EBX_AVX512, XCR0_AVX512)
}

fn has(leaf7_ebx: u32, xcr0_bits: u64) -> bool {
    __cpuid(0).eax >= 7
        && __cpuid(1).ecx & LEAF1_ECX == LEAF1_ECX
        && __cpuid_count(7, 0).ebx & leaf7_ebx == leaf7_ebx
        && xcr0() & xcr0_bits == xcr0_bits
}

/// Which registers the system saves; none if it does not say.
fn xcr0() -> u64 {
    if __cpuid(1).ecx & OSXSAVE == 0 {
        return 0;
    }
    // SAFETY: OSXSAVE says that the instruction is enabled.
    unsafe { xgetbv() }
}

#[target_feature(enable = "xsave")]
fn xgetbv() -> u64 {
    // SAFETY: register 0 exists wherever the instruction does.
    unsafe { _xgetbv(0) }
}
