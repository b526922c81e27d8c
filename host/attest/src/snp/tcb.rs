//! Security versions of a platform's parts.
//!
//! Spec: AMD 56860 rev 1.58 §2.2, tables 3 (Milan, Genoa) and 4 (Turin).

use super::product::Product;

/// One version a part; a higher one has fewer known holes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tcb {
    /// Boot loader of the secure processor's FMC; only Turin has one.
    pub fmc: Option<u8>,
    /// Boot loader of the secure processor.
    pub bootloader: u8,
    /// Its operating system.
    pub tee: u8,
    /// The SNP firmware.
    pub snp: u8,
    /// Microcode of the cores.
    pub microcode: u8,
}

impl Tcb {
    /// Reads the eight bytes of a report; `None` if reserved ones are not zero.
    #[must_use]
    pub fn parse(bytes: [u8; 8], product: Product) -> Option<Self> {
        match (product, bytes) {
            (Product::Turin, [fmc, bootloader, tee, snp, 0, 0, 0, microcode]) => {
                Some(Self { fmc: Some(fmc), bootloader, tee, snp, microcode })
            }
            (Product::Milan | Product::Genoa, [bootloader, tee, 0, 0, 0, 0, snp, microcode]) => {
                Some(Self { fmc: None, bootloader, tee, snp, microcode })
            }
            _ => None,
        }
    }

    /// The lower version of each part.
    #[must_use]
    pub fn least(self, other: Self) -> Self {
        Self {
            fmc: self.fmc.zip(other.fmc).map(|(one, other)| one.min(other)),
            bootloader: self.bootloader.min(other.bootloader),
            tee: self.tee.min(other.tee),
            snp: self.snp.min(other.snp),
            microcode: self.microcode.min(other.microcode),
        }
    }
}

impl core::fmt::Display for Tcb {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if let Some(fmc) = self.fmc {
            write!(f, "fmc {fmc}, ")?;
        }
        let Self { bootloader, tee, snp, microcode, .. } = self;
        write!(f, "bootloader {bootloader}, tee {tee}, snp {snp}, microcode {microcode}")
    }
}
