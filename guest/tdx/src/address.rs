//! Whose memory is meant: an address with the shared bit is the host's to read and write, one without is ours.
//!
//! Spec: TDX Module ABI (348551), TDG.VP.INFO (leaf 1); GHCI (344426) §2.1 (shared bit).

use crate::status::Refusal;
use crate::{Registers, Tdcall, call};

const VP_INFO: u64 = 1;

/// A 4 KiB page of private memory, by its physical address. The module reads operands there and writes reports.
pub trait PrivatePage {
    /// Its address; a multiple of 4 KiB.
    fn gpa(&self) -> u64;
    /// Copies `bytes` into the page, from byte `at` on.
    fn write(&mut self, at: usize, bytes: &[u8]);
    /// Copies bytes out of the page, from byte `at` on.
    fn read(&self, at: usize, to: &mut [u8]);
}

/// Consecutive pages shared with the host. Implementers give the host's bytes by value and never lend the pages.
pub trait SharedPages {
    /// Their address; a multiple of 4 KiB.
    fn gpa(&self) -> SharedGpa;
    /// Their length in bytes; a multiple of 4 KiB.
    fn len_bytes(&self) -> usize;
    /// Copies `bytes` into the pages, from byte `at` on.
    fn write(&mut self, at: usize, bytes: &[u8]);
    /// Copies bytes out of the pages, from byte `at` on. From the host: untrusted.
    fn read(&self, at: usize, to: &mut [u8]);
}

/// The bit of guest physical addresses that says shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedBit(u64);

/// A guest physical address with the shared bit set: whatever lies there is the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedGpa(u64);

impl SharedBit {
    /// Bit `bit`, if the module says so too: it is the last of guest addresses, as the domain started. The host cannot choose
    /// another.
    ///
    /// # Errors
    /// The module refuses, or names another width.
    pub fn ask(module: &mut impl Tdcall, bit: u8) -> Result<Self, Refusal> {
        let answer = call(module, VP_INFO, Registers::default())?;
        let width = answer.rcx & 0x3F;
        if width == u64::from(bit) + 1 { Ok(Self(1 << bit)) } else { Err(Refusal::Unknown(width)) }
    }

    /// Bit `bit`, below 64, which [`Self::ask`] was told before.
    #[must_use]
    pub const fn known(bit: u8) -> Self {
        Self(1_u64.wrapping_shl(bit as u32))
    }

    /// `gpa`, shared.
    #[must_use]
    pub const fn share(self, gpa: u64) -> SharedGpa {
        SharedGpa(gpa | self.0)
    }

    /// Whether `gpa` is private.
    #[must_use]
    pub const fn is_private(self, gpa: u64) -> bool {
        gpa & self.0 == 0
    }
}

impl SharedGpa {
    /// The address, shared bit and all.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}
