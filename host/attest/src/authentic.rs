//! Authenticity: a report was signed under a root of trust.

use alloc::string::String;
use alloc::vec::Vec;

use crate::assurance::Assurance;
use crate::check::Checks;
use crate::simulated;
use crate::snp::{self, Report, Snp};
use crate::tdx::{self, Tdx};
use crate::trust::Trust;

/// Name of SEV-SNP in evidence.
pub const SEV_SNP: &str = "sev-snp";
/// Name of TDX in evidence.
pub const TDX: &str = "tdx";

/// What a TEE gave: proves nothing yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Name of the TEE: `simulated`, [`SEV_SNP`] or [`TDX`].
    pub tee: String,
    /// Report or quote.
    pub report: Vec<u8>,
    /// Certificates in DER that came with it.
    pub certificates: Vec<Vec<u8>>,
}

/// A report with a good signature. Proves who signed its fields, not that they are the wanted ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentic {
    /// Under the simulated root: proves only that the parts fit together.
    Simulated(Report),
    /// By a processor of AMD's.
    Snp(Snp),
    /// By a processor of Intel's.
    Tdx(Tdx),
}

impl Authentic {
    /// What the guest bound.
    #[must_use]
    pub fn report_data(&self) -> &[u8; 64] {
        match self {
            Self::Simulated(report) => &report.report_data,
            Self::Snp(snp) => &snp.report.report_data,
            Self::Tdx(tdx) => &tdx.guest.report_data,
        }
    }

    /// What it rests on. Above level 0 of an SNP guest there is somebody else's code in the guest.
    #[must_use]
    pub fn assurance(&self) -> Assurance {
        match self {
            Self::Simulated(_) => Assurance::Simulated,
            Self::Snp(snp) if snp.report.vmpl > 0 => Assurance::Paravisor,
            Self::Snp(_) | Self::Tdx(_) => Assurance::Hardware,
        }
    }
}

/// Checks form and signatures.
pub(crate) fn authentic(statement: &Statement, trust: &Trust<'_>, checks: &mut Checks) -> Option<Authentic> {
    match statement.tee.as_str() {
        SEV_SNP => {
            snp::authentic(&statement.report, &statement.certificates, trust, checks).map(Authentic::Snp)
        }
        TDX => tdx::authentic(&statement.report, trust, checks).map(Authentic::Tdx),
        simulated::NAME => simulated::authentic(&statement.report, checks).map(Authentic::Simulated),
        other => {
            checks.holds("TEE", false, other, "sev-snp, tdx or simulated", "this verifier")?;
            None
        }
    }
}
