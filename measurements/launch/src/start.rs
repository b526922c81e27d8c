//! The registers a cpu starts with.

use crate::tdx::reset;

/// A segment register, as VMCB and VMSA hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Selector.
    pub selector: u16,
    /// Attributes in VMCB form: bits 0..8 of the descriptor's access byte, 8..12 its flags.
    pub attributes: u16,
    /// Limit in bytes.
    pub limit: u32,
    /// Base address.
    pub base: u64,
}

/// Registers of one cpu before its first instruction; those not named are zero or at their reset value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartState {
    /// Code segment.
    pub code: Segment,
    /// SS, DS, ES, FS and GS.
    pub data: Segment,
    /// Task register.
    pub task: Segment,
    /// Control register 0.
    pub cr0: u64,
    /// Instruction pointer.
    pub rip: u64,
    /// Flags.
    pub rflags: u64,
}

impl StartState {
    /// 32-bit protected mode without paging. EBX, which PVH points at a start-info structure, is zero:
    /// firmware takes nothing from an unmeasured page.
    ///
    /// Spec: Xen `docs/misc/pvh.pandoc`, "machine state".
    pub(crate) fn pvh(entry: u32) -> Self {
        Self {
            code: Segment { selector: 8, attributes: 0xC9B, limit: u32::MAX, base: 0 },
            data: Segment { selector: 16, attributes: 0xC93, limit: u32::MAX, base: 0 },
            task: Segment { selector: 0, attributes: 0x8B, limit: 0x67, base: 0 },
            cr0: 0x11,
            rip: entry.into(),
            rflags: 2,
        }
    }

    /// Any cpu of a trust domain: 32-bit protected mode without paging, at the reset vector. The module says in EBX how wide guest
    /// addresses are, and in ESI the cpu's number.
    ///
    /// Spec: Intel TDX Module ABI (348551), "TD VCPU initial state": CR0 is PE and NE; ET is always one.
    pub(crate) fn domain() -> Self {
        Self { cr0: 0x31, ..Self::pvh(reset::VECTOR_GPA) }
    }

    /// An application processor at reset, waiting for INIT and SIPI.
    /// Spec: AMD APM vol. 2 (24593) rev 3.42 §14.1.3, table 14-1.
    pub(crate) fn reset() -> Self {
        Self {
            code: Segment { selector: 0xF000, attributes: 0x9B, limit: 0xFFFF, base: 0xFFFF_0000 },
            data: Segment { selector: 0, attributes: 0x93, limit: 0xFFFF, base: 0 },
            task: Segment { selector: 0, attributes: 0x8B, limit: 0xFFFF, base: 0 },
            cr0: 0x10,
            rip: 0xFFF0,
            rflags: 2,
        }
    }
}
