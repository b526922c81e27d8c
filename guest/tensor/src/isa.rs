//! Which instruction set computes.

use core::fmt;

use crate::portable::Portable;
use crate::simd::{Op, Simd};
#[cfg(target_arch = "x86_64")]
use crate::x86::{Amx, Avx2, Avx512};

/// An instruction set that this cpu and its system support: there is no way to make one that is not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Isa(Kind);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Portable(Portable),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    /// The same with the kernels of one input for several.
    #[cfg(target_arch = "x86_64")]
    SteadyAvx512(Avx512),
    /// AVX-512, and tiles for products with several inputs.
    #[cfg(target_arch = "x86_64")]
    Amx(Amx),
    /// The same with tiles for many inputs only.
    #[cfg(target_arch = "x86_64")]
    SteadyAmx(Amx),
}

impl Isa {
    /// Plain Rust: the reference.
    pub const PORTABLE: Self = Self(Kind::Portable(Portable));

    /// The fastest supported instruction set. Ask once: in a virtual machine each `cpuid` leaves the guest, and
    /// the call takes as long as a small product.
    #[must_use]
    pub fn detect() -> Self {
        Self::amx().or_else(Self::avx512).or_else(Self::avx2).unwrap_or(Self::PORTABLE)
    }

    /// All supported instruction sets, slowest first.
    pub fn supported() -> impl Iterator<Item = Self> {
        [Some(Self::PORTABLE), Self::avx2(), Self::avx512(), Self::amx()].into_iter().flatten()
    }

    /// AVX2 with FMA and F16C, if supported.
    #[must_use]
    pub fn avx2() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        return Avx2::detect().map(|token| Self(Kind::Avx2(token)));
        #[cfg(not(target_arch = "x86_64"))]
        None
    }

    /// AVX-512 (F, BW, VL, DQ, VNNI), if supported.
    #[must_use]
    pub fn avx512() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        return Avx512::detect().map(|token| Self(Kind::Avx512(token)));
        #[cfg(not(target_arch = "x86_64"))]
        None
    }

    /// AMX (TILE, BF16) beside AVX-512, if supported. On Linux this asks the kernel to let the process use it.
    #[must_use]
    pub fn amx() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        return Amx::detect().map(|token| Self(Kind::Amx(token)));
        #[cfg(not(target_arch = "x86_64"))]
        None
    }

    /// The proof of tile registers, where these compute.
    #[cfg(target_arch = "x86_64")]
    pub(crate) const fn tiles(self) -> Option<Amx> {
        match self.0 {
            Kind::Amx(token) | Kind::SteadyAmx(token) => Some(token),
            Kind::Portable(_) | Kind::Avx2(_) | Kind::Avx512(_) | Kind::SteadyAvx512(_) => None,
        }
    }

    /// The same where these compute products of a few inputs.
    #[cfg(target_arch = "x86_64")]
    pub(crate) const fn tiles_of_bytes(self) -> Option<Amx> {
        match self.0 {
            Kind::Amx(token) => Some(token),
            Kind::Portable(_)
            | Kind::Avx2(_)
            | Kind::Avx512(_)
            | Kind::SteadyAvx512(_)
            | Kind::SteadyAmx(_) => None,
        }
    }

    /// The proof of products of bytes.
    #[cfg(target_arch = "x86_64")]
    pub(crate) const fn planes(self) -> Option<Avx512> {
        match self.0 {
            Kind::Avx512(token) | Kind::SteadyAvx512(token) => Some(token),
            Kind::Amx(token) | Kind::SteadyAmx(token) => Some(token.avx512()),
            Kind::Portable(_) | Kind::Avx2(_) => None,
        }
    }

    /// Whether several inputs are computed as each alone.
    #[cfg(target_arch = "x86_64")]
    pub(crate) const fn is_steady(self) -> bool {
        matches!(self.0, Kind::SteadyAvx512(_) | Kind::SteadyAmx(_))
    }

    /// The same instruction set in the way that gives a product of up to 32 inputs, of weights that are small integers, the
    /// bits that it has alone. Slower with a few inputs where it is another.
    #[must_use]
    pub const fn steady(self) -> Self {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Amx(token) => Self(Kind::SteadyAmx(token)),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(token) => Self(Kind::SteadyAvx512(token)),
            _ => self,
        }
    }

    /// The name for tables and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable(_) => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(_) | Kind::SteadyAvx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Kind::Amx(_) | Kind::SteadyAmx(_) => "amx",
        }
    }

    /// Whether panels of words are faster than those of floats: registers of sixteen floats are as fast.
    pub(crate) const fn has_word_panels(self) -> bool {
        match self.0 {
            Kind::Portable(_) => true,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => true,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(_) | Kind::SteadyAvx512(_) | Kind::Amx(_) | Kind::SteadyAmx(_) => false,
        }
    }

    /// Runs `op` compiled for this instruction set.
    #[inline]
    pub(crate) fn run<O: Op>(self, op: O) -> O::Out {
        match self.0 {
            Kind::Portable(token) => token.enter(op),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(token) => token.enter(op),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(token) | Kind::SteadyAvx512(token) => token.enter(op),
            #[cfg(target_arch = "x86_64")]
            Kind::Amx(token) | Kind::SteadyAmx(token) => token.avx512().enter(op),
        }
    }
}

impl fmt::Debug for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::Isa;

    #[test]
    fn the_fastest_is_the_last_supported() {
        assert_eq!(Isa::supported().next(), Some(Isa::PORTABLE));
        assert_eq!(Isa::supported().last(), Some(Isa::detect()));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn detection_agrees_with_std() {
        let avx2 = std::is_x86_feature_detected!("avx2")
            && std::is_x86_feature_detected!("fma")
            && std::is_x86_feature_detected!("f16c");
        assert_eq!(Isa::avx2().is_some(), avx2);
        let avx512 = std::is_x86_feature_detected!("avx512f")
            && std::is_x86_feature_detected!("avx512bw")
            && std::is_x86_feature_detected!("avx512vl")
            && std::is_x86_feature_detected!("avx512dq")
            && std::is_x86_feature_detected!("avx512vnni")
            && std::is_x86_feature_detected!("bmi2");
        assert_eq!(Isa::avx512().is_some(), avx2 && avx512);
    }
}
