//! Generations of processors, each with roots and a layout of versions of its own.

/// A generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// EPYC 7003.
    Milan,
    /// EPYC 9004 and 8004: Genoa, Bergamo and Siena have the same roots.
    Genoa,
    /// EPYC 9005.
    Turin,
}

impl Product {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Milan, Self::Genoa, Self::Turin];

    /// As AMD's key server spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Milan => "Milan",
            Self::Genoa => "Genoa",
            Self::Turin => "Turin",
        }
    }

    /// The product of a certificate's name of it, as `Milan-B0`. Spec: AMD 57230 rev 1.01 §3.1, `productName`.
    #[must_use]
    pub fn from_certificate(name: &str) -> Option<Self> {
        let (product, _stepping) = name.split_once('-').unwrap_or((name, ""));
        Self::ALL.into_iter().find(|known| known.name() == product)
    }

    /// The product of combined family and model, as reports from version 3 on have them (CPUID 1, EAX).
    #[must_use]
    pub fn from_cpuid(family: u8, model: u8) -> Option<Self> {
        match (family, model) {
            (0x19, 0x00..=0x0F) => Some(Self::Milan),
            (0x19, 0x10..=0x1F | 0xA0..=0xAF) => Some(Self::Genoa),
            (0x1A, 0x00..=0x1F) => Some(Self::Turin),
            _ => None,
        }
    }
}

impl core::fmt::Display for Product {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}
