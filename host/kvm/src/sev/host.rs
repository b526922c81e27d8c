//! What the host must be able to do, asked before anything is made.

use kvm_bindings::{
    KVM_CAP_EXIT_HYPERCALL, KVM_CAP_GUEST_MEMFD, KVM_CAP_MEMORY_ATTRIBUTES, KVM_CAP_USER_MEMORY2,
    KVM_CAP_VM_TYPES, KVM_MEMORY_ATTRIBUTE_PRIVATE, KVM_X86_SNP_VM,
};
use kvm_ioctls::Kvm;
use std::fs::{File, OpenOptions};

use crate::machine::refused;
use crate::sev::SevError;

/// A guest asks for pages to be shared or private. Source: Linux, include/uapi/linux/kvm_para.h, `KVM_HC_MAP_GPA_RANGE`.
pub(crate) const MAP_GPA_RANGE: u64 = 12;

const KERNEL: &str = "use Linux 6.11 or later with CONFIG_KVM_AMD_SEV";

/// One thing the kernel must say of itself.
struct Need {
    number: u32,
    name: &'static str,
    /// These bits must be set.
    bits: i32,
    expected: &'static str,
    hint: &'static str,
}

/// The first one fails where the processor has no SEV-SNP, too.
const NEEDS: [Need; 5] = [
    Need {
        number: KVM_CAP_VM_TYPES,
        name: "KVM_CAP_VM_TYPES",
        bits: 1 << KVM_X86_SNP_VM,
        expected: "bit 4 (KVM_X86_SNP_VM)",
        hint: "use an EPYC 7003 or later, turn on SEV-SNP in its set-up, start Linux 6.11 or later with kvm_amd.sev_snp=1",
    },
    Need {
        number: KVM_CAP_GUEST_MEMFD,
        name: "KVM_CAP_GUEST_MEMFD",
        bits: 1,
        expected: "1 (private memory)",
        hint: KERNEL,
    },
    Need {
        number: KVM_CAP_MEMORY_ATTRIBUTES,
        name: "KVM_CAP_MEMORY_ATTRIBUTES",
        bits: KVM_MEMORY_ATTRIBUTE_PRIVATE.cast_signed(),
        expected: "bit 3 (KVM_MEMORY_ATTRIBUTE_PRIVATE)",
        hint: KERNEL,
    },
    Need {
        number: KVM_CAP_USER_MEMORY2,
        name: "KVM_CAP_USER_MEMORY2",
        bits: 1,
        expected: "1 (memory with two backings)",
        hint: KERNEL,
    },
    Need {
        number: KVM_CAP_EXIT_HYPERCALL,
        name: "KVM_CAP_EXIT_HYPERCALL",
        bits: 1 << MAP_GPA_RANGE,
        expected: "bit 12 (KVM_HC_MAP_GPA_RANGE)",
        hint: KERNEL,
    },
];

/// Opens KVM and the secure processor's device.
pub(crate) fn open() -> Result<(Kvm, File), SevError> {
    let kvm = Kvm::new().map_err(refused("open"))?;
    NEEDS.iter().try_for_each(|need| need.check(&kvm))?;
    let device = OpenOptions::new().read(true).write(true).open("/dev/sev").map_err(SevError::Device)?;
    Ok((kvm, device))
}

impl Need {
    fn check(&self, kvm: &Kvm) -> Result<(), SevError> {
        let found = kvm.check_extension_raw(self.number.into());
        let missing =
            || SevError::Missing { capability: self.name, found, expected: self.expected, hint: self.hint };
        // A negative answer is an error, in which every bit might be set.
        if found >= 0 && found & self.bits == self.bits { Ok(()) } else { Err(missing()) }
    }
}
