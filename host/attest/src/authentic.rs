//! Authenticity: a report was signed under a root of trust.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use rsa::PublicKey;
use rsa::pkcs8::DecodePublicKey as _;

use crate::assurance::Assurance;
use crate::azure::{self, Configuration};
use crate::check::Checks;
use crate::dice::{self, Dice};
use crate::simulated;
use crate::snp::{self, Report, Snp};
use crate::tdx::{self, Tdx};
use crate::tpm::event_log::{Bank, Log};
use crate::tpm::{self, Quoted, TpmQuote};
use crate::trust::Trust;

const EVIDENCE: &str = "the evidence";

/// Name of SEV-SNP in evidence.
pub const SEV_SNP: &str = "sev-snp";
/// Name of TDX in evidence.
pub const TDX: &str = "tdx";
/// Name of Azure's machines in evidence: SEV-SNP or TDX below a paravisor, with a TPM in it.
pub const AZURE: &str = "azure-vtpm";
/// Name of a TPM without a TEE in evidence.
pub const TPM: &str = "tpm";

/// Name of a board with DICE in evidence.
pub const DICE: &str = "dice";

/// All of them.
pub(crate) const TEES: [&str; 6] = [SEV_SNP, TDX, AZURE, TPM, DICE, simulated::NAME];

/// What a TEE gave: proves nothing yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Name of the TEE: `simulated`, [`SEV_SNP`], [`TDX`], [`AZURE`], [`TPM`] or [`DICE`].
    pub tee: String,
    /// Report or quote; Azure's HCL report; DICE's chain with a statement; empty for a TPM.
    pub report: Vec<u8>,
    /// Certificates in DER that came with it.
    pub certificates: Vec<Vec<u8>>,
    /// What else came with it.
    pub attached: Attached,
}

/// What may go with a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// A TPM's quote.
    pub tpm: Option<TpmQuote>,
    /// The quote of an Azure machine on TDX.
    pub td_quote: Option<Vec<u8>>,
    /// What firmware and boot loaders measured; must lead to the registers that are signed.
    pub event_log: Option<Vec<u8>>,
}

/// A report with a good signature. Proves who signed its fields, not that they are the wanted ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentic {
    /// Under the simulated root: proves only that the parts fit together.
    Simulated(Box<Report>),
    /// By a processor of AMD's.
    Snp(Box<Snp>),
    /// By a processor of Intel's.
    Tdx(Box<Tdx>),
    /// By a processor of either, for a paravisor of Azure's.
    Azure(Box<Azure>),
    /// By a TPM, whose key nobody vouches for but the policy.
    Tpm(Box<Quoted>),
    /// By a board's layers, whose first key nobody vouches for but the policy.
    Dice(Box<Dice>),
}

/// What an Azure machine says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Azure {
    /// What the processor signed of the paravisor.
    pub tee: Authentic,
    /// What the paravisor's TPM signed of the guest.
    pub tpm: Quoted,
    /// What Azure says of the machine.
    pub configuration: Configuration,
}

impl Authentic {
    /// Name of the TEE, as evidence and policies have it.
    #[must_use]
    pub fn tee(&self) -> &'static str {
        match self {
            Self::Simulated(_) => simulated::NAME,
            Self::Snp(_) => SEV_SNP,
            Self::Tdx(_) => TDX,
            Self::Azure(_) => AZURE,
            Self::Tpm(_) => TPM,
            Self::Dice(_) => DICE,
        }
    }

    /// What the guest bound.
    #[must_use]
    pub fn report_data(&self) -> &[u8] {
        match self {
            Self::Simulated(report) => &report.report_data,
            Self::Snp(snp) => &snp.report.report_data,
            Self::Tdx(tdx) => &tdx.guest.report_data,
            Self::Azure(azure) => &azure.tpm.nonce,
            Self::Tpm(tpm) => &tpm.nonce,
            Self::Dice(dice) => &dice.report_data,
        }
    }

    /// What it rests on. Above level 0 of an SNP guest there is somebody else's code in the guest.
    #[must_use]
    pub fn assurance(&self) -> Assurance {
        match self {
            Self::Simulated(_) => Assurance::Simulated,
            Self::Tpm(_) | Self::Dice(_) => Assurance::MeasuredBoot,
            Self::Azure(_) => Assurance::Paravisor,
            Self::Snp(snp) if snp.report.vmpl > 0 => Assurance::Paravisor,
            Self::Snp(_) | Self::Tdx(_) => Assurance::Hardware,
        }
    }
}

/// Checks form and signatures, and that an event log leads to what was signed.
pub(crate) fn authentic(statement: &Statement, trust: &Trust<'_>, checks: &mut Checks) -> Option<Authentic> {
    let authentic = signed(statement, trust, checks)?;
    if let Some(log) = &statement.attached.event_log {
        explained(&authentic, log, checks)?;
    }
    Some(authentic)
}

fn signed(statement: &Statement, trust: &Trust<'_>, checks: &mut Checks) -> Option<Authentic> {
    let report = &statement.report;
    match statement.tee.as_str() {
        SEV_SNP => snp::authentic(report, &statement.certificates, trust, checks)
            .map(|snp| Authentic::Snp(Box::new(snp))),
        TDX => tdx::authentic(report, trust, checks).map(|tdx| Authentic::Tdx(Box::new(tdx))),
        AZURE => azure::authentic(statement, trust, checks),
        TPM => tpm(statement, checks),
        DICE => dice::authentic(report, checks).map(|dice| Authentic::Dice(Box::new(dice))),
        simulated::NAME => {
            simulated::authentic(report, checks).map(|report| Authentic::Simulated(Box::new(report)))
        }
        other => {
            checks.holds(
                "TEE",
                false,
                other,
                "sev-snp, tdx, azure-vtpm, tpm, dice or simulated",
                "this verifier",
            )?;
            None
        }
    }
}

/// A TPM's quote under the key that came with it.
fn tpm(statement: &Statement, checks: &mut Checks) -> Option<Authentic> {
    let quote =
        checks.parsed("TPM quote", statement.attached.tpm.as_ref().ok_or("none"), "given", EVIDENCE)?;
    let key = quote.key.as_deref().and_then(|der| PublicKey::from_public_key_der(der).ok());
    let key = checks.parsed("attestation key", key.ok_or("none that can be read"), "an RSA key", EVIDENCE)?;
    tpm::verify(quote, &key, checks).map(|tpm| Authentic::Tpm(Box::new(tpm)))
}

/// Replays a log and compares it with every register that is signed and that the log names.
fn explained(authentic: &Authentic, log: &[u8], checks: &mut Checks) -> Option<()> {
    let log = checks.parsed("event log", Log::parse(log), "a log of TCG2", EVIDENCE)?;
    let (bank, signed) = registers(authentic);
    let replayed = checks.parsed("event log", log.replay(bank), "digests of that bank", EVIDENCE)?;
    for (register, value) in replayed {
        let signed = usize::try_from(register).ok().and_then(|at| signed.get(at).copied().flatten());
        checks.same("event log", &value, signed.unwrap_or_default(), "the signed registers")?;
    }
    Some(())
}

/// The registers that are signed, by the number that logs have for them: for TDX, 0 is MRTD, which no event changes.
fn registers(authentic: &Authentic) -> (Bank, Vec<Option<&[u8]>>) {
    match authentic {
        Authentic::Tdx(tdx) => {
            let rtmr = tdx.guest.rtmr.iter().map(|rtmr| Some(rtmr.as_slice()));
            (Bank::Sha384, core::iter::once(None).chain(rtmr).collect())
        }
        Authentic::Azure(azure) => (Bank::Sha256, azure.tpm.registers()),
        Authentic::Tpm(tpm) => (Bank::Sha256, tpm.registers()),
        Authentic::Snp(_) | Authentic::Dice(_) | Authentic::Simulated(_) => (Bank::Sha256, Vec::new()),
    }
}
