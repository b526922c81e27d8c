//! What the processor offers, by `cpuid`. Spec: Intel SDM vol. 2A, CPUID; vol. 1 §13.3 (XCR0).

use crate::platform::CpuId;

/// x87, SSE, AVX, the three states of AVX-512 and the two of AMX.
const XCR0_WANTED: u64 = 0b110_0000_0000_1110_0111;
const XCR0_AMX: u64 = 0b110_0000_0000_0000_0000;
const XCR0_AVX512: u64 = 0b1110_0000;
const XCR0_AVX: u64 = 0b0100;
const CR4_OSXSAVE: u64 = 1 << 18;
const CR4_SMEP: u64 = 1 << 20;
const CR4_SMAP: u64 = 1 << 21;
const CR4_UMIP: u64 = 1 << 11;

/// What ring 0 uses of the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Bits to set in CR4 beside those of long mode.
    pub cr4: u64,
    /// Value for XCR0; none without XSAVE.
    pub xcr0: Option<u64>,
    /// The local APIC answers by MSR.
    pub has_x2apic: bool,
    /// The local APIC's timer takes a time stamp counter value.
    pub has_tsc_deadline: bool,
    /// 1 GiB pages.
    pub has_giant_pages: bool,
    /// KVM's paravirtual clock.
    pub has_kvm_clock: bool,
}

impl Features {
    /// Asks the processor.
    pub fn detect(cpu: &impl CpuId) -> Self {
        let [_, _, basic, _] = cpu.cpuid(1, 0);
        let [_, extended_b, extended_c, _] = leaf_or_zero(cpu, 7);
        let has = |register: u32, bit: u32| register >> bit & 1 == 1;
        let xcr0 = has(basic, 26).then(|| xcr0(cpu));
        let bit = |is_offered: bool, value: u64| if is_offered { value } else { 0 };
        Self {
            cr4: bit(xcr0.is_some(), CR4_OSXSAVE)
                | bit(has(extended_b, 7), CR4_SMEP)
                | bit(has(extended_b, 20), CR4_SMAP)
                | bit(has(extended_c, 2), CR4_UMIP),
            xcr0,
            has_x2apic: has(basic, 21),
            has_tsc_deadline: has(basic, 24),
            has_giant_pages: has(cpu.cpuid(0x8000_0001, 0)[3], 26),
            has_kvm_clock: has(basic, 31) && has_kvm_clock(cpu),
        }
    }
}

/// A leaf above the highest offered one answers with another leaf's values.
fn leaf_or_zero(cpu: &impl CpuId, leaf: u32) -> [u32; 4] {
    if cpu.cpuid(0, 0)[0] >= leaf { cpu.cpuid(leaf, 0) } else { [0; 4] }
}

/// The wanted states among the offered ones, without halves that XSETBV refuses.
fn xcr0(cpu: &impl CpuId) -> u64 {
    let [low, _, _, high] = leaf_or_zero(cpu, 0xD);
    let offered = u64::from(low) | u64::from(high) << 32;
    let usable = offered & XCR0_WANTED;
    let has_avx512 = usable & XCR0_AVX512 == XCR0_AVX512 && usable & XCR0_AVX != 0;
    let has_amx = usable & XCR0_AMX == XCR0_AMX;
    let refused = |is_whole: bool, states: u64| if is_whole { 0 } else { states };
    usable & !refused(has_avx512, XCR0_AVX512) & !refused(has_amx, XCR0_AMX) | 0b11
}

fn has_kvm_clock(cpu: &impl CpuId) -> bool {
    let [_, b, c, d] = cpu.cpuid(0x4000_0000, 0);
    let name = [b.to_le_bytes(), c.to_le_bytes(), d.to_le_bytes()];
    name == [*b"KVMK", *b"VMKV", *b"M\0\0\0"] && cpu.cpuid(0x4000_0001, 0)[0] >> 3 & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeMachine;

    fn machine(leaves: &[(u32, [u32; 4])]) -> FakeMachine {
        FakeMachine { cpuid: leaves.iter().copied().collect(), ..FakeMachine::default() }
    }

    #[test]
    fn avx512_and_amx_are_taken_whole_or_not_at_all() {
        let with = |low| {
            let leaves = [(0, [0xD, 0, 0, 0]), (1, [0, 0, 1 << 26, 0]), (0xD, [low, 0, 0, 0])];
            Features::detect(&machine(&leaves)).xcr0
        };
        assert_eq!(with(0b10_1110_0111), Some(0b1110_0111));
        assert_eq!(with(0b0110_0111), Some(0b0111));
        assert_eq!(with(0b1110_0011), Some(0b0011));
        assert_eq!(with(0b110_0000_0000_1110_0111), Some(0b110_0000_0000_1110_0111));
        assert_eq!(with(0b010_0000_0000_1110_0111), Some(0b1110_0111));
        assert_eq!(with(0b100_0000_0000_0000_0111), Some(0b0111));
    }

    #[test]
    fn an_old_processor_gets_nothing_new() {
        let features = Features::detect(&machine(&[(0, [5, 0, 0, 0]), (7, [0, !0, !0, !0])]));
        assert_eq!((features.cr4, features.xcr0), (0, None));
        assert!(!features.has_x2apic && !features.has_giant_pages && !features.has_kvm_clock);
    }

    #[test]
    fn each_bit_is_found_where_the_manual_puts_it() {
        let name = [0x4000_0001, 0x4B4D_564B, 0x564B_4D56, 0x4D];
        let leaves = [
            (0, [0xD, 0, 0, 0]),
            (1, [0, 0, 1 << 21 | 1 << 24 | 1 << 26 | 1 << 31, 0]),
            (7, [0, 1 << 7 | 1 << 20, 1 << 2, 0]),
            (0x8000_0001, [0, 0, 0, 1 << 26]),
            (0x4000_0000, name),
            (0x4000_0001, [1 << 3, 0, 0, 0]),
        ];
        let features = Features::detect(&machine(&leaves));
        assert_eq!(features.cr4, CR4_OSXSAVE | CR4_SMEP | CR4_SMAP | CR4_UMIP);
        assert!(features.has_x2apic && features.has_tsc_deadline);
        assert!(features.has_giant_pages && features.has_kvm_clock);
    }
}
