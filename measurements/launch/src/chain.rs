//! SEV-SNP's launch digest: one SHA-384 chain over all pages that are loaded before the first instruction.
//!
//! Spec: AMD SEV-SNP firmware ABI (56860) rev 1.58 §8.17.2, table 67 (PAGE_INFO).

use sha2::{Digest, Sha384};
use vial_abi::memory::PAGE;

use crate::digest::LaunchDigest;

/// Where VMSA pages are measured at, whatever their place in memory.
const VMSA_GPA: u64 = 0xFFFF_FFFF_F000;
const PAGE_INFO_BYTES: u16 = 0x70;
/// Stands for the contents of pages that have none.
const NO_CONTENTS: [u8; 48] = [0; 48];

/// Kinds of pages, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Normal,
    Vmsa,
    Zero,
    Secrets,
    Cpuid,
}

impl Kind {
    fn number(self) -> u8 {
        match self {
            Self::Normal => 1,
            Self::Vmsa => 2,
            Self::Zero => 3,
            Self::Secrets => 5,
            Self::Cpuid => 6,
        }
    }
}

/// The digest so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain(LaunchDigest);

impl Default for Chain {
    /// Nothing is loaded.
    fn default() -> Self {
        Self([0; 48])
    }
}

impl Chain {
    /// Goes on from what was loaded by somebody else.
    #[must_use]
    pub fn after(digest: LaunchDigest) -> Self {
        Self(digest)
    }

    /// Whole pages with contents; the last one is what is left.
    #[must_use]
    pub fn normal(self, gpa: u64, bytes: &[u8]) -> Self {
        let pages = bytes.chunks(usize::try_from(PAGE).unwrap_or(4096));
        let places = (gpa..).step_by(usize::try_from(PAGE).unwrap_or(4096));
        places.zip(pages).fold(self, |chain, (gpa, page)| chain.step(Kind::Normal, gpa, &digest(page)))
    }

    /// Whole pages of zeros.
    #[must_use]
    pub fn zero(self, gpa: u64, bytes: u64) -> Self {
        self.pages(Kind::Zero, gpa, bytes)
    }

    /// The page in which firmware of the processor leaves its secrets.
    #[must_use]
    pub fn secrets(self, gpa: u64, bytes: u64) -> Self {
        self.pages(Kind::Secrets, gpa, bytes)
    }

    /// The page in which it leaves what CPUID may say.
    #[must_use]
    pub fn cpuid(self, gpa: u64, bytes: u64) -> Self {
        self.pages(Kind::Cpuid, gpa, bytes)
    }

    /// Registers that one cpu starts with.
    #[must_use]
    pub fn vmsa(self, page: &[u8; 4096]) -> Self {
        self.step(Kind::Vmsa, VMSA_GPA, &digest(page))
    }

    /// The digest after all that was loaded.
    #[must_use]
    pub fn digest(self) -> LaunchDigest {
        self.0
    }

    fn pages(self, kind: Kind, gpa: u64, bytes: u64) -> Self {
        let count = bytes.div_ceil(PAGE);
        let places = (0..count).map(|at| gpa.saturating_add(at.saturating_mul(PAGE)));
        places.fold(self, |chain, gpa| chain.step(kind, gpa, &NO_CONTENTS))
    }

    /// One PAGE_INFO: no VMPL permissions below 0, not part of an incoming migration image.
    fn step(self, kind: Kind, gpa: u64, contents: &[u8; 48]) -> Self {
        let mut hash = Sha384::new();
        hash.update(self.0);
        hash.update(contents);
        hash.update(PAGE_INFO_BYTES.to_le_bytes());
        hash.update([kind.number(), 0, 0, 0, 0, 0]);
        hash.update(gpa.to_le_bytes());
        Self(hash.finalize().into())
    }
}

fn digest(page: &[u8]) -> [u8; 48] {
    Sha384::digest(page).into()
}
