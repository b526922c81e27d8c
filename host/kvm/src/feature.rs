//! What CPUID says to a guest.

use kvm_bindings::CpuId;

/// The host's features with the cpu's own number, the deadline timer and the hypervisor bit.
/// Spec: Intel SDM vol. 2A, CPUID leaves 1, 0BH, 1FH.
pub(crate) fn features(supported: &CpuId, index: u32) -> CpuId {
    let mut cpuid = supported.clone();
    for entry in cpuid.as_mut_slice() {
        match entry.function {
            1 => {
                entry.ebx = entry.ebx & 0x00FF_FFFF | index << 24;
                entry.ecx |= 1 << 24 | 1 << 31;
            }
            0xB | 0x1F => entry.edx = index,
            _ => {}
        }
    }
    cpuid
}
