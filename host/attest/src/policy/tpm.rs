//! A policy against what a TPM quoted, and what Azure says of a machine.

use vial_weights::tree::Hex;

use super::Policy;
use crate::azure::Configuration;
use crate::check::Checks;
use crate::tpm::Quoted;

/// Fields of the registers that are not for anybody to reset.
const NAMES: [&str; 16] = [
    "tpm.pcr0",
    "tpm.pcr1",
    "tpm.pcr2",
    "tpm.pcr3",
    "tpm.pcr4",
    "tpm.pcr5",
    "tpm.pcr6",
    "tpm.pcr7",
    "tpm.pcr8",
    "tpm.pcr9",
    "tpm.pcr10",
    "tpm.pcr11",
    "tpm.pcr12",
    "tpm.pcr13",
    "tpm.pcr14",
    "tpm.pcr15",
];

impl Policy {
    /// Compares what a TPM says for whose key nobody vouches: the policy must, or anybody could make one.
    pub(crate) fn check_lone_tpm(&self, tpm: &Quoted, checks: &mut Checks) -> Option<()> {
        let found = if self.is_open("tpm.key") { "nobody" } else { "the policy" };
        checks.equal("who vouches for the TPM's key", found, "the policy", "tpm.key")?;
        self.check_tpm(tpm, checks)
    }

    /// Compares key and registers.
    pub(crate) fn check_tpm(&self, tpm: &Quoted, checks: &mut Checks) -> Option<()> {
        self.check("tpm.key", Hex(&tpm.key), checks)?;
        NAMES.into_iter().zip(&tpm.pcrs).try_for_each(|(name, pcr)| self.check(name, Hex(pcr), checks))
    }

    /// Compares what Azure says.
    pub(crate) fn check_azure(&self, configuration: Configuration, checks: &mut Checks) -> Option<()> {
        self.check("azure.secure_boot", configuration.secure_boot, checks)?;
        self.check("azure.console", configuration.console_enabled, checks)
    }
}
