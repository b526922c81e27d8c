//! What the cpu can do and the system lets it do.
//!
//! Source: Intel SDM vol. 1 §14.3 and §15.2; AMD APM vol. 3, appendix E.
#![expect(unsafe_code, reason = "reads XCR0, and asks Linux for tiles")]

use core::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

/// XMM and YMM registers are saved.
const XCR0_AVX: u64 = 0b110;
/// And so are mask registers and both extensions of ZMM.
const XCR0_AVX512: u64 = XCR0_AVX | 0b1110_0000;
/// Configuration and data of tiles.
const XCR0_AMX: u64 = 0b11 << 17;
/// Leaf 1 ECX: FMA, OSXSAVE, AVX, F16C.
const LEAF1_ECX: u32 = 1 << 12 | 1 << 27 | 1 << 28 | 1 << 29;
/// Leaf 1 ECX: OSXSAVE, without which `xgetbv` faults.
const OSXSAVE: u32 = 1 << 27;
/// Leaf 7 EBX: AVX2.
const LEAF7_EBX_AVX2: u32 = 1 << 5;
/// Leaf 7 EBX: BMI2; AVX-512 F, DQ, BW, VL.
const LEAF7_EBX_AVX512: u32 = 1 << 8 | 1 << 16 | 1 << 17 | 1 << 30 | 1 << 31;
/// Leaf 7 ECX: AVX-512 VNNI.
const LEAF7_ECX_VNNI: u32 = 1 << 11;

/// Leaf 7 EDX: AMX BF16, TILE and INT8.
const LEAF7_EDX_AMX: u32 = 1 << 22 | 1 << 24 | 1 << 25;

/// AVX2, FMA and F16C.
pub(super) fn avx2() -> bool {
    has(LEAF7_EBX_AVX2, XCR0_AVX)
}

/// AVX-512 F, BW, VL, DQ and VNNI, BMI2, and what [`avx2`] asks for.
pub(super) fn avx512() -> bool {
    has(LEAF7_EBX_AVX2 | LEAF7_EBX_AVX512, XCR0_AVX512)
        && __cpuid_count(7, 0).ecx & LEAF7_ECX_VNNI == LEAF7_ECX_VNNI
}

/// AMX TILE, BF16 and INT8.
///
/// A process on Linux must ask for the state of tiles: it is large, and not all have it saved. A program of its own system
/// has what that switched on.
pub(super) fn amx() -> bool {
    __cpuid(0).eax >= 7
        && __cpuid_count(7, 0).edx & LEAF7_EDX_AMX == LEAF7_EDX_AMX
        && xcr0() & XCR0_AMX == XCR0_AMX
        && (cfg!(not(target_os = "linux")) || cfg!(feature = "freestanding") || linux_gives_tiles())
}

/// `arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`, for all threads of the process.
/// Source: Linux, Documentation/arch/x86/xstate.rst.
fn linux_gives_tiles() -> bool {
    let (call, request, state) = (158_u64, 0x1023_u64, 18_u64);
    let answer: u64;
    // SAFETY: the call changes what the process may use, and no memory; the kernel overwrites these registers alone.
    unsafe {
        core::arch::asm!("syscall", inlateout("rax") call => answer, in("rdi") request, in("rsi") state,
            lateout("rcx") _, lateout("r11") _, options(nostack, nomem));
    }
    answer == 0
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
