//! What a trap means. Spec: Intel SDM vol. 3 §6.15.

use core::fmt;
use vial_abi::call;
use vial_abi::memory::DEVICE_VECTOR;

/// Vector of the timer and of other cpus.
pub const WAKE_VECTOR: u8 = 0x20;
/// Vector of interrupts the APIC takes back.
pub const SPURIOUS_VECTOR: u8 = 0x21;
/// Number of vectors with a stub of their own: exceptions and these three.
pub const STUBS: usize = 0x23;
/// Bytes of one stub.
pub const STUB_BYTES: usize = 16;

const INVALID_OPCODE: u64 = 6;
const CALL_VECTOR: u64 = call::VECTOR as u64;
const WAKE: u64 = WAKE_VECTOR as u64;
const SPURIOUS: u64 = SPURIOUS_VECTOR as u64;
const DEVICE: u64 = DEVICE_VECTOR as u64;
/// #VC, and its error for CPUID. Spec: AMD APM vol. 2 §15.35.5 and appendix C.
const COMMUNICATION: u64 = 29;
const EXIT_CPUID: u64 = 0x72;
/// `cpuid`.
const CPUID_OPCODE: [u8; 2] = [0x0F, 0xA2];
/// `int 0x80`.
const CALL_OPCODE: [u8; 2] = [0xCD, call::VECTOR];
/// Interrupts enabled, in RFLAGS.
const INTERRUPTS: u64 = 1 << 9;

/// Registers at a trap, in the order the stubs leave them on the stack.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
#[expect(missing_docs, reason = "register names")]
pub struct Frame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rbp: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rbx: u64,
    pub rax: u64,
    pub vector: u64,
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

/// What is to be done about a trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A call of ring 3.
    Call,
    /// CPUID in ring 3, which SEV-SNP has ring 0 answer.
    CpuId,
    /// Something ended a wait.
    Wake,
    /// Nothing.
    Spurious,
    /// The appliance ends.
    Fatal,
}

impl Frame {
    /// Decides, and steps over an `int 0x80` that raised #UD, and over `cpuid`; `opcode` reads two bytes of ring 3.
    ///
    /// A host may raise any vector at any time. Where it is on the other side, as with SEV-SNP and TDX, a call is one only behind its
    /// instruction, and of what the processor leaves to ring 0 (#VC) CPUID alone is served, at its instruction: nothing of what
    /// the host says is looked at.
    pub fn meaning(&mut self, is_confidential: bool, opcode: impl Fn(u64) -> [u8; 2]) -> Meaning {
        match self.vector {
            CALL_VECTOR if is_confidential && opcode(self.rip.wrapping_sub(2)) != CALL_OPCODE => {
                Meaning::Fatal
            }
            CALL_VECTOR => Meaning::Call,
            COMMUNICATION
                if self.error == EXIT_CPUID && self.is_user() && opcode(self.rip) == CPUID_OPCODE =>
            {
                self.rip += 2;
                Meaning::CpuId
            }
            INVALID_OPCODE if self.is_user() && opcode(self.rip) == CALL_OPCODE => {
                self.rip += 2;
                Meaning::Call
            }
            WAKE | DEVICE => Meaning::Wake,
            SPURIOUS => Meaning::Spurious,
            _ => Meaning::Fatal,
        }
    }

    /// Ring 3 was interrupted.
    #[must_use]
    pub const fn is_user(&self) -> bool {
        self.cs & 3 == 3
    }

    /// Returns with interrupts off: a device that still asserts its line must not interrupt again at once.
    pub const fn mask_interrupts(&mut self) {
        self.rflags &= !INTERRUPTS;
    }
}

/// A fatal trap as it is printed: registers, no memory.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The registers.
    pub frame: &'a Frame,
    /// Faulting address.
    pub cr2: u64,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.frame;
        let ring = at.cs & 3;
        writeln!(
            f,
            "trap {} ({}) in ring {ring}, error {:#x}, rip {:#x}, cr2 {:#x}\r",
            at.vector,
            name(at.vector),
            at.error,
            at.rip,
            self.cr2
        )?;
        writeln!(f, "rax {:016x} rbx {:016x} rcx {:016x} rdx {:016x}\r", at.rax, at.rbx, at.rcx, at.rdx)?;
        writeln!(f, "rsi {:016x} rdi {:016x} rbp {:016x} rsp {:016x}\r", at.rsi, at.rdi, at.rbp, at.rsp)?;
        writeln!(f, "r8  {:016x} r9  {:016x} r10 {:016x} r11 {:016x}\r", at.r8, at.r9, at.r10, at.r11)?;
        writeln!(f, "r12 {:016x} r13 {:016x} r14 {:016x} r15 {:016x}\r", at.r12, at.r13, at.r14, at.r15)
    }
}

const fn name(vector: u64) -> &'static str {
    match vector {
        0 => "divide error",
        1 => "debug",
        2 => "non-maskable interrupt",
        3 => "breakpoint",
        6 => "invalid opcode",
        7 => "no vector unit",
        8 => "double fault",
        11 => "segment not present",
        12 => "stack fault",
        13 => "general protection",
        14 => "page fault",
        16 => "x87 error",
        17 => "alignment",
        18 => "machine check",
        19 => "vector arithmetic",
        _ => "unexpected",
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    fn at(vector: u64, cs: u64) -> Frame {
        Frame { vector, cs, rip: 0x1000, rflags: 0x202, ..Frame::default() }
    }

    #[test]
    fn an_undefined_int_80_is_a_call_and_is_stepped_over() {
        let mut frame = at(6, 0x23);
        assert_eq!(frame.meaning(false, |_| [0xCD, 0x80]), Meaning::Call);
        assert_eq!(frame.rip, 0x1002);
    }

    #[test]
    fn other_undefined_opcodes_and_ring_0_are_fatal() {
        assert_eq!(at(6, 0x23).meaning(false, |_| [0x0F, 0x0B]), Meaning::Fatal);
        assert_eq!(at(6, 0x08).meaning(false, |_| [0xCD, 0x80]), Meaning::Fatal);
        assert_eq!(at(14, 0x23).meaning(false, |_| [0xCD, 0x80]), Meaning::Fatal);
    }

    #[test]
    fn the_gate_and_interrupts_are_told_apart() {
        assert_eq!(at(0x80, 0x23).meaning(false, |_| [0, 0]), Meaning::Call);
        assert_eq!(at(0x20, 8).meaning(false, |_| [0, 0]), Meaning::Wake);
        assert_eq!(at(0x22, 8).meaning(false, |_| [0, 0]), Meaning::Wake);
        assert_eq!(at(0x21, 8).meaning(false, |_| [0, 0]), Meaning::Spurious);
        let mut frame = at(0x20, 8);
        frame.mask_interrupts();
        assert_eq!(frame.rflags, 2);
    }

    #[test]
    fn with_snp_cpuid_of_ring_3_is_answered_at_its_instruction_alone() {
        let cpuid = |error, cs| Frame { error, ..at(29, cs) };
        let mut frame = cpuid(0x72, 0x23);
        assert_eq!(
            frame.meaning(true, |at| if at == 0x1000 { [0x0F, 0xA2] } else { [0, 0] }),
            Meaning::CpuId
        );
        assert_eq!(frame.rip, 0x1002);
        for (mut frame, opcode) in [
            (cpuid(0x72, 0x23), [0x0F, 0x0B]),
            (cpuid(0x7B, 0x23), [0x0F, 0xA2]),
            (cpuid(0x72, 0x08), [0x0F, 0xA2]),
        ] {
            assert_eq!(frame.meaning(true, |_| opcode), Meaning::Fatal);
            assert_eq!(frame.rip, 0x1000);
        }
    }

    #[test]
    fn with_snp_a_call_that_the_host_raises_ends_the_appliance() {
        let behind_a_call = |at| if at == 0xFFE { [0xCD, 0x80] } else { [0, 0] };
        assert_eq!(at(0x80, 0x23).meaning(true, behind_a_call), Meaning::Call);
        assert_eq!(at(0x80, 0x23).meaning(true, |_| [0x90, 0x90]), Meaning::Fatal);
    }

    #[test]
    fn a_fatal_trap_names_vector_address_and_registers() {
        let frame = Frame { error: 0x15, rax: 0xABC, ..at(14, 0x23) };
        let text = Report { frame: &frame, cr2: 0xC0_0000 }.to_string();
        assert!(text.starts_with("trap 14 (page fault) in ring 3, error 0x15, rip 0x1000, cr2 0xc00000"));
        assert!(text.contains("rax 0000000000000abc"));
    }
}
