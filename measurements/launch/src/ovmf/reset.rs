//! Registers with which VMMs start cpus that run OVMF.
//!
//! Spec: KVM's and each VMM's behaviour, as `sev-snp-measure` 0.0.13 and crate `sev` 8.0.0 record it.

use crate::start::Segment;
use crate::vmsa::{put, segment};

/// A VMM; they differ in a few registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vmm {
    /// QEMU.
    Qemu,
    /// Amazon's.
    Ec2,
}

/// A cpu at its reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// Its first instruction.
    pub eip: u32,
    /// CPUID 1, EAX.
    pub signature: u32,
    /// `SEV_FEATURES`.
    pub features: u64,
    /// Whose start state it is.
    pub vmm: Vmm,
}

/// What differs between VMMs.
struct Difference {
    code: u16,
    stack: u16,
    task: u16,
    rdx: u64,
    mxcsr: u32,
    fcw: u16,
}

impl Reset {
    fn difference(&self) -> Difference {
        match (self.vmm, self.eip) {
            (Vmm::Qemu, _) => Difference {
                code: 0x9B,
                stack: 0x93,
                task: 0x8B,
                rdx: self.signature.into(),
                mxcsr: 0x1F80,
                fcw: 0x37F,
            },
            (Vmm::Ec2, super::RESET_VECTOR) => {
                Difference { code: 0x9A, stack: 0x92, task: 0x83, rdx: 0, mxcsr: 0, fcw: 0 }
            }
            (Vmm::Ec2, _) => Difference { code: 0x9B, stack: 0x92, task: 0x83, rdx: 0, mxcsr: 0, fcw: 0 },
        }
    }

    /// The VMSA page. Offsets: AMD APM vol. 2 (24593) rev 3.42, appendix B, table B-4.
    pub(crate) fn page(&self) -> [u8; 4096] {
        let mut page = [0; 4096];
        let differs = self.difference();
        let of = |selector, attributes, base| Segment { selector, attributes, limit: 0xFFFF, base };
        let data = of(0, 0x93, 0);
        let code = of(0xF000, differs.code, u64::from(self.eip & 0xFFFF_0000));
        let segments =
            [data, code, of(0, differs.stack, 0), data, data, data, of(0, 0, 0), of(0, 0x82, 0), of(0, 0, 0)];
        let places = (0x00..).step_by(16);
        places
            .zip(segments.iter().chain([&of(0, differs.task, 0)]))
            .for_each(|(at, one)| segment(&mut page, at, one));
        let fields: [(usize, u64); 12] = [
            (0x0D0, 0x1000),
            (0x148, 0x40),
            (0x158, 0x10),
            (0x160, 0x400),
            (0x168, 0xFFFF_0FF0),
            (0x170, 2),
            (0x178, u64::from(self.eip & 0xFFFF)),
            (0x268, 0x0007_0406_0007_0406),
            (0x310, differs.rdx),
            (0x3B0, self.features),
            (0x3E8, 1),
            (0x408, differs.mxcsr.into()),
        ];
        fields.iter().for_each(|(at, value)| put(&mut page, *at, &value.to_le_bytes()));
        put(&mut page, 0x410, &differs.fcw.to_le_bytes());
        page
    }
}
