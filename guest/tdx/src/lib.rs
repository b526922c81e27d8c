//! What a trust domain (Intel TDX) asks of its module and, through it, of the host.
//!
//! Pure: one trait for the instruction ([`Tdcall`]), one for private memory that the module reads and writes
//! ([`PrivatePage`]), one for memory that the host sees ([`SharedPages`]). The module is trusted as the processor is.
//! What comes back of [`vmcall`] is from the host: untrusted.
//!
//! Ring 0 runs it, so nothing allocates or panics.
//!
//! Spec: Intel TDX Module ABI (348551), TDCALL leaves; Guest-Hypervisor Communication Interface, GHCI (344426) §2 and §3.
#![no_std]
#![forbid(unsafe_code)]

pub mod accept;
pub mod address;
pub mod end;
pub mod instruction;
pub mod map;
pub mod quote;
pub mod report;
pub mod rtmr;
pub mod status;
pub mod vmcall;

pub use address::{PrivatePage, SharedBit, SharedGpa, SharedPages};
use status::{Refusal, checked};

/// Tries of a call that is busy: locks of the module are held for one call of another cpu or of the host.
pub const TRIES: u32 = 64;

/// Registers of a call but RSP, RBP and those that no leaf here uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// The module's status when the call returns; ignored before.
    pub rax: u64,
    /// First operand.
    pub rcx: u64,
    /// Second operand.
    pub rdx: u64,
    /// Third operand.
    pub r8: u64,
    /// R10 to R15, which [`vmcall`] shares with the host.
    pub shared: [u64; 6],
}

/// The instruction.
pub trait Tdcall {
    /// Executes TDCALL with `leaf` in RAX and `registers` in the others, and returns what they hold then.
    fn tdcall(&mut self, leaf: u64, registers: Registers) -> Registers;
}

/// Calls the module until it is not busy, [`TRIES`] times at most.
fn call(module: &mut impl Tdcall, leaf: u64, registers: Registers) -> Result<Registers, Refusal> {
    let mut tries = 1;
    loop {
        let answer = module.tdcall(leaf, registers);
        match checked(answer.rax) {
            Err(Refusal::Busy(_)) if tries < TRIES => tries += 1,
            result => return result.map(|()| answer),
        }
        core::hint::spin_loop();
    }
}
