//! How much an appliance rests on.

use core::fmt::{Display, Formatter, Result};
use serde::{Serialize, Serializer};

/// Levels, from the weakest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assurance {
    /// A root that everybody has the key of: proves that the parts fit together.
    Simulated,
    /// A TPM measured the start; memory is open to the host.
    MeasuredBoot,
    /// A cloud says that memory is encrypted.
    CloudVouched,
    /// A processor says so, and that the cloud's own code is above the guest.
    Paravisor,
    /// A processor says so, and that nothing is above the guest.
    Hardware,
}

impl Assurance {
    /// Names of all levels, from the weakest.
    pub const NAMES: [&'static str; 5] =
        ["simulated", "measured-boot", "cloud-vouched", "paravisor", "hardware"];

    /// Its name in policies and verdicts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Simulated => "simulated",
            Self::MeasuredBoot => "measured-boot",
            Self::CloudVouched => "cloud-vouched",
            Self::Paravisor => "paravisor",
            Self::Hardware => "hardware",
        }
    }
}

impl Display for Assurance {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.name())
    }
}

impl Serialize for Assurance {
    fn serialize<S: Serializer>(&self, serializer: S) -> core::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
