//! What a guest of SEV-SNP asks of its host, and how it ends.

use kvm_ioctls::HypercallExit;

use crate::sev::host::MAP_GPA_RANGE;
use crate::sev::memory::{PrivateMemory, Side};
use vial_abi::memory::PAGE;

/// The pages are to be private. Source: Linux, include/uapi/linux/kvm_para.h, `KVM_MAP_GPA_RANGE_ENCRYPTED`.
const ENCRYPTED: u64 = 1 << 4;
/// Page sizes, which are hints.
const PAGE_SIZES: u64 = 15;
/// Answers. Source: Linux, include/uapi/linux/kvm_para.h, `KVM_EINVAL`, `KVM_ENOSYS`.
const INVALID: u64 = (-22_i64).cast_unsigned();
const UNKNOWN: u64 = (-1000_i64).cast_unsigned();

/// Why the guest cannot go on, for people.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ended {
    /// It touched a page on the side on which it is not.
    Fault {
        /// The guest took the page for private.
        is_private: bool,
        /// First byte.
        gpa: u64,
        /// Bytes.
        size: u64,
    },
    /// It ended itself, with the value of its GHCB register. From the guest: untrusted.
    Terminated(u64),
}

impl core::fmt::Display for Ended {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Fault { is_private, gpa, size } => {
                let (found, expected) =
                    if *is_private { ("private", "shared") } else { ("shared", "private") };
                write!(
                    f,
                    "found an access to {size} {found} bytes at {gpa:#x}, which are {expected}; expected the guest to ask first"
                )
            }
            Self::Terminated(register) => {
                let (set, code) = (register >> 12 & 0xF, register >> 16 & 0xFF);
                write!(f, "the guest ended itself: reason {code:#x} of set {set} ({})", reason(set, code))
            }
        }
    }
}

/// Spec: AMD GHCB (56421) rev 2.04 §2.3.1, termination request.
fn reason(set: u64, code: u64) -> &'static str {
    match (set, code) {
        (0, 0) => "unspecified",
        (0, 1) => "GHCB protocol version",
        (0, 2) => "a feature of SEV-SNP is missing",
        _ => "the guest's own",
    }
}

/// Answers a hypercall. Arguments come from the guest: untrusted. A machine without private memory has none to convert.
pub(crate) fn answer(memory: Option<&PrivateMemory>, call: HypercallExit<'_>) {
    *call.ret = match memory {
        Some(memory) if call.nr == MAP_GPA_RANGE => map(memory, call.args),
        _ => UNKNOWN,
    };
}

/// Any failure is the guest's to handle: it does not touch pages that did not change sides, or it ends by a fault.
fn map(memory: &PrivateMemory, [gpa, pages, attributes, ..]: [u64; 6]) -> u64 {
    let side = if attributes & ENCRYPTED == 0 { Side::Shared } else { Side::Private };
    let is_known = attributes & !(ENCRYPTED | PAGE_SIZES) == 0;
    let bytes = pages.checked_mul(PAGE).filter(|_| is_known);
    let done = bytes.is_some_and(|bytes| memory.convert(gpa, bytes, side).is_ok());
    if done { 0 } else { INVALID }
}
