//! Which vector unit ring 3 may use: what the processor has and ring 0 switched on.
#![expect(unsafe_code, reason = "XGETBV is an instruction")]

use core::arch::x86_64::{__cpuid_count, _xgetbv};

/// The widest usable vector unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vector {
    /// SSE2, which every x86-64 processor has.
    Baseline,
    /// AVX2 with FMA.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
}

/// Bits of XCR0. Spec: Intel SDM vol. 1 §13.1.
const YMM: u64 = 0b110;
const ZMM: u64 = 0b1110_0110;

impl Vector {
    /// The unit of this processor.
    #[must_use]
    pub fn detect() -> Self {
        let basic = __cpuid_count(1, 0).ecx;
        let has_state = basic & 1 << 27 != 0 && basic & 1 << 26 != 0;
        if !has_state || __cpuid_count(0, 0).eax < 7 {
            return Self::Baseline;
        }
        // SAFETY: OSXSAVE says that the instruction is there.
        let saved = unsafe { xcr0() };
        Self::of(basic, __cpuid_count(7, 0).ebx, saved)
    }

    /// The unit for leaf 1's ECX, leaf 7's EBX and XCR0. Spec: Intel SDM vol. 1 §14.3, §15.2.
    fn of(basic: u32, extended: u32, saved: u64) -> Self {
        let has = |bits: u32, wanted: u32| bits & wanted == wanted;
        let has_avx2 = has(basic, 1 << 28 | 1 << 12) && has(extended, 1 << 5) && saved & YMM == YMM;
        let wide = 1 << 16 | 1 << 17 | 1 << 30 | 1 << 31;
        match (has_avx2, has(extended, wide) && saved & ZMM == ZMM) {
            (true, true) => Self::Avx512,
            (true, false) => Self::Avx2,
            (false, _) => Self::Baseline,
        }
    }
}

/// XCR0.
///
/// # Safety
/// The processor has XSAVE and ring 0 switched it on.
#[target_feature(enable = "xsave")]
unsafe fn xcr0() -> u64 {
    // SAFETY: the caller's duty; register 0 always exists.
    unsafe { _xgetbv(0) }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn a_unit_needs_its_instructions_and_its_state() {
        let (basic, extended) = (1 << 28 | 1 << 12, 1 << 5 | 1 << 16 | 1 << 17 | 1 << 30 | 1 << 31);
        assert_eq!(Vector::of(basic, extended, ZMM), Vector::Avx512);
        assert_eq!(Vector::of(basic, extended, YMM), Vector::Avx2);
        assert_eq!(Vector::of(basic, 1 << 5, ZMM), Vector::Avx2);
        assert_eq!(Vector::of(basic, extended, 1), Vector::Baseline);
        assert_eq!(Vector::of(0, extended, ZMM), Vector::Baseline);
    }

    #[test]
    fn detection_agrees_with_the_standard_library() {
        let has_avx512 =
            std::is_x86_feature_detected!("avx512vl") && std::is_x86_feature_detected!("avx512bw");
        assert_eq!(Vector::detect() == Vector::Avx512, has_avx512);
    }
}
